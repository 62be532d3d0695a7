import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import {
  readKind,
  type KindItem,
  type SnapshotKind,
} from '../../../../src/activities/backups/read/snapshot.ts';
import { failureOf } from '../../../clients/kubernetes/support/failure.ts';
import {
  inTurn,
  listOf,
  sendJson,
  sendStatus,
  startScriptedApi,
  type Answer,
  type ScriptedApi,
} from '../../../clients/kubernetes/support/scripted-api.ts';

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

const configMaps: SnapshotKind = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  estimate: 3,
  aggregated: false,
};
const things: SnapshotKind = { ...configMaps, apiVersion: 'x.example/v1', kind: 'Thing', plural: 'things' };
const roles: SnapshotKind = {
  ...configMaps,
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
};

const pages =
  (...page: Parameters<typeof listOf>): Answer =>
  (_request, response) =>
    sendJson(response, 200, listOf(...page));
const refuse =
  (status: number, reason: string): Answer =>
  (_request, response) =>
    sendStatus(response, status, reason, { message: 'canary-message' });

/** Answers of the kind by one, of the question whether the API server is well by the other. */
const withReadiness =
  (kind: Answer, ready: boolean): Answer =>
  (request, response) => {
    if (request.path !== '/readyz') return kind(request, response);
    return ready ? response.end('ok') : sendStatus(response, 500, 'InternalError');
  };

async function read(
  kind: SnapshotKind,
  exclude: { apiGroup: string; kind: string; name?: string }[] = [],
): Promise<string[]> {
  const items: string[] = [];
  const asked = { namespace: 'demo', exclude };
  for await (const item of readKind(
    api.gateway,
    { resourceVersion: '7' },
    kind,
    asked,
    new AbortController().signal,
  ))
    items.push(lineOf(item));
  return items;
}

function lineOf(item: KindItem): string {
  if ('restart' in item) return 'restart';
  if ('missing' in item) return `missing ${item.missing.what}: ${item.missing.why}`;
  const names = item.objects.map(({ metadata }) => metadata.name);
  return [item.consistency, item.resourceVersion, ...names].join(' ');
}

const versions = (): (string | null)[] => api.seen.map(({ query }) => query.get('resourceVersion'));

describe('at which version a kind is read', () => {
  test("at the snapshot's, exactly", async () => {
    api.answer = inTurn(pages(['a', 'b'], '7', 'next'), pages(['c'], '7'));
    expect(await read(configMaps)).toEqual(['snapshot 7 a b', 'snapshot 7 c']);
    expect(versions()).toEqual(['7', null]);
  });

  test('at one of its own when the server has that one no more', async () => {
    api.answer = inTurn(refuse(410, 'Expired'), pages(['a'], '9'));
    expect(await read(configMaps)).toEqual(['own 9 a']);
    expect(versions()).toEqual(['7', null]);
  });

  test('from the beginning when it goes away in the middle: what came before is thrown away', async () => {
    api.answer = inTurn(pages(['a'], '7', 'next'), refuse(410, 'Expired'), pages(['a', 'b'], '9'));
    expect(await read(configMaps)).toEqual(['snapshot 7 a', 'restart', 'own 9 a b']);
  });

  test('again and again while the own one goes away, but not for ever', async () => {
    let turn = 0;
    api.answer = (request, response) => {
      turn += 1;
      return turn % 2 === 1
        ? pages(['a'], String(turn), 'next')(request, response)
        : refuse(410, 'Expired')(request, response);
    };
    expect(await failureOf(read(configMaps))).toMatchObject({ status: 410, retryable: true });
    expect(turn).toBe(10);
  });

  test('of somebody else always at one of its own', async () => {
    api.answer = pages(['a'], '3');
    expect(await read({ ...things, aggregated: true })).toEqual(['own 3 a']);
    expect(versions()).toEqual([null]);
  });

  test('an empty kind still tells its version', async () => {
    api.answer = pages([], '7');
    expect(await read(configMaps)).toEqual(['snapshot 7']);
  });
});

describe('what cannot be read', () => {
  test('because it may not be is missing, with what to allow', async () => {
    api.answer = refuse(403, 'Forbidden');
    expect(await read(configMaps)).toEqual([
      'missing configmaps: the worker may not list it: LIST configmaps demo failed: 403 Forbidden',
    ]);
  });

  test('because its definition was removed is missing from there on', async () => {
    api.answer = inTurn(pages(['a'], '7', 'next'), refuse(404, 'NotFound'));
    expect(await read(things)).toEqual([
      'snapshot 7 a',
      'missing things.x.example: the API server does not serve it any more',
    ]);
  });

  test('because the server behind it is down is missing, while the API server is well', async () => {
    api.answer = withReadiness(refuse(503, 'ServiceUnavailable'), true);
    expect(await read({ ...things, aggregated: true })).toEqual([
      'missing things.x.example: LIST things.x.example demo failed: 503 ServiceUnavailable',
    ]);
  });

  test('because its answer is nonsense is missing, and the nonsense is not shown', async () => {
    api.answer = withReadiness((_request, response) => response.end('canary'), true);
    const [line = '', ...more] = await read(things);
    expect(line).toMatch(/^missing things\.x\.example: LIST things\.x\.example demo failed: InvalidResponse/);
    expect(line).not.toContain('canary');
    expect(more).toEqual([]);
  });

  test.each([
    ['a kind of somebody else, while the API server is not well', things, 503, 'ServiceUnavailable', false],
    ['a kind of Kubernetes', configMaps, 500, 'InternalError', true],
    ['a busy server', things, 429, 'TooManyRequests', true],
    ['credentials that are refused', things, 401, 'Unauthorized', true],
  ])(
    '%s is a failure to try again or to mend: nothing is called missing',
    async (_what, kind, status, reason, ready) => {
      api.answer = withReadiness(refuse(status, reason), ready);
      const error = await failureOf(read(kind));
      expect(error).toMatchObject({ status, reason });
      expect(error.message).not.toContain('canary');
    },
  );

  test('a broken connection is a failure of the whole', async () => {
    api.answer = (_request, response) => response.socket?.resetAndDestroy();
    expect(await failureOf(read(things))).toMatchObject({ reason: 'NetworkError', retryable: true });
  });
});

describe('objects of the cluster by name', () => {
  test('are asked for one by one, whatever is in the name', async () => {
    api.answer = pages(['x'], '7');
    await read({ ...roles, names: ['system:x', 'a,b=c\\d'] });
    expect(
      api.seen.map(({ path, query }) => [path, query.get('fieldSelector'), query.get('resourceVersion')]),
    ).toEqual([
      ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 'metadata.name=system:x', '7'],
      ['/apis/rbac.authorization.k8s.io/v1/clusterroles', 'metadata.name=a\\,b\\=c\\\\d', '7'],
    ]);
  });

  test.each([
    [20, 20],
    [21, 1],
  ])('%i of them take %i requests', async (count, requests) => {
    api.answer = pages(['r-0', 'foreign'], '7');
    const names = Array.from({ length: count }, (_, index) => `r-${index}`);
    const items = await read({ ...roles, names });
    expect(api.seen).toHaveLength(requests);
    if (requests === 1) expect(items).toEqual(['snapshot 7 r-0']);
  });
});

test('what is always left out and what the profile excludes does not come', async () => {
  api.answer = pages(['kube-root-ca.crt', 'kept', 'scratch'], '7');
  expect(await read(configMaps, [{ apiGroup: '', kind: 'ConfigMap', name: 'scratch' }])).toEqual([
    'snapshot 7 kept',
  ]);
});

test('an abort ends the reading with its reason', async () => {
  api.answer = () => undefined;
  const controller = new AbortController();
  const asked = { namespace: 'demo', exclude: [] };
  const first = readKind(api.gateway, { resourceVersion: '7' }, configMaps, asked, controller.signal).next();
  controller.abort(new Error('stop'));
  await expect(first).rejects.toThrow('stop');
});
