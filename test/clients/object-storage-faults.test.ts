import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createObjectStorage, type ObjectStorage } from '../../src/clients/object-storage.ts';
import { startScriptedStore, useStoreCredentials, type ScriptedStore } from './support/scripted-store.ts';

let store: ScriptedStore;
let storage: ObjectStorage;

useStoreCredentials();

beforeEach(async () => {
  store = await startScriptedStore();
  const { endpoint } = store;
  storage = createObjectStorage({
    endpoint,
    bucket: 'bucket',
    region: 'us-east-1',
    prefix: '',
    silenceMilliseconds: 1000,
  });
});

afterEach(async () => {
  storage.close();
  await store.close();
});

/** The first so many requests get no answer, their connection breaks off. */
function loseFirst(lost: number): void {
  store.misbehave = (_request, response) => {
    if (store.seen.length > lost) return false;
    response.socket?.destroy();
    return true;
  };
}

// Regression: an audit log is read entry by entry, and each attempt began anew with the first of them.
test('one request in ten lost: a hundred in a row come to their end', async () => {
  store.misbehave = (_request, response) => {
    if (store.seen.length % 10 !== 3) return false;
    response.socket?.destroy();
    return true;
  };
  for (let number = 0; number < 100; number++)
    expect(await storage.putOnce(`k/${number}`, 'x', 'text/plain')).toBe('written');
  expect(store.objects.size).toBe(100);
});

test.each([1, 2])('a request that is lost %i times is sent again', async (lost) => {
  loseFirst(lost);
  await storage.put('a', 'mine', 'text/plain');
  expect(await storage.get('a')).toBe('mine');
  expect(store.seen).toHaveLength(lost + 2);
});

test('one that is lost three times is given up', async () => {
  loseFirst(3);
  await expect(storage.put('a', 'mine', 'text/plain')).rejects.toThrow('socket hang up');
  expect(store.seen).toHaveLength(3);
});

test('repetitions get no more time than one answer may take', async () => {
  store.misbehave = (_request, response) => {
    if (store.seen.length === 1) response.socket?.destroy();
    return true;
  };
  const begun = Date.now();
  await expect(storage.read('a')).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(Date.now() - begun).toBeLessThan(1900);
});
