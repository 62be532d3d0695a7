import type { KubernetesObject } from '../contracts/kubernetes.ts';
import {
  controllerUid,
  desiredReplicas,
  revisionAnnotation,
  type Condition,
  type Container,
  type Deployment,
  type ProbeTiming,
} from './deployment.ts';

/** A ReplicaSet as the watch sees it. */
export interface ReplicaSet extends KubernetesObject {
  status?: { conditions?: Condition[] };
}

/** A Pod as the watch sees it. */
export interface Pod extends KubernetesObject {
  spec: { containers: Container[]; initContainers?: Container[]; nodeName?: string };
  status?: {
    phase?: string;
    reason?: string;
    podIP?: string;
    conditions?: Condition[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

interface ContainerStatus {
  name: string;
  ready?: boolean;
  restartCount?: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

interface ContainerState {
  waiting?: { reason?: string };
  running?: { startedAt?: string };
  terminated?: { reason?: string; exitCode?: number; finishedAt?: string };
}

/** An Event of the namespace; only warnings about the new pods and ReplicaSet matter. */
interface Event extends KubernetesObject {
  type?: string;
  reason?: string;
  involvedObject?: { uid?: string; kind?: string; name?: string };
}

/** Everything that the watch knows at one moment. */
export interface RolloutView {
  deployment: Deployment | undefined;
  replicaSets: ReplicaSet[];
  pods: Pod[];
  events: Event[];
}

/** What the rollout is expected to reach. */
export interface RolloutGoal {
  uid: string;
  /** The generation that our change made; a later one with another template is someone else's. */
  generation: number;
  /** Image per container that the template must still have. */
  images: Record<string, string>;
  startupAllowanceSeconds: number;
  unschedulableAfterSeconds: number;
  /** When the watch began, in milliseconds since the epoch. */
  watchedSince: number;
}

/** A controller answers within a second or two; one that is silent this long does not run. */
const controllerSilenceSeconds = 120;

export type RolloutVerdict =
  | { state: 'complete'; sentence: string }
  | { state: 'hopeless'; reason: string; sentence: string }
  /** `lookAgainAt`: when time alone would change the verdict, in milliseconds since the epoch. */
  | { state: 'progressing'; sentence: string; lookAgainAt?: number };

const hopelessWaits = new Set([
  'ImagePullBackOff',
  'ErrImagePull',
  'ErrImageNeverPull',
  'InvalidImageName',
  'CreateContainerConfigError',
  'CreateContainerError',
  'RunContainerError',
  'CrashLoopBackOff',
]);

/**
 * Judges a rollout from Deployment, ReplicaSets, pods and events. Complete means what
 * `kubectl rollout status` means; hopeless is said as soon as a new pod shows why it will not come up.
 */
export function judgeRollout(view: RolloutView, goal: RolloutGoal, now: number): RolloutVerdict {
  const { deployment } = view;
  if (
    deployment?.metadata.uid !== goal.uid ||
    // Kubernetes stops rolling out a Deployment that only waits for its pods to go.
    deployment.metadata.deletionTimestamp !== undefined
  ) {
    return hopeless('Deleted', 'the Deployment was deleted while it rolled out');
  }
  const replaced = findReplacedImage(deployment, goal);
  if (replaced !== undefined)
    return hopeless(
      'Superseded',
      `someone else changed the image of container ${replaced} while it rolled out`,
    );
  if (deployment.spec.paused === true)
    return hopeless('Paused', 'someone paused the Deployment while it rolled out');
  const status = deployment.status ?? {};
  const newestGeneration = Math.max(goal.generation, deployment.metadata.generation ?? 0);
  if (status.observedGeneration === undefined || status.observedGeneration < newestGeneration) {
    return judgeSilence(goal, now);
  }
  const wanted = desiredReplicas(deployment);
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  if (updated >= wanted && (status.replicas ?? 0) <= updated && available >= updated) {
    return { state: 'complete', sentence: `${updated} of ${wanted} replicas updated and available` };
  }
  const newest = newestReplicaSet(view.replicaSets, deployment);
  return worst(
    [
      judgeProgress(status.conditions ?? [], newest),
      judgeCreation(newest, goal, now),
      ...newPods(view, deployment).map((pod) => judgePod(pod, view.events, goal, now)),
    ],
    `${updated} of ${wanted} replicas updated, ${available} available`,
  );
}

function judgeSilence(goal: RolloutGoal, now: number): RolloutVerdict {
  const deadline = goal.watchedSince + controllerSilenceSeconds * 1000;
  if (now < deadline) {
    return {
      state: 'progressing',
      sentence: 'waiting for the controller to see the change',
      lookAgainAt: deadline,
    };
  }
  return hopeless(
    'ControllerSilent',
    `the Deployment controller has not seen the change for ${controllerSilenceSeconds} s; is kube-controller-manager running?`,
  );
}

/** The first hopeless verdict, else progress, looked at again when the first of the verdicts may change. */
function worst(verdicts: RolloutVerdict[], sentence: string): RolloutVerdict {
  const bad = verdicts.find((verdict) => verdict.state === 'hopeless');
  if (bad !== undefined) return bad;
  const times = verdicts.flatMap((verdict) =>
    verdict.state === 'progressing' && verdict.lookAgainAt !== undefined ? [verdict.lookAgainAt] : [],
  );
  if (times.length === 0) return { state: 'progressing', sentence };
  return {
    state: 'progressing',
    sentence,
    lookAgainAt: times.reduce((first, time) => Math.min(first, time)),
  };
}

/** Pods of the newest ReplicaSet that are meant to run: deleted, evicted and ended ones are replaced by others. */
export function newPods(view: Pick<RolloutView, 'replicaSets' | 'pods'>, deployment: Deployment): Pod[] {
  const newest = newestReplicaSet(view.replicaSets, deployment);
  if (newest === undefined) return [];
  return view.pods.filter(
    (pod) =>
      controllerUid(pod) === newest.metadata.uid &&
      pod.metadata.deletionTimestamp === undefined &&
      pod.status?.phase !== 'Failed' &&
      pod.status?.phase !== 'Succeeded',
  );
}

/** The ReplicaSet of the Deployment's current revision. */
export function newestReplicaSet(replicaSets: ReplicaSet[], deployment: Deployment): ReplicaSet | undefined {
  const revision = deployment.metadata.annotations?.[revisionAnnotation];
  return replicaSets.find(
    (replicaSet) =>
      revision !== undefined &&
      controllerUid(replicaSet) === deployment.metadata.uid &&
      replicaSet.metadata.annotations?.[revisionAnnotation] === revision,
  );
}

function findReplacedImage(deployment: Deployment, goal: RolloutGoal): string | undefined {
  const containers = [
    ...deployment.spec.template.spec.containers,
    ...(deployment.spec.template.spec.initContainers ?? []),
  ];
  return Object.entries(goal.images).find(
    ([name, image]) => containers.find((container) => container.name === name)?.image !== image,
  )?.[0];
}

function judgeProgress(conditions: Condition[], newest: ReplicaSet | undefined): RolloutVerdict {
  const progress = conditions.find((condition) => condition.type === 'Progressing');
  if (progress?.reason !== 'ProgressDeadlineExceeded') return progressing();
  // The condition of a rollout that failed stays until the next one moves, and names its ReplicaSet.
  const named = /^ReplicaSet "([^"]+)"/.exec(progress.message ?? '')?.[1];
  if (named !== undefined && newest !== undefined && named !== newest.metadata.name) return progressing();
  return hopeless('ProgressDeadlineExceeded', 'the progress deadline of the Deployment passed');
}

/**
 * Whether the new ReplicaSet can create its pods. It is given the time of an unschedulable pod, since a pod that
 * still terminates counts in a quota. What the Deployment says is not asked: it may speak of an old ReplicaSet.
 */
function judgeCreation(newest: ReplicaSet | undefined, goal: RolloutGoal, now: number): RolloutVerdict {
  const failure = newest?.status?.conditions?.find(
    (condition) => condition.type === 'ReplicaFailure' && condition.status === 'True',
  );
  if (failure === undefined) return progressing();
  const deadline = Date.parse(failure.lastTransitionTime ?? '') + goal.unschedulableAfterSeconds * 1000;
  if (now < deadline) return progressing(deadline);
  return hopeless(
    failure.reason ?? 'ReplicaFailure',
    'the ReplicaSet cannot create its pods (quota, policy or admission)',
  );
}

function judgePod(pod: Pod, events: Event[], goal: RolloutGoal, now: number): RolloutVerdict {
  const unschedulable = judgeScheduling(pod, goal, now);
  if (unschedulable !== undefined) return unschedulable;
  const specs = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const verdicts = statuses.map((status) => {
    const spec = specs.find((container) => container.name === status.name);
    return judgeContainer(pod, status, spec, events, goal, now);
  });
  return worst(verdicts, '');
}

function judgeScheduling(pod: Pod, goal: RolloutGoal, now: number): RolloutVerdict | undefined {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined;
  const since = Date.parse(scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '');
  const deadline = since + goal.unschedulableAfterSeconds * 1000;
  if (Number.isNaN(deadline)) return progressing(now + 1000);
  if (now < deadline) return progressing(deadline);
  return hopeless(
    'Unschedulable',
    `no node can take pod ${pod.metadata.name} (waited ${goal.unschedulableAfterSeconds} s)`,
  );
}

function judgeContainer(
  pod: Pod,
  status: ContainerStatus,
  spec: Container | undefined,
  events: Event[],
  goal: RolloutGoal,
  now: number,
): RolloutVerdict {
  // Whatever happened to a container before: it serves now. Pods of a former release may be weeks old.
  if (status.ready === true) return progressing();
  const where = `container ${status.name} of pod ${pod.metadata.name}`;
  const terminated = status.state?.terminated ?? status.lastState?.terminated;
  if (terminated?.reason === 'OOMKilled')
    return hopeless('OOMKilled', `${where} was killed for its memory limit`);
  const waiting = status.state?.waiting?.reason;
  if (waiting !== undefined && hopelessWaits.has(waiting)) {
    const exit = terminated?.exitCode === undefined ? '' : ` (last exit code ${terminated.exitCode})`;
    return hopeless(waiting, `${where} does not start${exit}`);
  }
  const startedAt = Date.parse(status.state?.running?.startedAt ?? '');
  if (Number.isNaN(startedAt) || (spec?.readinessProbe ?? spec?.startupProbe) === undefined)
    return progressing();
  const allowed =
    probeSeconds(spec?.readinessProbe) + probeSeconds(spec?.startupProbe) + goal.startupAllowanceSeconds;
  const deadline = startedAt + allowed * 1000;
  if (now < deadline) return progressing(deadline);
  const unhealthy = events.some(
    (event) => event.involvedObject?.uid === pod.metadata.uid && event.reason === 'Unhealthy',
  );
  return hopeless(
    'NotReady',
    `${where} is not ready ${allowed} s after it started${unhealthy ? '; its probe fails' : ''}`,
  );
}

/** How long a probe lets a container try. Defaults are those of Kubernetes. */
function probeSeconds(probe: ProbeTiming | undefined): number {
  if (probe === undefined) return 0;
  return (probe.initialDelaySeconds ?? 0) + (probe.failureThreshold ?? 3) * (probe.periodSeconds ?? 10);
}

function progressing(lookAgainAt?: number): RolloutVerdict {
  return { state: 'progressing', sentence: '', ...(lookAgainAt === undefined ? {} : { lookAgainAt }) };
}

function hopeless(reason: string, sentence: string): RolloutVerdict {
  return { state: 'hopeless', reason, sentence };
}
