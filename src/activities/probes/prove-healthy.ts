import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Written } from '../../contracts/plan.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { desiredReplicas, selectorText, type Deployment } from '../../domain/deployment.ts';
import { judgeAnswer, probeOf, type ProbeVerdict } from '../../domain/health.ts';
import { newPods, type Pod } from '../../domain/rollout-health.ts';
import { askPod } from './ask-pod.ts';
import { counted } from '../../domain/text.ts';

/** The object that was written, and the images that it must still have: a proof must not vouch for someone else's release. */
type Release = Written & { images: Record<string, string> };

const name = 'every new pod answers its health endpoint';

/** A verdict that is not a pass is asked for again: one lost packet must not undo a release. */
const triesPerPod = 3;
const pauseBetweenTriesMilliseconds = 1000;

/** Added to the profile's startup allowance: scheduling, pulling and the first probe. */
const settleSeconds = 10;

/**
 * Asks the health endpoint of every pod of the newest ReplicaSet, again and again over the bake time.
 * Reads only, so it may run any number of times; a second attempt bakes from the start.
 */
export async function proveHealthy(
  gateway: KubernetesGateway,
  target: Target,
  release: Release,
  bakeSeconds: number,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Proof> {
  const { intervalSeconds } = target.profile.proof;
  const startedAt = Date.now();
  const restarts = new Map<string, number>();
  let rounds = 0;
  let unknowns = 0;
  for (;;) {
    const verdict = await proveOnce(gateway, target, release, restarts, signal, say);
    rounds += 1;
    const baked = (Date.now() - startedAt) / 1000;
    if (verdict.verdict === 'unknown' && unknowns++ === 0) continue; // a pod may have been scaled away while it was asked
    if (verdict.verdict !== 'pass') return { name, verdict: verdict.verdict, evidence: [verdict.sentence] };
    unknowns = 0;
    if (baked >= bakeSeconds) {
      const times = `${rounds} round${rounds === 1 ? '' : 's'} in ${Math.round(baked)} s`;
      return { name, verdict: 'pass', evidence: [`${verdict.sentence} (${times})`] };
    }
    say(`${verdict.sentence}; watched for ${Math.round(baked)} of ${bakeSeconds} s`);
    await delay(Math.min(intervalSeconds, bakeSeconds - baked) * 1000, undefined, { signal });
  }
}

async function proveOnce(
  gateway: KubernetesGateway,
  target: Target,
  release: Release,
  restarts: Map<string, number>,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<ProbeVerdict> {
  const settled = await waitForPods(gateway, target, release, signal, say);
  if (!Array.isArray(settled)) return settled;
  const restarted = settled.find(
    (pod) => countRestarts(pod) > (restarts.get(pod.metadata.name) ?? countRestarts(pod)),
  );
  if (restarted !== undefined) {
    return { verdict: 'fail', sentence: `pod ${restarted.metadata.name} restarted while it was watched` };
  }
  for (const pod of settled) restarts.set(pod.metadata.name, countRestarts(pod));
  const verdicts = await Promise.all(
    settled.map((pod) => provePod(gateway, target, release.name, pod, signal)),
  );
  const bad =
    verdicts.find((verdict) => verdict.verdict === 'fail') ??
    verdicts.find((verdict) => verdict.verdict === 'unknown');
  return (
    bad ?? { verdict: 'pass', sentence: `${counted(settled.length, 'pod')}: ${verdicts[0]?.sentence ?? ''}` }
  );
}

/**
 * The ready pods, once there are as many as wanted. An autoscaler or an eviction may leave too few of them for
 * a while, so that is a failure only when it lasts longer than a pod may take to start.
 */
async function waitForPods(
  gateway: KubernetesGateway,
  target: Target,
  release: Release,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Pod[] | ProbeVerdict> {
  const giveUpAt = Date.now() + (target.profile.rollout.startupAllowanceSeconds + settleSeconds) * 1000;
  for (;;) {
    const { deployment, pods } = await readPods(gateway, release, signal);
    const foreign = describeForeign(deployment, release);
    if (foreign !== undefined) return { verdict: 'fail', sentence: foreign };
    const wanted = desiredReplicas(deployment);
    if (wanted === 0)
      return { verdict: 'unknown', sentence: 'the workload is scaled to zero, there is no pod to ask' };
    const ready = pods.filter(isReady);
    if (ready.length >= wanted) return ready;
    const sentence = `${ready.length} of ${wanted} new pods are ready`;
    if (Date.now() >= giveUpAt) return { verdict: 'fail', sentence };
    say(sentence);
    await delay(pauseBetweenTriesMilliseconds, undefined, { signal });
  }
}

async function provePod(
  gateway: KubernetesGateway,
  target: Target,
  workload: string,
  pod: Pod,
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  for (let attempt = 1; ; attempt++) {
    const answer = await askPod(gateway, target.profile, workload, pod, signal);
    const verdict = judgeAnswer(answer, probeOf(target.profile, workload));
    if (verdict.verdict === 'pass') return verdict;
    if (attempt >= triesPerPod)
      return { ...verdict, sentence: `pod ${pod.metadata.name}: ${verdict.sentence}` };
    await delay(pauseBetweenTriesMilliseconds, undefined, { signal });
  }
}

async function readPods(
  gateway: KubernetesGateway,
  release: Release,
  signal: AbortSignal,
): Promise<{ deployment: Deployment; pods: Pod[] }> {
  const deployment = (await gateway.get(release, { signal })) as Deployment;
  const query = {
    namespace: release.namespace,
    labelSelector: selectorText(deployment.spec.selector),
    signal,
  };
  const [replicaSets, pods] = await Promise.all([
    gateway.list({ apiVersion: 'apps/v1', kind: 'ReplicaSet', ...query }),
    gateway.list({ apiVersion: 'v1', kind: 'Pod', ...query }),
  ]);
  return {
    pods: newPods({ replicaSets: replicaSets.items, pods: pods.items as Pod[] }, deployment),
    deployment,
  };
}

/** Says how the Deployment is no longer the release that was rolled out; undefined when it still is. */
function describeForeign(deployment: Deployment, release: Release): string | undefined {
  if (deployment.metadata.uid !== release.uid)
    return 'the Deployment was deleted and made anew while it was watched';
  const { containers, initContainers = [] } = deployment.spec.template.spec;
  const changed = Object.entries(release.images).find(
    ([container, image]) =>
      ![...containers, ...initContainers].some((one) => one.name === container && one.image === image),
  );
  return changed === undefined
    ? undefined
    : `someone else changed the image of container ${changed[0]} while it was watched`;
}

function isReady(pod: Pod): boolean {
  return (
    pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ===
    true
  );
}

function countRestarts(pod: Pod): number {
  return (pod.status?.containerStatuses ?? []).reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
}
