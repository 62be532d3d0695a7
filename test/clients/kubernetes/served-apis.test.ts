import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ServedApis } from '../../../src/clients/kubernetes/served-apis.ts';
import { realGateway } from './support/cluster.ts';
import { failureOf } from './support/failure.ts';
import {
  sendJson,
  sendStatus,
  startScriptedApi,
  type Answer,
  type ScriptedApi,
} from './support/scripted-api.ts';

let api: ScriptedApi;
beforeAll(async () => {
  api = await startScriptedApi();
});
beforeEach(() => {
  api.seen.length = 0;
});
afterAll(async () => {
  await api.close();
});

const resource = (plural: string, kind: string, more: Record<string, unknown> = {}): object => ({
  resource: plural,
  responseKind: { group: '', version: '', kind },
  scope: 'Namespaced',
  verbs: ['get', 'list'],
  ...more,
});
const group = (name: string, ...versions: object[]): object => ({ metadata: { name }, versions });

/** Answers each path by its body; anything else is not found. */
function answers(bodies: Record<string, unknown>): Answer {
  return ({ path }, response) =>
    path in bodies ? sendJson(response, 200, bodies[path]) : sendStatus(response, 404, 'NotFound');
}

const list = (items: object[]): object => ({ kind: 'APIGroupDiscoveryList', items });

const names = ({ resources }: ServedApis): string[] =>
  resources.map(({ apiVersion, plural }) => `${apiVersion} ${plural}`);

describe('in two answers', () => {
  test('every kind of every version, the preferred one first, with what can be done to it', async () => {
    api.answer = answers({
      '/api': list([group('', { version: 'v1', resources: [resource('secrets', 'Secret')] })]),
      '/apis': list([
        group(
          'autoscaling',
          {
            version: 'v2',
            resources: [
              resource('horizontalpodautoscalers', 'HorizontalPodAutoscaler', {
                subresources: [{ subresource: 'status', verbs: ['get', 'patch'] }],
              }),
            ],
          },
          { version: 'v1', resources: [resource('horizontalpodautoscalers', 'HorizontalPodAutoscaler')] },
        ),
        group('storage.k8s.io', {
          version: 'v1',
          resources: [resource('storageclasses', 'StorageClass', { scope: 'Cluster', verbs: ['list'] })],
        }),
      ]),
    });
    const served = await api.gateway.servedApis();
    expect(names(served)).toEqual([
      'v1 secrets',
      'autoscaling/v2 horizontalpodautoscalers',
      'autoscaling/v1 horizontalpodautoscalers',
      'storage.k8s.io/v1 storageclasses',
    ]);
    expect(served.resources[1]).toMatchObject({ namespaced: true, hasStatus: true, verbs: ['get', 'list'] });
    expect(served.resources[3]).toMatchObject({ namespaced: false, hasStatus: false, verbs: ['list'] });
    expect(served.unavailable).toEqual([]);
    expect(api.seen.map(({ path }) => path).sort()).toEqual(['/api', '/apis']);
  });

  test('a version whose server does not answer is told, and what is remembered of it is not believed', async () => {
    api.answer = answers({
      '/api': list([]),
      '/apis': list([
        group('metrics.k8s.io', {
          version: 'v1beta1',
          freshness: 'Stale',
          resources: [resource('pods', 'PodMetrics')],
        }),
        group('apps', {
          version: 'v1',
          freshness: 'Current',
          resources: [resource('deployments', 'Deployment')],
        }),
      ]),
    });
    const served = await api.gateway.servedApis();
    expect(names(served)).toEqual(['apps/v1 deployments']);
    expect(served.unavailable).toEqual([
      { apiVersion: 'metrics.k8s.io/v1beta1', why: 'the server behind it does not answer' },
    ]);
  });

  test.each([
    ['a plural with a slash', resource('../secrets', 'Secret')],
    ['a plural with a query', resource('secrets?x=1', 'Secret')],
    ['a kind that is no word', resource('secrets', 'Se cret')],
    ['no kind', { resource: 'secrets', verbs: ['list'] }],
  ])('%s is no kind that anybody can read', async (_what, odd) => {
    api.answer = answers({
      '/api': list([group('', { version: 'v1', resources: [odd] })]),
      '/apis': list([]),
    });
    expect(await api.gateway.servedApis()).toEqual({ resources: [], unavailable: [] });
  });
});

describe('from a server that knows only the older answers', () => {
  const older = {
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': {
      kind: 'APIGroupList',
      groups: [
        {
          name: 'autoscaling',
          versions: [{ groupVersion: 'autoscaling/v1' }, { groupVersion: 'autoscaling/v2' }],
          preferredVersion: { groupVersion: 'autoscaling/v2' },
        },
        { name: 'down.example', versions: [{ groupVersion: 'down.example/v1' }] },
      ],
    },
    '/apis/autoscaling/v1': { resources: [] },
    '/apis/autoscaling/v2': {
      resources: [
        {
          name: 'horizontalpodautoscalers',
          kind: 'HorizontalPodAutoscaler',
          namespaced: true,
          verbs: ['list'],
        },
        {
          name: 'horizontalpodautoscalers/status',
          kind: 'HorizontalPodAutoscaler',
          namespaced: true,
          verbs: [],
        },
      ],
    },
  };

  test('each version is asked for, the preferred one first; subresources are no kinds', async () => {
    api.answer = answers({ ...older, '/apis/down.example/v1': { resources: [] } });
    const { resources } = await api.gateway.servedApis();
    expect(resources).toContainEqual({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      plural: 'horizontalpodautoscalers',
      namespaced: true,
      verbs: ['list'],
      hasStatus: true,
    });
    const built = resources.filter(({ apiVersion }) => apiVersion !== 'v1');
    expect(built).toHaveLength(1);
    // Answered by the scripted server itself.
    expect(resources.filter(({ apiVersion }) => apiVersion === 'v1').length).toBeGreaterThan(0);
  });

  test.each([
    [503, 'ServiceUnavailable'],
    [404, 'NotFound'],
    [403, 'Forbidden'],
  ])('a version that is answered with %i is told as unavailable', async (status, reason) => {
    api.answer = (request, response) =>
      request.path === '/apis/down.example/v1'
        ? sendStatus(response, status, reason)
        : answers(older)(request, response);
    const { unavailable } = await api.gateway.servedApis();
    expect(unavailable).toEqual([
      { apiVersion: 'down.example/v1', why: `DISCOVER down.example/v1 failed: ${status} ${reason}` },
    ]);
  });

  test('a connection that breaks is a failure of the whole: nothing is known then', async () => {
    api.answer = (request, response) =>
      request.path === '/apis/down.example/v1'
        ? response.socket?.resetAndDestroy()
        : answers(older)(request, response);
    expect(await failureOf(api.gateway.servedApis())).toMatchObject({
      reason: 'NetworkError',
      retryable: true,
    });
  });
});

test.each([
  ['not a list', { kind: 'Status' }],
  ['a list of something else', list([group('apps', { version: 'v1', resources: 'none' })])],
])('an answer that is %s is refused', async (_what, body) => {
  api.answer = answers({ '/api': list([]), '/apis': body });
  expect(await failureOf(api.gateway.servedApis())).toMatchObject({ reason: 'InvalidResponse' });
});

test('a real API server tells all its kinds', async () => {
  const gateway = realGateway();
  const { resources, unavailable } = await gateway.servedApis();
  await gateway.close();
  const deployments = resources.filter(({ kind }) => kind === 'Deployment');
  expect(deployments).toMatchObject([{ apiVersion: 'apps/v1', plural: 'deployments', hasStatus: true }]);
  expect(resources.find(({ kind }) => kind === 'ConfigMap')).toMatchObject({
    namespaced: true,
    hasStatus: false,
  });
  const scalers = resources.filter(({ kind }) => kind === 'HorizontalPodAutoscaler');
  expect(scalers.map(({ apiVersion }) => apiVersion)).toEqual(['autoscaling/v2', 'autoscaling/v1']);
  expect(resources.length).toBeGreaterThan(50);
  // Other tests may have a group whose server is down on purpose.
  expect(unavailable.map(({ apiVersion }) => apiVersion)).not.toContain('apps/v1');
});
