import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ObjectPage } from '../../../src/clients/kubernetes/list.ts';
import { ownNamespace, realGateway } from './support/cluster.ts';
import { failureOf } from './support/failure.ts';
import {
  inTurn,
  listOf,
  sendJson,
  sendStatus,
  startScriptedApi,
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

const configMaps = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true };
const inDemo = { namespace: 'demo' };

async function all(pages: AsyncIterable<ObjectPage>): Promise<ObjectPage[]> {
  const read: ObjectPage[] = [];
  for await (const page of pages) read.push(page);
  return read;
}

const asked = (): Record<string, string>[] => api.seen.map(({ query }) => Object.fromEntries(query));
const limits = (): number[] => asked().map(({ limit }) => Number(limit));

/** A page of so many objects with so many bytes each, which is not the last. */
function pageOf(count: number, bytes: number, continueToken = 'next'): Record<string, unknown> {
  const names = Array.from({ length: count }, (_, index) => `a-${index}`);
  const page = listOf(names, '7', continueToken) as { items: Record<string, unknown>[] };
  return { ...page, items: page.items.map((item) => ({ ...item, data: { x: 'x'.repeat(bytes) } })) };
}

describe('the version', () => {
  test('is asked for exactly, on the first page alone: the others have it in their token', async () => {
    api.answer = inTurn(
      (_request, response) => sendJson(response, 200, listOf(['a'], '7', 'token')),
      (_request, response) => sendJson(response, 200, listOf(['b'], '7')),
    );
    const pages = await all(api.gateway.bulkPages(configMaps, { ...inDemo, exactly: '7' }));
    expect(pages.flatMap(({ items }) => items.map(({ metadata }) => metadata.name))).toEqual(['a', 'b']);
    expect(asked()).toMatchObject([
      { resourceVersion: '7', resourceVersionMatch: 'Exact' },
      { continue: 'token' },
    ]);
    expect(asked()[1]).not.toHaveProperty('resourceVersion');
    expect(asked()[1]).not.toHaveProperty('resourceVersionMatch');
  });

  test('that the server has no more is a 410 on whatever page it happens', async () => {
    api.answer = inTurn(
      (_request, response) => sendJson(response, 200, listOf(['a'], '7', 'token')),
      (_request, response) => sendStatus(response, 410, 'Expired'),
    );
    const pages = all(api.gateway.bulkPages(configMaps, { ...inDemo, exactly: '7' }));
    expect(await failureOf(pages)).toMatchObject({ status: 410, operation: 'LIST configmaps demo' });
  });
});

describe('the size of pages', () => {
  test('grows for small objects, by four at most, up to 500', async () => {
    api.answer = inTurn(
      ...Array.from(
        { length: 4 },
        () => (_request: unknown, response: Parameters<typeof sendJson>[0]) =>
          sendJson(response, 200, pageOf(10, 10)),
      ),
      (_request, response) => sendJson(response, 200, listOf([], '7')),
    );
    await all(api.gateway.bulkPages(configMaps, inDemo));
    expect(limits()).toEqual([25, 100, 400, 500, 500]);
  });

  test('shrinks for large objects, down to one', async () => {
    api.answer = inTurn(
      (_request, response) => sendJson(response, 200, pageOf(4, 512 * 1024)),
      (_request, response) => sendJson(response, 200, pageOf(1, 8 * 1024 * 1024)),
      (_request, response) => sendJson(response, 200, listOf([], '7')),
    );
    await all(api.gateway.bulkPages(configMaps, inDemo));
    expect(limits()).toEqual([25, 3, 1]);
  });

  test('that turns out too large is asked for again with fewer objects, and nothing is lost', async () => {
    const mebibyte = 1024 * 1024;
    api.answer = ({ query }, response) => {
      const count = Math.min(Number(query.get('limit')), 40);
      sendJson(response, 200, pageOf(count, 2 * mebibyte, ''));
    };
    const pages = await all(api.gateway.bulkPages(configMaps, inDemo));
    expect(limits()).toEqual([25, 3]);
    expect(pages.map(({ items }) => items.length)).toEqual([3]);
  });

  test('is what the caller says, when he says it', async () => {
    api.answer = inTurn(
      (_request, response) => sendJson(response, 200, pageOf(1, 10)),
      (_request, response) => sendJson(response, 200, listOf([], '7')),
    );
    await all(api.gateway.bulkPages(configMaps, { ...inDemo, limit: 1 }));
    expect(limits()).toEqual([1, 1]);
  });
});

test('how many are left is told where the server says it', async () => {
  const metadata = { resourceVersion: '7', continue: 'x', remainingItemCount: 41 };
  api.answer = (_request, response) => sendJson(response, 200, { ...listOf(['a'], '7'), metadata });
  for await (const { remaining } of api.gateway.bulkPages(configMaps, { ...inDemo, limit: 1 })) {
    expect(remaining).toBe(41);
    break;
  }
});

test('an answer that is cut off is a retryable failure without its text', async () => {
  api.answer = (_request, response) => response.end('{"kind":"ConfigMapList","items":[{"data":{"a":"canary');
  const error = await failureOf(all(api.gateway.bulkPages(configMaps, inDemo)));
  expect(error).toMatchObject({ reason: 'InvalidResponse', retryable: true });
  expect(error.message).not.toContain('canary');
});

test('a server that falls silent in the middle of a page ends the call in time', async () => {
  api.answer = (_request, response) => response.write('{"kind":"ConfigMapList","items":[');
  const error = await failureOf(all(api.gateway.bulkPages(configMaps, { ...inDemo, timeoutSeconds: 0.2 })));
  expect(error).toMatchObject({ reason: 'Timeout', retryable: true });
});

test('a namespace that is no name never reaches a path', async () => {
  const pages = all(api.gateway.bulkPages(configMaps, { namespace: '../kube-system' }));
  expect(await failureOf(pages)).toMatchObject({ reason: 'InvalidInput' });
  expect(api.seen).toEqual([]);
});

test('a real API server tells an earlier state exactly, and only metadata when only that is asked for', async () => {
  const gateway = realGateway();
  const place = await ownNamespace(gateway);
  const namespace = place.name;
  const make = (name: string, value: string): Promise<unknown> =>
    gateway.create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { value } },
      { fieldManager: 'test' },
    );
  await make('a', 'canary');
  await make('b', 'canary');
  const [before] = await all(gateway.bulkPages(configMaps, { namespace, fieldSelector: 'metadata.name=b' }));
  await make('c', 'later');
  const then = { namespace, exactly: before!.resourceVersion };
  const pages = await all(gateway.bulkPages(configMaps, { ...then, limit: 1 }));
  const found = pages.flatMap(({ items }) => items.map(({ metadata }) => metadata.name));
  expect(found.filter((one) => one !== 'kube-root-ca.crt')).toEqual(['a', 'b']);
  expect(new Set(pages.map(({ resourceVersion }) => resourceVersion))).toEqual(new Set([then.exactly]));
  const [first] = await all(gateway.bulkPages(configMaps, { ...then, limit: 100, metadataOnly: true }));
  expect(first!.items.map(({ metadata }) => metadata.name)).toContain('a');
  expect(JSON.stringify(first)).not.toContain('canary');
  await place.remove();
  await gateway.close();
});
