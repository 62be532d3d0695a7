import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { followRollout } from '../src/activities/kubernetes/follow-rollout.ts';
import { createKubernetesGateway, type KubernetesGateway } from '../src/clients/kubernetes/gateway.ts';
import { targetProfileSchema, type Target } from '../src/contracts/target.ts';
import type { Deployment } from '../src/domain/deployment.ts';
import { deployDemo } from '../src/local/demo-target.ts';
import { phasePrinter } from '../src/local/phases.ts';
import type { StackEndpoints } from '../src/local/stack-types.ts';

const rounds = 10;
const namespace = 'bench';
const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'alecs-server' };

/** How soon a run sees the end of a rollout, beside kubectl. */
export async function benchRollout(endpoints: StackEndpoints): Promise<void> {
  await deployDemo(endpoints, { namespace, onPhase: phasePrinter(process.stderr) });
  const seen = await measureRollouts(endpoints);
  console.log(
    `\nend of a rollout of three pods, milliseconds after an independent watch saw the API server show it (${rounds} rollouts)`,
  );
  print(
    'followRollout (this project)',
    seen.map((round) => round.ours),
  );
  print(
    'kubectl rollout status',
    seen.map((round) => round.kubectl),
  );
}

interface Round {
  ours: number;
  kubectl: number;
}

async function measureRollouts(endpoints: StackEndpoints): Promise<Round[]> {
  const ours = createKubernetesGateway({ kubeconfigPath: endpoints.kubeconfig });
  const reference = createKubernetesGateway({ kubeconfigPath: endpoints.kubeconfig });
  const results: Round[] = [];
  for (let round = 0; round < rounds; round++) {
    results.push(await measureRollout(endpoints, ours, reference, round % 2 === 0 ? '1.7.5' : '1.7.4'));
  }
  await Promise.all([ours.close(), reference.close()]);
  return results;
}

async function measureRollout(
  endpoints: StackEndpoints,
  ours: KubernetesGateway,
  reference: KubernetesGateway,
  tag: string,
): Promise<Round> {
  const image = `ghcr.io/acedergren/alecs-mcp-server-akamai:${tag}`;
  const live = await ours.jsonPatch(
    ref,
    [{ op: 'replace', path: '/spec/template/spec/containers/0/image', value: image }],
    { fieldManager: 'bench' },
  );
  const generation = live.metadata.generation ?? 0;
  const written = {
    ...ref,
    uid: live.metadata.uid ?? '',
    resourceVersion: live.metadata.resourceVersion ?? '',
    generation,
  };
  const { signal } = new AbortController();
  const [shown, oursAt, kubectlAt] = await Promise.all([
    whenShown(reference, generation),
    followRollout(ours, target(), written, { alecs: image }, signal).then(() => performance.now()),
    kubectlStatus(endpoints),
  ]);
  return { ours: oursAt - shown, kubectl: kubectlAt - shown };
}

/** When a plain watch of the Deployment alone first shows the finished rollout. */
async function whenShown(gateway: KubernetesGateway, generation: number): Promise<number> {
  const stop = new AbortController();
  const query = {
    apiVersion: ref.apiVersion,
    kind: ref.kind,
    namespace,
    fieldSelector: `metadata.name=${ref.name}`,
  };
  for await (const event of gateway.watch(query, { signal: stop.signal })) {
    const deployment = (event.type === 'SYNC' ? event.items[0] : event.object) as Deployment | undefined;
    const status = deployment?.status;
    const wanted = deployment?.spec.replicas ?? 1;
    const complete =
      (status?.observedGeneration ?? 0) >= generation &&
      status?.updatedReplicas === wanted &&
      status.replicas === wanted &&
      status.availableReplicas === wanted;
    if (complete) return performance.now();
  }
  throw new Error('the watch ended');
}

async function kubectlStatus(endpoints: StackEndpoints): Promise<number> {
  const line = [
    '--kubeconfig',
    endpoints.kubeconfig,
    '--namespace',
    namespace,
    'rollout',
    'status',
    'deployment/alecs-server',
  ];
  const child = spawn(endpoints.kubectl, line, { stdio: 'ignore' });
  await once(child, 'exit');
  return performance.now();
}

function target(): Target {
  const profile = targetProfileSchema.parse({
    target: 'bench',
    namespace,
    workload: ref.name,
    workloads: { [ref.name]: { kind: 'Deployment', container: 'alecs' } },
    health: { via: 'port-forward', path: '/health', port: 8080 },
  });
  return { profile, digest: '' };
}

function print(name: string, values: number[]): void {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (share: number): string =>
    (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN).toFixed(1);
  console.log(`  ${name.padEnd(30)} median ${at(0.5)}  worst ${at(1)}`);
}
