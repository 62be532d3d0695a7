import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { createKubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { scratch } from './support/cluster.ts';
import { failureOf } from './support/failure.ts';
import {
  CONFIG_MAP,
  CONFIG_MAPS,
  TOKEN,
  configMap,
  inTurn,
  listOf,
  scriptedKubeconfig,
  sendJson,
  sendStatus,
  startScriptedApi,
  type Answer,
  type ScriptedApi,
} from './support/scripted-api.ts';

let api: ScriptedApi;
const manager = { fieldManager: 'test' };
const patch = [{ op: 'remove', path: '/data' }] as const;

beforeAll(async () => {
  api = await startScriptedApi();
  // From here on discovery is known, and only what a test asks for is sent.
  api.answer = (_request, response) => sendJson(response, 200, configMap('a'));
  await api.gateway.get(CONFIG_MAP);
});

beforeEach(() => {
  api.seen.length = 0;
});

afterAll(async () => {
  await api.close();
});

/** Closes the connection without an answer, as a server does with an idle one. */
const hangUp: Answer = (_request, response) => response.socket?.resetAndDestroy();
const succeed: Answer = (_request, response) => sendJson(response, 200, configMap('a'));
const silence: Answer = () => undefined;

describe('translation of answers', () => {
  test.each([
    [400, 'BadRequest', false],
    [401, 'Unauthorized', false],
    [403, 'Forbidden', false],
    [404, 'NotFound', false],
    [409, 'Conflict', true],
    [410, 'Expired', true],
    [422, 'Invalid', false],
    [429, 'TooManyRequests', true],
    [500, 'InternalError', true],
    [503, 'ServiceUnavailable', true],
    [504, 'Timeout', true],
    [302, 'Refused', false],
  ])('%i without a Status is %s, retryable: %p', async (status, reason, retryable) => {
    api.answer = (_request, response) => response.writeHead(status).end('<html>a proxy</html>');
    const error = await failureOf(api.gateway.get(CONFIG_MAP));
    expect(error).toMatchObject({ status, reason, retryable });
    expect(error.message).toBe(`GET configmaps demo/a failed: ${status} ${reason}`);
  });

  test('a Retry-After in seconds is kept', async () => {
    api.answer = (_request, response) =>
      sendStatus(response, 429, 'TooManyRequests', {}, { 'retry-after': '7' });
    expect(await failureOf(api.gateway.get(CONFIG_MAP))).toMatchObject({
      retryAfterSeconds: 7,
      retryable: true,
    });
  });

  test('a wait in the details of the Status is kept too', async () => {
    api.answer = (_request, response) =>
      sendStatus(response, 500, 'ServerTimeout', { details: { retryAfterSeconds: 2 } });
    expect((await failureOf(api.gateway.get(CONFIG_MAP))).retryAfterSeconds).toBe(2);
  });

  test('a failing write is sent once: retrying is for Temporal', async () => {
    api.answer = (_request, response) => sendStatus(response, 503, 'ServiceUnavailable');
    await failureOf(api.gateway.jsonPatch(CONFIG_MAP, [...patch], manager));
    expect(api.seen).toHaveLength(1);
  });

  test.each([
    [
      'cut off, with the length announced',
      (_request, response) => {
        response.writeHead(200, { 'content-length': '500' }).write('{"kind":"ConfigMap","data":{"a":"canary');
        response.socket?.end();
      },
    ],
    [
      'cut off, without a length',
      (_request, response) => response.end('{"kind":"ConfigMap","data":{"a":"canary'),
    ],
    ['not JSON', (_request, response) => response.end('canary')],
    ['not an object', (_request, response) => response.end('["canary"]')],
    ['an object without metadata', (_request, response) => response.end('{"kind":"ConfigMap"}')],
  ] satisfies [string, Answer][])('an answer that is %s is a retryable failure', async (_what, answer) => {
    api.answer = answer;
    const error = await failureOf(api.gateway.get(CONFIG_MAP));
    expect(error.retryable).toBe(true);
    expect(['InvalidResponse', 'NetworkError']).toContain(error.reason);
    expect(error.message).not.toContain('canary');
  });
});

describe('no secret reaches a message', () => {
  test('neither token nor header nor body nor query nor what the server says', async () => {
    const leaky = {
      message: 'Secret "x" is invalid: data.password: Invalid value: "canary-status"',
      details: {
        causes: [
          { field: 'data.password', reason: 'FieldValueInvalid', message: 'canary-cause' },
          { field: 'canary field with spaces', reason: 'x' },
        ],
      },
    };
    api.answer = (_request, response) =>
      sendStatus(response, 422, 'Invalid', leaky, { 'x-canary': 'canary-header' });
    const secret = { ...configMap('a'), data: { password: 'canary-body' } } as never;
    const error = await failureOf(api.gateway.create(secret, { fieldManager: 'canary-manager' }));
    const all = [error.message, error.stack, JSON.stringify(error), String(error.cause)].join('\n');
    expect(all).not.toMatch(/canary-|canary field/);
    expect(all).not.toContain(TOKEN);
    expect(error.causes).toEqual([{ field: 'data.password', reason: 'FieldValueInvalid' }]);
  });

  test.each([
    [
      'admission webhook "names.example.org" denied the request: canary-words of "b" denied the request',
      'admission webhook names.example.org refused it',
    ],
    [
      'Internal error occurred: failed calling webhook "names.example.org": failed to call webhook: canary-url',
      'webhook names.example.org could not be asked',
    ],
    [
      'configmaps "a" is forbidden: exceeded quota: full, requested: canary-1, used: canary-1',
      'quota full is exhausted',
    ],
    [
      "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'names' with binding 'b' denied request: canary-words",
      'admission policy names refused it',
    ],
    [
      'roles.rbac.authorization.k8s.io "r" is forbidden: user "u" (groups=["canary-1" "canary-2"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["canary"], Verbs:["delete"]}',
      'it grants more than the worker itself may do',
    ],
    ['admission webhook "canary-a b" denied the request', undefined],
    ['a canary-prefix: admission webhook "names" denied the request', undefined],
    ['configmaps "a canary-b" is forbidden: exceeded quota: full, requested: 1', undefined],
  ])('of %s only the name of who refused is said', async (message, said) => {
    api.answer = (_request, response) => sendStatus(response, 403, 'Forbidden', { message });
    const error = await failureOf(api.gateway.get(CONFIG_MAP));
    expect(error.message).not.toContain('canary');
    expect(error.message.replace(/^.*403 Forbidden/, '')).toBe(said === undefined ? '' : `: ${said}`);
  });

  test('a reason that is not a word is replaced', async () => {
    api.answer = (_request, response) => sendStatus(response, 403, `token ${TOKEN} is not allowed`);
    expect((await failureOf(api.gateway.get(CONFIG_MAP))).reason).toBe('Forbidden');
  });

  test('a kubeconfig that is not valid is not quoted', () => {
    const files = scratch();
    const kubeconfigPath = files.file('kubeconfig', `users:\n  - user: {token: "${TOKEN}"\n- [`);
    try {
      createKubernetesGateway({ kubeconfigPath });
      throw new Error('was accepted');
    } catch (error) {
      expect(String(error)).toContain('is not valid');
      expect(String(error)).not.toContain(TOKEN);
    } finally {
      files.remove();
    }
  });

  test('what a failing credential plugin prints is not quoted', async () => {
    const files = scratch();
    const command = ['sh', '-c', `echo ${TOKEN} >&2; exit 1`];
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: command[0],
      args: command.slice(1),
    };
    const kubeconfigPath = files.file('kubeconfig', scriptedKubeconfig(api.port, { exec }));
    const gateway = createKubernetesGateway({ kubeconfigPath });
    const error = await failureOf(gateway.get(CONFIG_MAP));
    expect(error).toMatchObject({ reason: 'NoCredentials', retryable: true });
    expect(error.message).not.toContain(TOKEN);
    await gateway.close();
    files.remove();
  });
});

describe('credentials', () => {
  test('after 401 the kubeconfig is read again and the call repeated once', async () => {
    const files = scratch();
    const kubeconfigPath = files.file('kubeconfig', scriptedKubeconfig(api.port, { token: 'old' }));
    const gateway = createKubernetesGateway({ kubeconfigPath });
    api.answer = (request, response) => {
      if (request.authorization === 'Bearer new') succeed(request, response);
      else sendStatus(response, 401, 'Unauthorized');
    };
    files.file('kubeconfig', scriptedKubeconfig(api.port, { token: 'new' }));
    await gateway.jsonPatch(CONFIG_MAP, [...patch], manager);
    expect(api.seen.map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new']);
    await gateway.close();
    files.remove();
  });

  test('a second 401 is final', async () => {
    api.answer = (_request, response) => sendStatus(response, 401, 'Unauthorized');
    expect(await failureOf(api.gateway.get(CONFIG_MAP))).toMatchObject({ status: 401, retryable: false });
    expect(api.seen).toHaveLength(2);
  });

  test('a token file is used beside the kubeconfig, and read again after 401', async () => {
    const files = scratch();
    files.file('token', 'old\n');
    const user = { token: 'ignored', tokenFile: 'token' };
    const kubeconfigPath = files.file('kubeconfig', scriptedKubeconfig(api.port, user));
    const gateway = createKubernetesGateway({ kubeconfigPath });
    api.answer = (request, response) => {
      if (request.authorization === 'Bearer new') succeed(request, response);
      else sendStatus(response, 401, 'Unauthorized');
    };
    expect((await failureOf(gateway.get(CONFIG_MAP))).status).toBe(401);
    files.file('token', 'new\n');
    await gateway.get(CONFIG_MAP);
    const sent = api.seen.map(({ authorization }) => authorization);
    expect(sent).toEqual(['Bearer old', 'Bearer old', 'Bearer old', 'Bearer new']);
    await gateway.close();
    files.remove();
  });

  test('a credential plugin is asked once for all calls that wait for it', async () => {
    const files = scratch();
    const credential = JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token: 'plugin' },
    });
    const log = files.file('log', '');
    const script = files.file('plugin.sh', `echo asked >> ${log}; echo '${credential}'`);
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'sh', args: [script] };
    const gateway = createKubernetesGateway({
      kubeconfigPath: files.file('kubeconfig', scriptedKubeconfig(api.port, { exec })),
    });
    api.answer = succeed;
    await Promise.all([1, 2, 3].map(() => gateway.get(CONFIG_MAP)));
    expect(new Set(api.seen.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer plugin']));
    expect(readFileSync(log, 'utf8')).toBe('asked\n');
    await gateway.close();
    files.remove();
  });

  test('KUBECONFIG may name several files; the first decides the current context', () => {
    const files = scratch();
    const first = files.file('first', scriptedKubeconfig(1001, {}));
    const second = files.file('second', scriptedKubeconfig(1002, {}, 'other'));
    const before = process.env['KUBECONFIG'];
    process.env['KUBECONFIG'] = `${first}:${second}`;
    try {
      expect(createKubernetesGateway().server).toBe('http://127.0.0.1:1001');
      expect(createKubernetesGateway({ context: 'other' }).server).toBe('http://127.0.0.1:1002');
    } finally {
      if (before === undefined) delete process.env['KUBECONFIG'];
      else process.env['KUBECONFIG'] = before;
      files.remove();
    }
  });

  test.each([
    ['a context that does not exist', { context: 'other' }, /no context "other", only: scripted/],
    ['a file that does not exist', { kubeconfigPath: '/nowhere/kubeconfig' }, /ENOENT/],
  ])('%s is refused at once', (_what, source, sentence) => {
    const files = scratch();
    const kubeconfigPath = files.file('kubeconfig', scriptedKubeconfig(api.port, {}));
    expect(() => createKubernetesGateway({ kubeconfigPath, ...source })).toThrow(sentence);
    files.remove();
  });
});

describe('the network', () => {
  test('a GET whose connection was closed under it is repeated once', async () => {
    api.answer = inTurn(hangUp, succeed);
    expect((await api.gateway.get(CONFIG_MAP)).metadata.name).toBe('a');
    expect(api.seen).toHaveLength(2);
  });

  test('a GET that is hung up on twice is a retryable NetworkError', async () => {
    api.answer = hangUp;
    expect(await failureOf(api.gateway.get(CONFIG_MAP))).toMatchObject({
      reason: 'NetworkError',
      retryable: true,
    });
    expect(api.seen).toHaveLength(2);
  });

  test('a write whose connection was closed is never repeated: it may have been done', async () => {
    api.answer = hangUp;
    const error = await failureOf(api.gateway.jsonPatch(CONFIG_MAP, [...patch], manager));
    expect(error).toMatchObject({ reason: 'NetworkError', retryable: true });
    expect(api.seen).toHaveLength(1);
  });

  test('a server that is not there is a retryable NetworkError', async () => {
    const files = scratch();
    const gateway = createKubernetesGateway({
      kubeconfigPath: files.file('kubeconfig', scriptedKubeconfig(1, {})),
    });
    const error = await failureOf(gateway.get(CONFIG_MAP));
    expect(error).toMatchObject({ reason: 'NetworkError', retryable: true });
    expect(error.message).toContain('ECONNREFUSED');
    await gateway.close();
    files.remove();
  });

  test('a call that is not answered in time is a retryable Timeout that names the object', async () => {
    api.answer = silence;
    const error = await failureOf(api.gateway.get(CONFIG_MAP, { timeoutSeconds: 0.05 }));
    expect(error).toMatchObject({ reason: 'Timeout', retryable: true });
    expect(error.message).toContain('ConfigMap demo/a');
  });

  test('the time limit also holds while the body comes', async () => {
    api.answer = (_request, response) => response.writeHead(200).write('{"kind":');
    const error = await failureOf(api.gateway.get(CONFIG_MAP, { timeoutSeconds: 0.05 }));
    expect(error.reason).toBe('Timeout');
  });

  test("an abort ends the call with the signal's reason", async () => {
    const stop = new AbortController();
    api.answer = () => {
      stop.abort(new Error('no longer wanted'));
    };
    await expect(api.gateway.get(CONFIG_MAP, { signal: stop.signal })).rejects.toThrow('no longer wanted');
  });

  test('closing the gateway ends what still runs', async () => {
    const files = scratch();
    const gateway = createKubernetesGateway({
      kubeconfigPath: files.file('kubeconfig', scriptedKubeconfig(api.port, {})),
    });
    const asked = new Promise<void>((resolve) => {
      api.answer = () => {
        resolve();
      };
    });
    const call = failureOf(gateway.get(CONFIG_MAP));
    await asked;
    await gateway.close();
    expect((await call).reason).toBe('GatewayClosed');
    expect((await failureOf(gateway.get(CONFIG_MAP))).reason).toBe('GatewayClosed');
    files.remove();
  });
});

describe('a list that expires in the middle', () => {
  const expire: Answer = (_request, response) => sendStatus(response, 410, 'Expired');
  const firstPage: Answer = (_request, response) => sendJson(response, 200, listOf(['a'], '5', 'next'));
  const lastPage: Answer = (_request, response) => sendJson(response, 200, listOf(['b'], '5'));

  test('starts again from its beginning, and nothing comes twice', async () => {
    api.answer = inTurn(firstPage, expire, firstPage, lastPage);
    const { items } = await api.gateway.list(CONFIG_MAPS);
    expect(items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
    expect(api.seen.map(({ query }) => query.get('continue'))).toEqual([null, 'next', null, 'next']);
  });

  test('gives up after three restarts', async () => {
    api.answer = (request, response) =>
      (request.query.has('continue') ? expire : firstPage)(request, response);
    expect(await failureOf(api.gateway.list(CONFIG_MAPS))).toMatchObject({ status: 410, retryable: true });
    expect(api.seen).toHaveLength(8);
  });

  test('tells the reader of single pages', async () => {
    api.answer = inTurn(firstPage, expire);
    const pages = api.gateway.listPages(CONFIG_MAPS)[Symbol.asyncIterator]();
    await pages.next();
    expect((await failureOf(pages.next())).status).toBe(410);
  });

  test('asks for 500 objects at a time, or as many as it is told', async () => {
    api.answer = lastPage;
    await api.gateway.list(CONFIG_MAPS);
    await api.gateway.list({ ...CONFIG_MAPS, pageSize: 3 });
    expect(api.seen.map(({ query }) => query.get('limit'))).toEqual(['500', '3']);
    expect((await failureOf(api.gateway.list({ ...CONFIG_MAPS, pageSize: 0 }))).reason).toBe('InvalidInput');
  });
});
