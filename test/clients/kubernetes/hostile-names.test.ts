import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { checkNamed } from '../../../src/clients/kubernetes/resource-path.ts';
import { failureOf } from './support/failure.ts';
import { CONFIG_MAP, CONFIG_MAPS, startScriptedApi, type ScriptedApi } from './support/scripted-api.ts';

let api: ScriptedApi;

beforeAll(async () => {
  api = await startScriptedApi();
});

beforeEach(() => {
  api.seen.length = 0;
});

afterAll(async () => {
  await api.close();
  // Nothing was ever sent, not even discovery.
  expect(api.connections().accepted).toBe(0);
});

const hostile = [
  '../secrets/x',
  '..',
  '.',
  'a/b',
  'a%2fb',
  '%2e%2e',
  'a b',
  'a\nb',
  ' a',
  'Upper',
  'a?watch=true',
  'a#b',
  'a..b',
  '-a',
  'a-',
  '',
  'ä',
  'a'.repeat(254),
];

describe('a hostile name is refused before any request', () => {
  test.each(hostile)('as name: %j', async (name) => {
    const error = await failureOf(api.gateway.get({ ...CONFIG_MAP, name }));
    expect(error).toMatchObject({ reason: 'InvalidInput', retryable: false });
    expect(error.message).not.toMatch(/[\n\r]/);
  });

  test.each(hostile.filter((name) => name !== ''))('as namespace: %j', async (namespace) => {
    expect((await failureOf(api.gateway.list({ ...CONFIG_MAPS, namespace }))).reason).toBe('InvalidInput');
  });

  test.each(hostile)('as pod and as container of a command: %j', async (name) => {
    const command = { namespace: 'demo', pod: 'a', container: 'c', command: ['true'] };
    const run = (change: object): Promise<unknown> =>
      api.gateway.exec({ ...command, ...change }, { maxOutputBytes: 1 });
    expect((await failureOf(run({ pod: name }))).reason).toBe('InvalidInput');
    expect((await failureOf(run({ container: name }))).reason).toBe('InvalidInput');
  });

  test.each(['v1/../..', '../v1', 'apps/v1/x', 'apps/', 'v1 ', '', 'V1', 'a%2f/v1'])(
    'as apiVersion: %j',
    async (apiVersion) => {
      expect((await failureOf(api.gateway.get({ ...CONFIG_MAP, apiVersion }))).reason).toBe('InvalidInput');
    },
  );

  test.each(['configMap', 'Config/Map', '', 'A b'])('as kind: %j', async (kind) => {
    expect((await failureOf(api.gateway.get({ ...CONFIG_MAP, kind }))).reason).toBe('InvalidInput');
  });

  test.each(['version', '/a/../b', '/a//b', '/a?b', '/a%2fb', '/a b', '/', ''])(
    'as raw path: %j',
    async (path) => {
      expect((await failureOf(api.gateway.raw('GET', path))).reason).toBe('InvalidInput');
    },
  );

  test.each([0, -1, 65_536, 1.5, Number.NaN])('as port: %p', async (port) => {
    const error = await failureOf(api.gateway.portForward({ namespace: 'demo', pod: 'a', port }));
    expect(error.reason).toBe('InvalidInput');
  });

  test.each(['', '.', '..', 'a/b', '../x', 'a%2fb', '%2e%2e', '\ud800', 'a'.repeat(1025)])(
    'as name of a role, which may be called nearly anything: %j',
    async (name) => {
      const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', namespace: 'demo', name };
      const error = await failureOf(api.gateway.get(role));
      expect(error).toMatchObject({ reason: 'InvalidInput', retryable: false });
    },
  );

  test('odd names of roles are accepted, and quoted where they are shown', async () => {
    for (const name of ['ROLE', '-rf', 'RÖLE ünïcode 👩', 'a b', 'a?watch=true', 'a#b', 'a\nb']) {
      const stopped = new AbortController();
      stopped.abort(new Error('stopped before sending'));
      const role = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', namespace: 'demo', name };
      await expect(api.gateway.get(role, { signal: stopped.signal })).rejects.toThrow(
        'stopped before sending',
      );
      const { apiVersion, kind, namespace } = role;
      expect(checkNamed('GET', { apiVersion, kind, namespace, name })).toBe(
        `GET Role demo/${JSON.stringify(name)}`,
      );
    }
  });

  test('names with dots, hyphens, digits and the colons of RBAC are accepted as input', async () => {
    for (const name of ['a', 'a.b-c.0', 'system:node', 'a'.repeat(253)]) {
      const stopped = new AbortController();
      stopped.abort(new Error('stopped before sending'));
      const got = api.gateway.get({ ...CONFIG_MAP, name }, { signal: stopped.signal });
      await expect(got).rejects.toThrow('stopped before sending');
    }
  });
});
