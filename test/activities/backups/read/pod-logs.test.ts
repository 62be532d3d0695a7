import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { readLogs, type LogItem } from '../../../../src/activities/backups/read/pod-logs.ts';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import { waitFor } from '../../../../src/local/wait.ts';
import { failureOf } from '../../../clients/kubernetes/support/failure.ts';
import {
  sendJson,
  sendStatus,
  startScriptedApi,
  type Answer,
  type ScriptedApi,
} from '../../../clients/kubernetes/support/scripted-api.ts';
import { onRealNode } from '../../../support/stack.ts';
import { image } from '../../../support/world.ts';
import { Ground } from '../support/ground.ts';

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

async function read(
  gateway: KubernetesGateway,
  namespace: string,
  { sinceSeconds = 60, bytesPerContainer = 1000, signal = new AbortController().signal } = {},
): Promise<LogItem[]> {
  const items: LogItem[] = [];
  for await (const item of readLogs(gateway, { namespace, sinceSeconds, bytesPerContainer }, signal))
    items.push(item);
  return items;
}

function lineOf(item: LogItem): string {
  if ('missing' in item) return `missing ${item.missing.what}: ${item.missing.why}`;
  return `${item.path}${item.truncated ? ' (cut)' : ''} ${JSON.stringify(item.bytes.toString('utf8'))}`;
}

const lines = async (options?: Parameters<typeof read>[2]): Promise<string[]> =>
  (await read(api.gateway, 'demo', options)).map(lineOf);

const running = { state: { running: {} } };
const pod = (name: string, status: Record<string, unknown>): object => ({ metadata: { name }, status });
const onePod = [pod('web', { containerStatuses: [{ name: 'main', ...running }] })];

/** Pods, and what each log is answered with. */
function answerWith(pods: object[], log: Answer): void {
  api.answer = (request, response) =>
    request.path.endsWith('/pods')
      ? sendJson(response, 200, { metadata: { resourceVersion: '7' }, items: pods })
      : log(request, response);
}

const say =
  (text: string): Answer =>
  (_request, response) =>
    response.end(text);

describe('which logs', () => {
  test('of every container that has run, init and debugging ones too, predecessors first', async () => {
    const restarted = { ...running, lastState: { terminated: { exitCode: 1 } } };
    const crashing = { state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: {} } };
    answerWith(
      [
        pod('web', {
          initContainerStatuses: [{ name: 'init', state: { terminated: {} } }],
          containerStatuses: [
            { name: 'main', ...restarted },
            { name: 'side', ...crashing },
            { name: 'new', state: { waiting: { reason: 'ContainerCreating' } } },
          ],
          ephemeralContainerStatuses: [{ name: 'debug', ...running }],
        }),
        pod('pending', {}),
      ],
      ({ path, query }, response) =>
        response.end(`${path.split('/').at(-2)} ${query.get('container')} ${query.get('previous')}`),
    );
    expect(await lines()).toEqual([
      'web/init.log "web init null"',
      'web/main.previous.log "web main true"',
      'web/main.log "web main null"',
      'web/side.previous.log "web side true"',
      'web/debug.log "web debug null"',
    ]);
    const logs = api.seen.filter(({ path }) => path.endsWith('/log'));
    for (const { query } of logs) expect(query.get('sinceSeconds')).toBe('60');
  });

  test('none when none are wanted: nothing is asked', async () => {
    expect(await lines({ sinceSeconds: 0 })).toEqual([]);
    expect(api.seen).toEqual([]);
  });
});

describe('the end of a log, from the beginning of a line', () => {
  test.each([
    ['shorter than the limit', 'a\nbb\n', 6, '"a\\nbb\\n"'],
    ['exactly as long', 'a\nbb\n', 5, '"a\\nbb\\n"'],
    ['one byte longer', 'a\nbb\n', 4, '(cut) "bb\\n"'],
    ['cut at a line', 'a\nbb\n', 3, '(cut) "bb\\n"'],
    ['cut within its last line', 'a\nbb\n', 2, '(cut) "b\\n"'],
    ['without any line', 'abcdef', 3, '(cut) "def"'],
    ['empty', '', 3, '""'],
  ])('of one that is %s', async (_what, text, bytesPerContainer, expected) => {
    answerWith(onePod, say(text));
    expect(await lines({ bytesPerContainer })).toEqual([`web/main.log ${expected}`]);
  });

  test('of one that comes in many pieces', async () => {
    const line = `${'x'.repeat(99)}\n`;
    answerWith(onePod, (_request, response) => {
      for (let sent = 0; sent < 20_000; sent += 1) response.write(line);
      response.end('last\n');
    });
    const [item] = await read(api.gateway, 'demo', { bytesPerContainer: 10_000 });
    if (item === undefined || 'missing' in item) throw new Error('a log was expected');
    expect(item.truncated).toBe(true);
    expect(item.bytes.length).toBeLessThanOrEqual(10_000);
    expect(item.bytes.length).toBeGreaterThan(9_800);
    expect(item.bytes.subarray(0, 100).toString()).toBe(line);
    expect(item.bytes.toString().endsWith('\nlast\n')).toBe(true);
  });
});

describe('a log that cannot be had', () => {
  test.each([
    [403, 'Forbidden'],
    [404, 'NotFound'],
    [400, 'BadRequest'],
    [500, 'InternalError'],
    [502, 'ServerError'],
  ])('because of %i is missing, and the others are there', async (status, reason) => {
    const pods = [...onePod, pod('other', { containerStatuses: [{ name: 'main', ...running }] })];
    answerWith(pods, (request, response) =>
      request.path.includes('/web/') ? sendStatus(response, status, 'canary status') : response.end('fine\n'),
    );
    expect(await lines()).toEqual([
      `missing log web/main.log: LOG pods demo/web failed: ${status} ${reason}`,
      'other/main.log "fine\\n"',
    ]);
  });

  test('because pods may not be listed is missing as a whole', async () => {
    api.answer = (_request, response) => sendStatus(response, 403, 'Forbidden');
    expect(await lines()).toEqual(['missing logs: LIST pods demo failed: 403 Forbidden']);
  });

  test.each([
    [401, 'Unauthorized'],
    [429, 'TooManyRequests'],
  ])('because of %i concerns everything: a failure', async (status, reason) => {
    answerWith(onePod, (_request, response) => sendStatus(response, status, reason));
    expect(await failureOf(lines())).toMatchObject({ status });
  });

  test('because the connection broke is a failure to try again', async () => {
    answerWith(onePod, (_request, response) => response.socket?.resetAndDestroy());
    expect(await failureOf(lines())).toMatchObject({ reason: 'NetworkError', retryable: true });
  });
});

test('an abort ends the reading with its reason', async () => {
  const controller = new AbortController();
  answerWith(onePod, (_request, response) => {
    response.write('a\n');
    controller.abort(new Error('stop'));
  });
  await expect(lines({ signal: controller.signal })).rejects.toThrow('stop');
});

/** Every line has its own. */
const withoutTime = (line: string): string => line.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z /g, '');

/** A process that writes something else in its second life, and then stays. */
const twoLives = `
const { existsSync, writeFileSync } = require('node:fs');
if (existsSync('/shared/first')) { console.log('second life'); setInterval(() => undefined, 1000); }
else { writeFileSync('/shared/first', ''); console.log('first life'); process.exitCode = 1; }`;

(onRealNode ? test : test.skip)('a real node gives the logs of each life of each container', async () => {
  const ground = await Ground.open();
  const node = (code: string): Record<string, unknown> => ({
    image: image('1.7.4'),
    imagePullPolicy: 'IfNotPresent',
    command: ['/usr/local/bin/node', '-e', code],
  });
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
  await ground.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web' },
    spec: {
      terminationGracePeriodSeconds: 0,
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [{ name: 'init', ...node("console.log('from init')") }],
      containers: [{ name: 'main', volumeMounts, ...node(twoLives) }],
    },
  });
  const container = {
    name: 'debug',
    ...node("console.log('from debug'); setInterval(() => undefined, 1000)"),
  };
  await ground.gateway.raw('PATCH', `/api/v1/namespaces/${ground.namespace}/pods/web/ephemeralcontainers`, {
    body: {
      contentType: 'application/strategic-merge-patch+json',
      text: JSON.stringify({ spec: { ephemeralContainers: [container] } }),
    },
  });
  const found = await waitFor(
    async () => {
      const items = (await read(ground.gateway, ground.namespace)).map(lineOf).map(withoutTime).sort();
      return items.length === 4 && items.every((line) => line.endsWith('\\n"')) ? items : undefined;
    },
    { what: 'four logs', timeoutMilliseconds: 90_000, everyMilliseconds: 500 },
  );
  expect(found).toEqual([
    'web/debug.log "from debug\\n"',
    'web/init.log "from init\\n"',
    'web/main.log "second life\\n"',
    'web/main.previous.log "first life\\n"',
  ]);
  await ground.close();
});
