import type { KubernetesObject } from '../contracts/kubernetes.ts';
import {
  controllerUid,
  desiredReplicas,
  revisionAnnotation,
  type Condition,
  type Container,
  type Deployment,
} from './deployment.ts';

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
export interface Event extends KubernetesObject {
  type?: string;
  reason?: string;
  involvedObject?: { uid?: string; kind?: string; name?: string };
}

/** Everything that the watch knows at one moment. */
export interface RolloutView {
  deployment: Deployment | undefined;
  replicaSets: KubernetesObject[];
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
}

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
  if (deployment === undefined || deployment.metadata.uid !== goal.uid) {
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
  if ((status.observedGeneration ?? 0) < Math.max(goal.generation, deployment.metadata.generation ?? 0)) {
    return { state: 'progressing', sentence: 'waiting for the controller to see the change' };
  }
  const wanted = desiredReplicas(deployment);
  const updated = status.updatedReplicas ?? 0;
  const available = status.availableReplicas ?? 0;
  if (updated >= wanted && (status.replicas ?? 0) <= updated && available >= updated) {
    return { state: 'complete', sentence: `${updated} of ${wanted} replicas updated and available` };
  }
  const stuck = judgeConditions(status.conditions ?? []);
  if (stuck !== undefined) return stuck;
  const pods = newPods(view, deployment);
  const verdicts = pods.map((pod) => judgePod(pod, view.events, goal, now));
  const bad = verdicts.find((verdict) => verdict.state === 'hopeless');
  if (bad !== undefined) return bad;
  const times = verdicts.flatMap((verdict) =>
    verdict.state === 'progressing' && verdict.lookAgainAt !== undefined ? [verdict.lookAgainAt] : [],
  );
  const sentence = `${updated} of ${wanted} replicas updated, ${available} available`;
  return times.length === 0
    ? { state: 'progressing', sentence }
    : { state: 'progressing', sentence, lookAgainAt: Math.min(...times) };
}

/** Pods of the newest ReplicaSet, without those that are being deleted. */
export function newPods(view: Pick<RolloutView, 'replicaSets' | 'pods'>, deployment: Deployment): Pod[] {
  const newest = newestReplicaSet(view.replicaSets, deployment);
  if (newest === undefined) return [];
  return view.pods.filter(
    (pod) => controllerUid(pod) === newest.metadata.uid && pod.metadata.deletionTimestamp === undefined,
  );
}

/** The ReplicaSet of the Deployment's current revision. */
export function newestReplicaSet(
  replicaSets: KubernetesObject[],
  deployment: Deployment,
): KubernetesObject | undefined {
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

function judgeConditions(conditions: Condition[]): RolloutVerdict | undefined {
  const failure = conditions.find(
    (condition) => condition.type === 'ReplicaFailure' && condition.status === 'True',
  );
  if (failure !== undefined)
    return hopeless(
      failure.reason ?? 'ReplicaFailure',
      'the ReplicaSet cannot create its pods (quota, policy or admission)',
    );
  const progress = conditions.find((condition) => condition.type === 'Progressing');
  if (progress?.reason === 'ProgressDeadlineExceeded')
    return hopeless('ProgressDeadlineExceeded', 'the progress deadline of the Deployment passed');
  return undefined;
}

function judgePod(pod: Pod, events: Event[], goal: RolloutGoal, now: number): RolloutVerdict {
  const unschedulable = judgeScheduling(pod, goal, now);
  if (unschedulable !== undefined) return unschedulable;
  if (pod.status?.phase === 'Failed') {
    return hopeless(pod.status.reason ?? 'Failed', `pod ${pod.metadata.name} failed`);
  }
  const specs = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const verdicts = statuses.map((status) => {
    const spec = specs.find((container) => container.name === status.name);
    return judgeContainer(pod, status, spec, events, goal, now);
  });
  const bad = verdicts.find((verdict) => verdict.state === 'hopeless');
  if (bad !== undefined) return bad;
  return (
    verdicts.find((verdict) => verdict.state === 'progressing' && verdict.lookAgainAt !== undefined) ?? {
      state: 'progressing',
      sentence: '',
    }
  );
}

function judgeScheduling(pod: Pod, goal: RolloutGoal, now: number): RolloutVerdict | undefined {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === 'PodScheduled');
  if (scheduled?.status !== 'False' || scheduled.reason !== 'Unschedulable') return undefined;
  const since = Date.parse(scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp ?? '');
  const deadline = since + goal.unschedulableAfterSeconds * 1000;
  if (Number.isNaN(deadline) || now < deadline) {
    return {
      state: 'progressing',
      sentence: `pod ${pod.metadata.name} waits for a node`,
      lookAgainAt: Number.isNaN(deadline) ? now + 1000 : deadline,
    };
  }
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
  if (status.ready === true || Number.isNaN(startedAt) || spec?.readinessProbe === undefined)
    return { state: 'progressing', sentence: '' };
  const allowed =
    probeSeconds(spec.readinessProbe) +
    (spec.startupProbe === undefined ? 0 : probeSeconds(spec.startupProbe)) +
    goal.startupAllowanceSeconds;
  const deadline = startedAt + allowed * 1000;
  if (now < deadline) return { state: 'progressing', sentence: '', lookAgainAt: deadline };
  const unhealthy = events.some(
    (event) => event.involvedObject?.uid === pod.metadata.uid && event.reason === 'Unhealthy',
  );
  return hopeless(
    'NotReady',
    `${where} is not ready ${allowed} s after it started${unhealthy ? '; its probe fails' : ''}`,
  );
}

/** How long a probe lets a container try. Defaults are those of Kubernetes. */
function probeSeconds(probe: NonNullable<Container['readinessProbe']>): number {
  return (probe.initialDelaySeconds ?? 0) + (probe.failureThreshold ?? 3) * (probe.periodSeconds ?? 10);
}

function hopeless(reason: string, sentence: string): RolloutVerdict {
  return { state: 'hopeless', reason, sentence };
}
