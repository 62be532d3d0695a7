import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { takeSnapshot, type Snapshot } from '../../../../src/activities/backups/read/snapshot.ts';
import { failureOf } from '../../../clients/kubernetes/support/failure.ts';
import {
  sendJson,
  sendStatus,
  startScriptedApi,
  type Answer,
  type ScriptedApi,
} from '../../../clients/kubernetes/support/scripted-api.ts';

// What would harm every other test of a cluster that they share: one APIService whose server is down lets no
// namespace be deleted.
let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
afterAll(async () => {
  await api.close();
});

const all = ['create', 'get', 'list'];
const resource = (plural: string, kind: string, more: Record<string, unknown> = {}): object => ({
  resource: plural,
  responseKind: { kind },
  scope: 'Namespaced',
  verbs: all,
  ...more,
});
const group = (name: string, version: string, resources: object[], freshness = 'Current'): object => ({
  metadata: { name },
  versions: [{ version, freshness, resources }],
});
const cluster = { scope: 'Cluster' };

/** A cluster with a kind of its own, one of a definition, and one of somebody else's server. */
const groups = [
  group('apiregistration.k8s.io', 'v1', [resource('apiservices', 'APIService', cluster)]),
  group('apiextensions.k8s.io', 'v1', [
    resource('customresourcedefinitions', 'CustomResourceDefinition', cluster),
  ]),
  group('x.example', 'v1', [resource('things', 'Thing')]),
  group('far.example', 'v1', [resource('stars', 'Star')]),
];

const items = (names: string[], more: Record<string, unknown> = {}, version = '7'): object => ({
  metadata: { resourceVersion: version },
  items: names.map((name) => ({ metadata: { name }, ...more })),
});
const namespaced = (version: string, plural: string): string => `/apis/${version}/namespaces/demo/${plural}`;

let answers: Record<string, object | Answer>;
beforeEach(() => {
  api.seen.length = 0;
  answers = {
    '/api': {
      kind: 'APIGroupDiscoveryList',
      items: [
        group('', 'v1', [resource('configmaps', 'ConfigMap'), resource('namespaces', 'Namespace', cluster)]),
      ],
    },
    '/apis': { kind: 'APIGroupDiscoveryList', items: groups },
    '/version': { gitVersion: 'v1.36.1' },
    '/readyz': {},
    '/api/v1/namespaces': items(['demo']),
    '/api/v1/namespaces/demo/configmaps': items(['a']),
    '/apis/apiregistration.k8s.io/v1/apiservices': {
      metadata: { resourceVersion: '7' },
      items: [
        { metadata: { name: 'v1' }, spec: { version: 'v1', service: null } },
        { metadata: { name: 'v1.x.example' }, spec: { group: 'x.example', version: 'v1' } },
        {
          metadata: { name: 'v1.far.example' },
          spec: { group: 'far.example', version: 'v1', service: { name: 's', namespace: 'demo' } },
        },
      ],
    },
    '/apis/apiextensions.k8s.io/v1/customresourcedefinitions': items(['things.x.example']),
    [namespaced('x.example/v1', 'things')]: items(['one']),
    [namespaced('far.example/v1', 'stars')]: items(['sun'], {}, '3'),
  };
  api.answer = (request, response) => {
    const answer = answers[request.path];
    if (answer === undefined) return sendStatus(response, 404, 'NotFound');
    return typeof answer === 'function'
      ? (answer as Answer)(request, response)
      : sendJson(response, 200, answer);
  };
});

const refuse =
  (status: number, reason: string): Answer =>
  (_request, response) =>
    sendStatus(response, status, reason);

async function snapshot(exclude: { apiGroup: string; kind: string }[] = []): Promise<Snapshot> {
  return await takeSnapshot(api.gateway, { namespace: 'demo', exclude }, new AbortController().signal);
}

const summary = ({ kinds }: Snapshot): string[] =>
  kinds.map(({ plural, estimate, aggregated, names }) =>
    [plural, estimate, ...(aggregated ? ['aggregated'] : []), ...(names ?? [])].join(' '),
  );

test('kinds, their numbers, who serves them, and the objects of the cluster that belong to them', async () => {
  const taken = await snapshot();
  expect(summary(taken)).toEqual([
    'namespaces 1 demo',
    'apiservices 1 v1.far.example',
    'customresourcedefinitions 1 things.x.example',
    'configmaps 1',
    'things 1',
    'stars 1 aggregated',
  ]);
  expect(taken).toMatchObject({ resourceVersion: '7', serverVersion: 'v1.36.1', missing: [] });
});

test('the number of objects counts those that the server did not send', async () => {
  const metadata = { resourceVersion: '7', continue: 'x', remainingItemCount: 41_999 };
  answers['/api/v1/namespaces/demo/configmaps'] = { ...items(['a']), metadata };
  expect(summary(await snapshot())).toContain('configmaps 42000');
});

describe('a group whose server is down', () => {
  test('is missing, and everything else is there', async () => {
    answers['/apis'] = {
      kind: 'APIGroupDiscoveryList',
      items: [...groups.slice(0, 3), group('far.example', 'v1', [resource('stars', 'Star')], 'Stale')],
    };
    const taken = await snapshot();
    expect(taken.missing).toEqual([{ what: 'far.example/v1', why: 'the server behind it does not answer' }]);
    expect(summary(taken)).toContain('things 1');
    expect(summary(taken)).toContain('apiservices 1 v1.far.example');
  });

  test('does not matter when nothing of it would be kept', async () => {
    answers['/apis'] = {
      kind: 'APIGroupDiscoveryList',
      items: [...groups, group('metrics.k8s.io', 'v1beta1', [], 'Stale')],
    };
    expect((await snapshot()).missing).toEqual([]);
  });

  test('that went down since discovery is missing as well', async () => {
    answers[namespaced('far.example/v1', 'stars')] = refuse(503, 'ServiceUnavailable');
    expect((await snapshot()).missing).toEqual([
      { what: 'stars.far.example', why: 'LIST stars.far.example demo failed: 503 ServiceUnavailable' },
    ]);
  });
});

test('an API server that is not well is a failure, and no kind is called missing', async () => {
  answers[namespaced('x.example/v1', 'things')] = refuse(500, 'InternalError');
  answers['/readyz'] = refuse(500, 'InternalError');
  expect(await failureOf(snapshot())).toMatchObject({ status: 500, retryable: true });
});

test('where nobody may see who serves what, each kind that is not of Kubernetes has a version of its own', async () => {
  answers['/apis/apiregistration.k8s.io/v1/apiservices'] = refuse(403, 'Forbidden');
  const taken = await snapshot();
  expect(summary(taken)).toEqual([
    'namespaces 1 demo',
    'customresourcedefinitions 1 things.x.example',
    'configmaps 1',
    'things 1 aggregated',
    'stars 1 aggregated',
  ]);
  expect(taken.missing.map(({ what }) => what)).toEqual(['apiservices.apiregistration.k8s.io']);
});

test('a version that is gone before anything was counted is no failure', async () => {
  answers['/api/v1/namespaces/demo/configmaps'] = (({ query }, response) =>
    query.get('resourceVersion') === null
      ? sendJson(response, 200, items(['a', 'b']))
      : sendStatus(response, 410, 'Expired')) satisfies Answer;
  expect(summary(await snapshot())).toContain('configmaps 2');
});

test('a kind that the profile excludes is not asked for', async () => {
  const taken = await snapshot([{ apiGroup: 'x.example', kind: 'Thing' }]);
  expect(summary(taken)).not.toContain('things 1');
  expect(api.seen.filter(({ path }) => path.includes('things'))).toEqual([]);
  expect(taken.missing).toEqual([]);
});

test('only metadata is asked for while counting, and no page is read twice for its ConfigMaps and Secrets', async () => {
  await snapshot();
  const maps = api.seen.filter(({ path }) => path.endsWith('/configmaps'));
  expect(maps.map(({ query }) => query.get('limit'))).toEqual(['1']);
});

test('a version that a server does not tell is unknown', async () => {
  answers['/version'] = refuse(403, 'Forbidden');
  expect((await snapshot()).serverVersion).toBe('unknown');
});
