import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { text } from 'node:stream/consumers';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { ExecOptions, ExecResult } from '../../../src/clients/kubernetes/pod-exec.ts';
import { httpGetThroughPod } from '../../../src/clients/kubernetes/pod-http.ts';
import { onRealNode } from '../../support/stack.ts';
import { ownNamespace, realGateway } from './support/cluster.ts';
import { failureOf } from './support/failure.ts';

const IMAGE = 'ghcr.io/acedergren/alecs-mcp-server-akamai:1.7.4';
const POD = 'web';
const PORT = 8080;

/** Commands and tunnels need a process that really runs. */
const onRealPods = onRealNode ? describe : describe.skip;

let gateway: KubernetesGateway;
let namespace: Awaited<ReturnType<typeof ownNamespace>>;

beforeAll(async () => {
  if (!onRealNode) return;
  gateway = realGateway();
  namespace = await ownNamespace(gateway);
  await gateway.create(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'credentials', namespace: namespace.name },
      data: { edgerc: 'client_token = none' }, // without it the demo service calls itself unhealthy
    },
    { fieldManager: 'test' },
  );
  const spec = {
    terminationGracePeriodSeconds: 0,
    volumes: [{ name: 'credentials', configMap: { name: 'credentials' } }],
    containers: [
      {
        name: 'main',
        image: IMAGE,
        imagePullPolicy: 'IfNotPresent',
        env: [{ name: 'AKAMAI_EDGERC', value: '/etc/alecs/edgerc' }],
        volumeMounts: [{ name: 'credentials', mountPath: '/etc/alecs' }],
        readinessProbe: { httpGet: { path: '/health', port: PORT }, periodSeconds: 1 },
      },
    ],
  };
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: POD, namespace: namespace.name }, spec };
  await createOnceAllowed(pod);
  const signal = AbortSignal.timeout(60_000);
  for await (const event of gateway.watch(
    { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name },
    { signal },
  )) {
    const pods = event.type === 'SYNC' ? event.items : [event.object];
    if (/"type":"Ready"[^}]*"status":"True"|"status":"True"[^}]*"type":"Ready"/.test(JSON.stringify(pods)))
      break;
  }
});

afterAll(async () => {
  if (!onRealNode) return;
  await namespace.remove();
  await gateway.close();
});

/** A new namespace gets its service account a moment after it was made; until then pods are refused. */
async function createOnceAllowed(pod: Parameters<KubernetesGateway['create']>[0]): Promise<void> {
  const query = { apiVersion: 'v1', kind: 'ServiceAccount', namespace: namespace.name };
  const signal = AbortSignal.timeout(30_000);
  for await (const event of gateway.watch(query, { signal })) {
    if (event.type === 'ADDED' || (event.type === 'SYNC' && event.items.length > 0)) break;
  }
  await gateway.create(pod, { fieldManager: 'test' });
}

function run(command: string[], options: Partial<ExecOptions> = {}): Promise<ExecResult> {
  const target = { namespace: namespace.name, pod: POD, container: 'main', command };
  return gateway.exec(target, { maxOutputBytes: 10_000, ...options });
}

onRealPods('a command in a pod', () => {
  test('tells its exit code, and keeps the two outputs apart', async () => {
    const result = await run(['sh', '-c', 'echo out; echo err >&2; exit 3']);
    expect(result).toEqual({ exitCode: 3, stdout: 'out\n', stderr: 'err\n', truncated: false });
  });

  test('that succeeds has exit code 0', async () => {
    expect((await run(['sh', '-c', 'exit 0'])).exitCode).toBe(0);
  });

  test('that is killed has exit code 137', async () => {
    expect((await run(['sh', '-c', 'kill -9 $$'])).exitCode).toBe(137);
  });

  test('gets its input whole, and then the end of it', async () => {
    const input = 'grüezi '.repeat(100_000);
    const result = await run(['cat'], { stdin: input, maxOutputBytes: 1_000_000 });
    expect(result.stdout === input).toBe(true);
  });

  test('takes its arguments literally: no shell reads them', async () => {
    const argument = '$(id) & stdin=true;\n"x"';
    expect((await run(['sh', '-c', 'printf %s "$1"', 'sh', argument])).stdout).toBe(argument);
  });

  test.each([
    [6, '123456', false],
    [5, '12345', true],
    [7, '123456', false],
  ])('with 6 bytes of output and a limit of %i keeps %s', async (maxOutputBytes, stdout, truncated) => {
    expect(await run(['sh', '-c', 'printf 123456'], { maxOutputBytes })).toEqual({
      exitCode: 0,
      stdout,
      stderr: '',
      truncated,
    });
  });

  test('that writes far more than the limit still tells how it ended', async () => {
    const result = await run(['sh', '-c', 'head -c 20000000 /dev/zero; exit 4'], { maxOutputBytes: 10 });
    expect(result).toMatchObject({ exitCode: 4, truncated: true });
    expect(result.stdout).toHaveLength(10);
  });

  test('that does not exist is CommandNotRun, without the words of the runtime', async () => {
    const error = await failureOf(run(['canary-program']));
    expect(error.reason).toBe('CommandNotRun');
    expect(error.message).not.toContain('canary');
  });

  test('in a pod that does not exist is NotFound', async () => {
    const target = { namespace: namespace.name, pod: 'missing', container: 'main', command: ['true'] };
    expect((await failureOf(gateway.exec(target, { maxOutputBytes: 1 }))).status).toBe(404);
  });

  test('ends for us at once on abort', async () => {
    const stop = new AbortController();
    const running = run(['sh', '-c', 'echo started; sleep 60'], { signal: stop.signal });
    const aborted = performance.now();
    stop.abort(new Error('no longer wanted'));
    await expect(running).rejects.toThrow('no longer wanted');
    expect(performance.now() - aborted).toBeLessThan(200);
  });

  test('that takes too long is a Timeout', async () => {
    expect((await failureOf(run(['sleep', '60'], { timeoutSeconds: 0.5 }))).reason).toBe('Timeout');
  });
});

onRealPods('a tunnel to a pod', () => {
  const target = (): { namespace: string; pod: string; port: number } => ({
    namespace: namespace.name,
    pod: POD,
    port: PORT,
  });

  test('carries an HTTP request, with its status, body and duration', async () => {
    const answer = await httpGetThroughPod(gateway, { ...target(), path: '/health' });
    expect(answer).toMatchObject({ status: 200, truncated: false });
    expect(answer.body).toContain('1.7.4');
    expect(answer.milliseconds).toBeGreaterThan(0);
  });

  test('gives any status as an answer', async () => {
    const answer = await httpGetThroughPod(gateway, { ...target(), path: '/no-such-path' });
    expect(answer.status).toBe(404);
  });

  test('reads no more of a body than it is told', async () => {
    const answer = await httpGetThroughPod(gateway, { ...target(), path: '/health' }, { maxBodyBytes: 5 });
    expect(answer).toMatchObject({ status: 200, truncated: true });
    expect(answer.body).toHaveLength(5);
  });

  test('ends when the program closes its side', async () => {
    const stream = await gateway.portForward(target());
    stream.write('GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n');
    expect(await text(stream)).toMatch(/^HTTP\/1.1 200 OK/);
  });

  test('to a port that nobody listens on is a retryable NetworkError', async () => {
    const error = await failureOf(httpGetThroughPod(gateway, { ...target(), port: 9, path: '/' }));
    expect(error).toMatchObject({ reason: 'NetworkError', retryable: true });
  });

  test('is destroyed on abort with the reason', async () => {
    const stop = new AbortController();
    const stream = await gateway.portForward(target(), { signal: stop.signal });
    stop.abort(new Error('no longer wanted'));
    await expect(text(stream)).rejects.toThrow('no longer wanted');
  });

  test.each(['health', '/a b', '/a\r\nx: y', ''])('refuses the path %j', async (path) => {
    expect((await failureOf(httpGetThroughPod(gateway, { ...target(), path }))).reason).toBe('InvalidInput');
  });
});
