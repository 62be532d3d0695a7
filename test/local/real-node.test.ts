import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { obstacleToRealNode } from '../../src/local/choose-node.ts';
import { demoImage, demoLayers, demoRepository } from '../../src/local/demo-image.ts';
import { deployDemo, kubectl } from '../../src/local/demo-target.ts';
import { down } from '../../src/local/down.ts';
import { isRunning, signalProcess } from '../../src/local/identity.ts';
import { stackDirectory } from '../../src/local/paths.ts';
import { freePorts } from '../../src/local/ports.ts';
import { runningSupervisor } from '../../src/local/record.ts';
import { pushImage } from '../../src/local/registry-push.ts';
import { startStack } from '../../src/local/stack.ts';
import type { StackEndpoints } from '../../src/local/stack-types.ts';
import { status } from '../../src/local/status.ts';
import { upDetached } from '../../src/local/up.ts';
import { waitFor } from '../../src/local/wait.ts';
import { tracesOf } from './traces.ts';

const obstacle = obstacleToRealNode();
const describeWhereItRuns = obstacle === undefined ? describe : describe.skip;
const silent = (): void => undefined;
const seconds = 1_000;

// Two stacks at once, as a demo and a test run have them; the first also has a registry.
const names = [`real-a-${process.pid}`, `real-b-${process.pid}`] as const;
let first: StackEndpoints;
let second: StackEndpoints;

async function inAlecs(...line: string[]): Promise<string> {
  return kubectl(first, ['--namespace', 'alecs', ...line]);
}

const setImage = (image: string): Promise<string> =>
  inAlecs('set', 'image', 'deployment/alecs-server', `alecs=${image}`);
const rollout = (): Promise<string> =>
  inAlecs('rollout', 'status', 'deployment/alecs-server', '--timeout=60s');
const podNames = (): Promise<string> =>
  inAlecs('get', 'pods', '--selector=app=alecs', '--output=jsonpath={.items[*].metadata.name}');

async function health(url: string): Promise<unknown> {
  const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2 * seconds) });
  return response.json();
}

describeWhereItRuns(
  `a stack with a real node${obstacle === undefined ? '' : ` (skipped: ${obstacle})`}`,
  () => {
    beforeAll(async () => {
      [first, second] = await Promise.all([
        upDetached({ name: names[0], node: 'real', registry: true }),
        upDetached({ name: names[1], node: 'real' }),
      ]);
      await deployDemo(first, { namespace: 'alecs', onPhase: silent });
    }, 120 * seconds);

    afterAll(async () => {
      await Promise.all(names.map((name) => down(name)));
      for (const name of names) rmSync(stackDirectory(name), { recursive: true, force: true });
    }, 60 * seconds);

    test('says that it is real and what of the machine it touches', () => {
      expect(first.node).toBe('real');
      expect(first.nodeNote).toMatch(/network link .* cgroup .* removed at the end/);
    });

    test('runs beside another one, each with its own node', async () => {
      const nodes = await Promise.all(
        [first, second].map((stack) => kubectl(stack, ['get', 'nodes', '--output=name'])),
      );
      expect(new Set(nodes).size).toBe(2);
      const shown = status().filter(({ name }) => names.some((ours) => ours === name));
      expect(shown.map(({ state }) => state)).toEqual(['ready', 'ready']);
    });

    test('refuses a second start under the same name', async () => {
      await expect(upDetached({ name: names[0] })).rejects.toThrow('already runs');
    });

    test('has three ready pods that answer at the address of their Service', async () => {
      expect((await podNames()).split(' ')).toHaveLength(3);
      const address = await inAlecs('get', 'service', 'alecs-service', '--output=jsonpath={.spec.clusterIP}');
      expect(await health(`http://${address}`)).toEqual({ status: 'healthy', version: '1.7.4' });
    });

    test('runs a command in a pod, with the credentials mounted', async () => {
      const printed = await inAlecs(
        'exec',
        'deployment/alecs-server',
        '--',
        'sh',
        '-c',
        'head -n 1 /etc/alecs/edgerc',
      );
      expect(printed).toBe('[default]\n');
    });

    test('shows the log of a pod in the shape of pino', async () => {
      const line: unknown = JSON.parse((await inAlecs('logs', 'deployment/alecs-server', '--tail=1')).trim());
      expect(line).toMatchObject({ level: 30, pid: 1, msg: 'listening', version: '1.7.4' });
    });

    test('forwards a local port to a pod', async () => {
      const [port = 0] = await freePorts(1);
      const line = [
        '--kubeconfig',
        first.kubeconfig,
        '--namespace',
        'alecs',
        'port-forward',
        'deployment/alecs-server',
      ];
      const forward: ChildProcess = spawn(first.kubectl, [...line, `${port}:http`], { stdio: 'ignore' });
      try {
        const wait = { what: 'the forwarded port', timeoutMilliseconds: 10 * seconds };
        expect(await waitFor(() => health(`http://127.0.0.1:${port}`), wait)).toMatchObject({
          status: 'healthy',
        });
      } finally {
        forward.kill();
      }
    });

    test(
      'updates the image of the running pods',
      async () => {
        await setImage(`${demoRepository}:1.7.5`);
        expect(await rollout()).toContain('successfully rolled out');
      },
      90 * seconds,
    );

    test(
      'pulls an image by digest from its registry',
      async () => {
        const image = demoImage(await demoLayers(silent), '1.7.4');
        const reference = await pushImage(first.registry ?? '', 'alecs', '1.7.4', image);
        expect(reference).toBe(`${first.registry ?? ''}/alecs@${image.manifest.digest}`);
        await setImage(reference);
        expect(await rollout()).toContain('successfully rolled out');
      },
      90 * seconds,
    );

    test(
      'never finds a pod of the bad release ready, for the reason that the pod itself gives',
      async () => {
        await setImage(`${demoRepository}:1.7.6`);
        const answer = await waitFor(
          async () => {
            const column =
              '--output=jsonpath={range .items[*]}{.spec.containers[0].image} {.status.podIP}{"\\n"}{end}';
            const pods = (await inAlecs('get', 'pods', '--selector=app=alecs', column)).trim().split('\n');
            const bad = pods.find((pod) => pod.includes(':1.7.6 '))?.split(' ')[1];
            return bad === undefined ? undefined : health(`http://${bad}:8080`);
          },
          { what: 'an answer of a new pod', timeoutMilliseconds: 30 * seconds },
        );
        expect(answer).toEqual({
          status: 'unhealthy',
          version: '1.7.6',
          reasons: ['tools: no module for purge-status'],
        });
        const ready = await inAlecs(
          'get',
          'deployment',
          'alecs-server',
          '--output=jsonpath={.status.readyReplicas}',
        );
        expect(ready).toBe('2');
      },
      60 * seconds,
    );

    test(
      'leaves nothing when it is stopped with pods in it',
      async () => {
        const traces = tracesOf(first.directory);
        expect(traces.left()).not.toEqual([]);
        expect(await down(names[0])).toBe('stopped');
        expect(traces.left()).toEqual([]);
        expect(await down(names[0])).toBe('absent');
      },
      30 * seconds,
    );

    test('falls back to the simulated node when the real one does not start, and says why', async () => {
      process.env['RUNBOOK_TOOL_KUBELET'] = '/bin/false';
      try {
        const stack = await startStack({ name: names[0] });
        expect(stack.endpoints.node).toBe('simulated');
        expect(stack.endpoints.nodeNote).toMatch(
          /because the real node did not start: kubelet ended with code 1/,
        );
        await stack.stop();
        await expect(startStack({ name: names[0], node: 'real' })).rejects.toThrow(
          'kubelet ended with code 1',
        );
        expect(status().some(({ name }) => name === names[0])).toBe(false);
      } finally {
        Reflect.deleteProperty(process.env, 'RUNBOOK_TOOL_KUBELET');
      }
    }, 60_000);

    test(
      'leaves no process when its supervisor is killed, and nothing after the next command',
      async () => {
        const traces = tracesOf(second.directory);
        const supervisor = runningSupervisor(second.directory);
        if (supervisor === undefined) throw new Error('the supervisor is gone already');
        signalProcess(supervisor, 'SIGKILL');
        const onlyCgroups = (): boolean =>
          traces.left().every((trace) => trace.startsWith('/sys/fs/cgroup/'));
        await waitFor(() => Promise.resolve(!isRunning(supervisor) && onlyCgroups() ? true : undefined), {
          what: `the kernel to end ${traces.left().join(', ')}`,
          timeoutMilliseconds: 10 * seconds,
        });
        expect(status().find(({ name }) => name === names[1])?.state).toBe('leftovers');
        expect(await down(names[1])).toBe('cleaned');
        expect(traces.left()).toEqual([]);
      },
      30 * seconds,
    );
  },
);
