import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { deployDemo, kubectl } from '../../src/local/demo-target.ts';
import { demoRepository } from '../../src/local/demo-image.ts';
import { down } from '../../src/local/down.ts';
import { signalProcess } from '../../src/local/identity.ts';
import { stackDirectory } from '../../src/local/paths.ts';
import { readRecord, runningSupervisor } from '../../src/local/record.ts';
import { startStack } from '../../src/local/stack.ts';
import type { StackEndpoints } from '../../src/local/stack-types.ts';
import { runningStack } from '../../src/local/status.ts';
import { upDetached } from '../../src/local/up.ts';
import { waitFor } from '../../src/local/wait.ts';
import { tracesOf } from './traces.ts';

const name = `simulated-${process.pid}`;
const givenName = `given-${process.pid}`;
const directory = stackDirectory(name);
const silent = (): void => undefined;
const seconds = 1_000;

interface Foreground {
  child: ChildProcess;
  printed: () => string;
  complained: () => string;
}

/** The command as a person types it, holding the terminal. */
function upInTerminal(): Foreground {
  const line = ['src/local/main.ts', 'up', '--json', '--node', 'simulated', '--name', name];
  const child = spawn(process.execPath, line, { stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let complained = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (complained += chunk.toString()));
  return { child, printed: () => printed, complained: () => complained };
}

async function exitCode({ child }: Foreground): Promise<number | null> {
  if (child.exitCode === null) await once(child, 'exit', { signal: AbortSignal.timeout(15 * seconds) });
  return child.exitCode;
}

async function untilPrinted({ printed, complained }: Foreground): Promise<StackEndpoints> {
  const parse = (): Promise<StackEndpoints> => Promise.resolve(JSON.parse(printed()) as StackEndpoints);
  const what = `the endpoints to be printed, and not: ${complained()}`;
  return waitFor(parse, { what, timeoutMilliseconds: 40 * seconds });
}

afterAll(async () => {
  await Promise.all([name, givenName].map((stack) => down(stack)));
  for (const stack of [name, givenName]) rmSync(stackDirectory(stack), { recursive: true, force: true });
});

describe('a stack with a simulated node, in the foreground', () => {
  let terminal: Foreground;
  let endpoints: StackEndpoints;

  beforeAll(async () => {
    terminal = upInTerminal();
    endpoints = await untilPrinted(terminal);
    await deployDemo(endpoints, { namespace: 'copy', onPhase: silent });
  }, 60 * seconds);

  const setImage = (tag: string): Promise<string> =>
    inCopy('set', 'image', 'deployment/alecs-server', `alecs=${demoRepository}:${tag}`);
  const inCopy = (...line: string[]): Promise<string> => kubectl(endpoints, ['--namespace', 'copy', ...line]);

  /** Waits for a pod of the image with that in its status. */
  async function untilPod(tag: string, path: string, expected: string): Promise<void> {
    const output = `--output=jsonpath={range .items[*]}{.spec.containers[0].image} {${path}}{"\\n"}{end}`;
    await waitFor(
      async () => {
        const pods = await inCopy('get', 'pods', output);
        return pods.includes(`:${tag} ${expected}\n`) ? true : undefined;
      },
      { what: `a pod of ${tag} with ${path} ${expected}`, timeoutMilliseconds: 15 * seconds },
    );
  }

  test('says that it is simulated and runs no pods', () => {
    expect(endpoints.node).toBe('simulated');
    expect(endpoints.nodeNote).toBe('simulated, as asked: no process of a pod runs');
  });

  test(
    'finds an update to a good release ready',
    async () => {
      await setImage('1.7.5');
      expect(await inCopy('rollout', 'status', 'deployment/alecs-server', '--timeout=20s')).toContain(
        'successfully',
      );
    },
    30 * seconds,
  );

  test.each([
    ['1.7.6', '.status.containerStatuses[0].ready', 'false'],
    ['crash-loop', '.status.containerStatuses[0].state.waiting.reason', 'CrashLoopBackOff'],
    ['image-error', '.status.containerStatuses[0].state.waiting.reason', 'ImagePullBackOff'],
  ])(
    'plays a release that fails, by its tag %s',
    async (tag, path, expected) => {
      await setImage(tag);
      await untilPod(tag, path, expected);
    },
    30 * seconds,
  );

  test(
    'its cluster can be given to another stack, which then starts none',
    async () => {
      const other = await startStack({ name: givenName, kubeconfig: endpoints.kubeconfig });
      expect(other.endpoints).toMatchObject({ node: 'given', kubernetesServer: endpoints.kubernetesServer });
      expect(other.endpoints.temporalAddress).not.toBe(endpoints.temporalAddress);
      await other.stop();
      expect(await kubectl(endpoints, ['get', 'namespace', 'copy', '--output=name'])).toBe(
        'namespace/copy\n',
      );
    },
    30 * seconds,
  );

  test(
    'ends with code 0 at Ctrl-C and leaves nothing',
    async () => {
      const traces = tracesOf(directory);
      terminal.child.kill('SIGINT');
      expect(await exitCode(terminal)).toBe(0);
      expect(traces.left()).toEqual([]);
    },
    20 * seconds,
  );
});

test(
  'Ctrl-C while the servers still start stops those that already run',
  async () => {
    const terminal = upInTerminal();
    const wait = { what: 'the first servers', timeoutMilliseconds: 20 * seconds, everyMilliseconds: 5 };
    const begun = (): boolean => (readRecord(directory)?.processes.length ?? 0) > 2;
    await waitFor(() => Promise.resolve(begun() ? true : undefined), wait);
    const traces = tracesOf(directory);
    terminal.child.kill('SIGINT');
    expect(await exitCode(terminal)).toBe(1);
    expect(terminal.complained()).toContain('stopped by SIGINT before the stack was ready');
    expect(traces.left()).toEqual([]);
  },
  40 * seconds,
);

test(
  'a start cleans up what a killed supervisor left, and the death of a server ends the stack with its log',
  async () => {
    await upDetached({ name, node: 'simulated' });
    const killed = tracesOf(directory);
    const supervisor = runningSupervisor(directory);
    if (supervisor === undefined) throw new Error('the supervisor is gone already');
    signalProcess(supervisor, 'SIGKILL');

    const terminal = upInTerminal();
    await untilPrinted(terminal);
    // Processes known only by the stack's folder are those of the new stack, which has the same.
    expect(killed.left().filter((trace) => !trace.startsWith('process '))).toEqual([]);
    const temporal = readRecord(directory)?.processes.find((recorded) => recorded.name === 'temporal');
    if (temporal === undefined) throw new Error('no Temporal is recorded');
    const traces = tracesOf(directory);
    signalProcess(temporal, 'SIGKILL');
    expect(await exitCode(terminal)).toBe(1);
    expect(terminal.complained()).toMatch(/temporal ended with SIGKILL; the end of .*temporal\.log/);
    expect(traces.left()).toEqual([]);
    expect(runningStack(name)).toBeUndefined();
  },
  90 * seconds,
);
