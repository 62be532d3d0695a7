import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ApplicationFailure } from '@temporalio/activity';
import { once } from 'node:events';
import { stringify } from 'yaml';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { Target } from '../../../src/contracts/target.ts';
import type { Written } from '../../../src/contracts/plan.ts';
import type { Deployment } from '../../../src/domain/deployment.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { proxiedKubeconfig, startProxyToCluster } from '../../clients/kubernetes/support/cluster.ts';
import { onRealNode } from '../../support/stack.ts';
import { image } from '../../support/world.ts';
import { aRun, Place, type DeploymentWish } from '../support/place.ts';
import { act, anEnvironment, failureOf } from '../support/run-activity.ts';

const whenReal = onRealNode ? describe : describe.skip;

const sleeping = {
  image: image('1.7.4'),
  imagePullPolicy: 'IfNotPresent',
  command: ['sleep', '3600'],
  resources: { requests: { cpu: '50m' } },
};
/** Without a probe, a container counts as ready for the moment that it runs, and a rollout as complete. */
const never = { exec: { command: ['ls', '/nothing'] }, periodSeconds: 1, failureThreshold: 1000 };
const probe = { httpGet: { path: '/health', port: 8080 }, periodSeconds: 1, failureThreshold: 2 };
/** Reads three times what its memory limit allows. */
const greedy = 'const kept = []; for (;;) kept.push(Buffer.alloc(8 << 20, 1))';

/** Rollouts that cannot succeed, by the reason that must be found. */
const hopeless: Record<string, { wish: DeploymentWish['container']; reason: RegExp }> = {
  unreachable: {
    wish: { image: '127.0.0.1:1/x:1' },
    reason: /^(ErrImagePull|ImagePullBackOff): container main /,
  },
  absent: {
    wish: { image: '127.0.0.1:1/x:1', imagePullPolicy: 'Never' },
    reason: /^ErrImageNeverPull: container main /,
  },
  unconfigured: {
    wish: { envFrom: [{ configMapRef: { name: 'missing' } }] },
    reason: /^CreateContainerConfigError: container main /,
  },
  crashing: {
    wish: { command: ['/usr/local/bin/node', '-e', 'process.exit(1)'], readinessProbe: never },
    reason: /^CrashLoopBackOff: container main .*\(last exit code 1\)$/,
  },
  greedy: {
    wish: {
      command: ['/usr/local/bin/node', '-e', greedy],
      readinessProbe: never,
      resources: { requests: { cpu: '50m' }, limits: { memory: '64Mi' } },
    },
    reason: /^OOMKilled: container main .* was killed for its memory limit$/,
  },
  huge: {
    wish: { resources: { requests: { cpu: '1000' } } },
    reason: /^Unschedulable: no node can take pod /,
  },
  unhealthy: {
    wish: { image: image('1.7.6'), command: undefined, readinessProbe: probe },
    reason: /^NotReady: container main .* is not ready 3 s after it started; its probe fails$/,
  },
};

whenReal('the watch of a rollout on the real node', () => {
  let place: Place;
  let limited: Place;
  /** How each hopeless rollout ended; they run side by side. */
  const ends = new Map<string, Promise<ApplicationFailure>>();

  beforeAll(async () => {
    [place, limited] = await Promise.all([Place.open(), Place.open()]);
    for (const [name, { wish }] of Object.entries(hopeless))
      ends.set(name, failureOf(started(name, { container: { ...sleeping, ...wish } })));
    for (const end of ends.values()) end.catch(() => undefined);
  });
  afterAll(async () => {
    await Promise.allSettled(ends.values());
    await Promise.all([place.close(), limited.close()]);
  });

  function goalOf(live: Deployment): { written: Written; images: Record<string, string> } {
    const { uid = '', resourceVersion = '', generation = 0 } = live.metadata;
    const container = live.spec.template.spec.containers[0];
    return {
      written: {
        ...place.ref(live.metadata.name),
        namespace: live.metadata.namespace ?? '',
        uid,
        resourceVersion,
        generation,
      },
      images: { main: container?.image ?? '' },
    };
  }

  async function targetOf(name: string, where = place): Promise<Target> {
    return (
      await act((request: { target: string }) => where.activities.resolveTarget(request), { target: name })
    ).target;
  }

  /** Makes a Deployment of one replica and watches its first rollout. */
  async function started(name: string, wish: DeploymentWish, where = place): Promise<{ sentence: string }> {
    const live = await where.deploy(name, { replicas: 1, ...wish });
    const target = await targetOf(name, where);
    return await act(where.activities.followRollout, { target, ...goalOf(live) });
  }

  /** A rollout that goes on until something is done to it: its pod is never ready, and has long to become so. */
  async function pending(name: string) {
    const live = await place.deploy(name, { replicas: 1, container: { ...sleeping, readinessProbe: never } });
    await waitFor(async () => ((await place.live(name)).status?.updatedReplicas === 1 ? true : undefined), {
      what: `the pod of ${name}`,
      timeoutMilliseconds: 30_000,
    });
    const environment = anEnvironment();
    const input = { target: await targetOf(name), ...goalOf(live) };
    const watched = once(environment, 'heartbeat');
    const end = failureOf(act(place.activities.followRollout, input, environment));
    end.catch(() => undefined);
    await watched;
    return { environment, end, input };
  }

  test('plan, write and watch: the rollout of a good image is complete', async () => {
    await place.deploy('good', { replicas: 1, container: sleeping });
    await place.settled('good');
    // The pod's start moves the Deployment's status; a run plans again then, and so does this test.
    const { plan, written } = await waitFor(
      async () => {
        const fresh = await place.plan('good', image('1.7.5'));
        return { plan: fresh, written: await place.write(fresh, aRun().marker('change')) };
      },
      { what: 'a write at a pin that is still fresh', timeoutMilliseconds: 30_000 },
    );
    const { target, images } = plan;
    const { sentence } = await act(place.activities.followRollout, { target, written, images });
    expect(sentence).toBe('1 of 1 replicas updated and available');
    expect((await place.live('good')).status).toMatchObject({
      updatedReplicas: 1,
      availableReplicas: 1,
      replicas: 1,
    });
    const again = await act(place.activities.followRollout, { target, written, images });
    expect(again.sentence).toBe(sentence);
  });

  test.each(Object.keys(hopeless))(
    'a rollout that cannot succeed fails with its reason: %s',
    async (name) => {
      const failure = await ends.get(name)!;
      expect(failure.type).toBe('RolloutFailed');
      expect(failure.message).toMatch(hopeless[name]!.reason);
    },
  );

  test('a quota that no pod fits into fails the rollout', async () => {
    await limited.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none' },
      spec: { hard: { pods: '0' } },
    });
    await waitFor(
      async () =>
        (await limited.gateway.get(limited.ref('none', 'v1', 'ResourceQuota'))).status as object | undefined,
      { what: 'the quota to be counted', timeoutMilliseconds: 20_000 },
    );
    const failure = await failureOf(started('crowded', { container: sleeping }, limited));
    expect(failure.message).toMatch(/^FailedCreate: the ReplicaSet cannot create its pods/);
  });

  test('a Deployment that someone deletes meanwhile ends the watch', async () => {
    const { end } = await pending('deleted');
    await place.remove('deleted');
    expect((await end).message).toMatch(/^Deleted: /);
  });

  test('an image that someone else sets meanwhile ends the watch', async () => {
    const { end } = await pending('superseded');
    await place.patch('superseded', [
      { op: 'replace', path: '/spec/template/spec/containers/0/image', value: image('1.7.5') },
    ]);
    expect((await end).message).toMatch(/^Superseded: someone else changed the image of container main/);
    await place.remove('superseded');
  });

  test('a Deployment that someone pauses meanwhile ends the watch', async () => {
    const { end } = await pending('paused');
    await place.patch('paused', [{ op: 'add', path: '/spec/paused', value: true }]);
    expect((await end).message).toMatch(/^Paused: /);
    await place.remove('paused');
  });

  test('a cancelled watch ends at once', async () => {
    const name = 'cancelled';
    const { environment, input, end } = await pending(name);
    environment.cancel();
    await expect(end).rejects.toThrow(/cancel/i);
    expect((await place.live(name)).metadata.uid).toBe(input.written.uid);
    await place.remove(name);
  });

  test('the watch survives an API server that closes every connection', async () => {
    const proxy = await startProxyToCluster();
    const file = join(place.targetsFolder, 'proxied.kubeconfig');
    writeFileSync(file, stringify(proxiedKubeconfig(proxy.port)));
    const gateway = createKubernetesGateway({ kubeconfigPath: file });
    try {
      // Ready only once the file exists, which happens after the connections were cut.
      const probe = { exec: { command: ['ls', '/tmp/ready'] }, periodSeconds: 1, failureThreshold: 1000 };
      const mount = { volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }] };
      const live = await place.deploy('cut', {
        replicas: 1,
        podSpec: { volumes: [{ name: 'tmp', emptyDir: {} }] },
        container: { ...sleeping, ...mount, readinessProbe: probe },
      });
      const target = await targetOf('cut');
      const end = act(place.activitiesWith(gateway).followRollout, { target, ...goalOf(live) });
      end.catch(() => undefined);
      const pod = await runningPod('cut');
      await waitFor(() => Promise.resolve(proxy.open() > 0 ? true : undefined), {
        what: 'the watch to open its connection',
        timeoutMilliseconds: 20_000,
      });
      const before = proxy.accepted();
      proxy.cut();
      await waitFor(() => Promise.resolve(proxy.accepted() > before ? true : undefined), {
        what: 'the watch to connect again',
        timeoutMilliseconds: 20_000,
      });
      const command = ['sh', '-c', 'echo > /tmp/ready'];
      await place.gateway.exec(
        { namespace: place.namespace, pod, container: 'main', command },
        { maxOutputBytes: 1000 },
      );
      expect((await end).sentence).toBe('1 of 1 replicas updated and available');
    } finally {
      await gateway.close();
      await proxy.close();
    }
  });

  async function runningPod(app: string): Promise<string> {
    return await waitFor(
      async () => {
        const query = {
          apiVersion: 'v1',
          kind: 'Pod',
          namespace: place.namespace,
          labelSelector: `app=${app}`,
        };
        const { items } = await place.gateway.list(query);
        const running = items.find(
          (pod) => (pod.status as { phase?: string } | undefined)?.phase === 'Running',
        );
        return running?.metadata.name;
      },
      { what: `a running pod of ${app}`, timeoutMilliseconds: 30_000 },
    );
  }
});
