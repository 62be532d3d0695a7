import { createHash } from 'node:crypto';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Json } from '../../contracts/json.ts';
import type { JsonPatchOperation, KubernetesObject, ObjectRef } from '../../contracts/kubernetes.ts';
import { changeAnnotation, fieldManager } from '../../contracts/names.ts';
import type { Change, GuardFinding, ReplicaSetRef, WorkloadChange, Write } from '../../contracts/plan.ts';
import type { Target } from '../../contracts/target.ts';
import { selectorText, type Deployment } from '../../domain/deployment.ts';
import { checkGitOps } from '../../domain/guards/git-ops.ts';
import { checkPaused } from '../../domain/guards/paused.ts';
import { checkQuota, type LimitRange, type ResourceQuota } from '../../domain/guards/quota.ts';
import { differences, type Difference } from '../../domain/plan/paths.ts';
import { canonicalPlan } from '../../domain/plan/plan.ts';
import { imagesOf } from '../../domain/pod-template.ts';
import { newestReplicaSet } from '../../domain/rollout-health.ts';
import { excerpt } from '../../domain/text.ts';
import { failure } from '../failures.ts';

/** What every plan for the pod template of a Deployment does the same way. All of it reads only. */

/** The Deployments that a request names. @throws for all unknown ones at once, then for all of another kind. */
export function chooseWorkloads(target: Target, procedure: string, names: string[]): ObjectRef[] {
  const { profile } = target;
  const kindOf = (name: string): string | undefined =>
    Object.hasOwn(profile.workloads, name) ? profile.workloads[name]?.kind : undefined;
  const unknown = names.filter((name) => kindOf(name) === undefined);
  if (unknown.length > 0) {
    throw failure(
      'NotFound',
      `target ${profile.target} has no workload ${unknown.map((name) => `"${excerpt(name)}"`).join(', ')}; it has ${Object.keys(profile.workloads).join(', ')}`,
    );
  }
  const others = names.filter((name) => kindOf(name) !== 'Deployment');
  if (others.length > 0) {
    throw failure(
      'InvalidRequest',
      `${procedure} changes Deployments; ${others.map((name) => `${name} is a ${kindOf(name)}`).join(', ')}, which this procedure does not support`,
    );
  }
  return names.map((name) => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: profile.namespace,
    name,
  }));
}

/** The Deployment that a request names, or the profile's own. */
export function chooseWorkload(target: Target, procedure: string, name = target.profile.workload): ObjectRef {
  const [ref] = chooseWorkloads(target, procedure, [name]);
  if (ref === undefined) throw failure('Internal', 'one name gave no workload');
  return ref;
}

/** First operation of every patch: a stale resourceVersion then answers 409 and nothing is written. */
export function pinOperation(resourceVersion: string): JsonPatchOperation {
  return { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion };
}

/** Second net beside the pin: a name may belong to another object now. */
export function testUid(live: KubernetesObject): JsonPatchOperation {
  return { op: 'test', path: '/metadata/uid', value: live.metadata.uid ?? '' };
}

/** The Deployment as the API server would store it: defaults and admission included. */
export async function dryRun(
  gateway: KubernetesGateway,
  ref: ObjectRef,
  live: Deployment,
  operations: JsonPatchOperation[],
  signal: AbortSignal,
): Promise<Deployment> {
  const pinned = [pinOperation(live.metadata.resourceVersion ?? ''), ...operations];
  return (await gateway.jsonPatch(ref, pinned, { fieldManager, dryRun: true, signal })) as Deployment;
}

/** What lies around workloads in their namespace. `undefined` means that the worker may not read it. */
export interface Surroundings {
  quotas: ResourceQuota[];
  limitRanges: LimitRange[];
  budgets: KubernetesObject[] | undefined;
  autoscalers: KubernetesObject[] | undefined;
}

export async function readSurroundings(
  gateway: KubernetesGateway,
  namespace: string,
  signal: AbortSignal,
): Promise<Surroundings> {
  const list = async (apiVersion: string, kind: string): Promise<KubernetesObject[]> =>
    (await gateway.list({ apiVersion, kind, namespace, signal })).items;
  // Only what informs a reader may be missing; what a guard needs may not.
  const [quotas, limitRanges, budgets, autoscalers] = await Promise.all([
    list('v1', 'ResourceQuota'),
    list('v1', 'LimitRange'),
    ifAllowed(list('policy/v1', 'PodDisruptionBudget')),
    ifAllowed(list('autoscaling/v2', 'HorizontalPodAutoscaler')),
  ]);
  return { quotas, limitRanges, budgets, autoscalers };
}

/** Every ReplicaSet that the Deployment selects; those of others are among them. */
export async function readReplicaSets(
  gateway: KubernetesGateway,
  live: Deployment,
  signal: AbortSignal,
): Promise<KubernetesObject[]> {
  const { items } = await gateway.list({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace: live.metadata.namespace ?? '',
    labelSelector: selectorText(live.spec.selector),
    signal,
  });
  return items;
}

/** The guards that every change of a pod template has to pass. */
export function guardWorkload(
  target: Target,
  live: Deployment,
  dry: Deployment,
  { quotas, limitRanges }: Surroundings,
): GuardFinding[] {
  return [
    checkGitOps(live, target.profile.gitOps),
    checkPaused(live),
    checkQuota(live, dry.spec.template.spec, quotas, limitRanges),
  ];
}

/** What really differs between a Deployment and its dry run. */
export function specDifferences(live: Deployment, dry: Deployment): Difference[] {
  // Replicas may belong to an HPA and move by themselves, so they are no part of a plan that does not set them.
  return differences(live.spec as unknown as Json, dry.spec as unknown as Json, 'spec').filter(
    ({ path }) => path !== 'spec/replicas',
  );
}

/** Differences of one object as changes of a plan. */
export function asChanges(live: Deployment, found: Difference[]): Change[] {
  const identity = {
    apiVersion: live.apiVersion,
    kind: live.kind,
    namespace: live.metadata.namespace ?? '',
    name: live.metadata.name,
    uid: live.metadata.uid ?? null,
  };
  return found.map((difference) => ({ ...identity, ...difference }));
}

/** What undo needs beside the changes themselves: a pinned write, former images, and who keeps the former template. */
export function toWorkloadChange(
  ref: ObjectRef,
  live: Deployment,
  dry: Deployment,
  replicaSets: KubernetesObject[],
  { operations, changes }: { operations: JsonPatchOperation[]; changes: Change[] },
): WorkloadChange {
  const former = newestReplicaSet(replicaSets, live);
  return {
    changes,
    write: makeWrite(ref, live, operations, changes),
    // As the cluster will store them: admission may pin a tag to a digest.
    images: imagesOf(dry),
    formerImages: imagesOf(live),
    ...(former === undefined ? {} : { formerReplicaSet: refTo(former) }),
  };
}

export function refTo({ metadata }: KubernetesObject): ReplicaSetRef {
  return { name: metadata.name, uid: metadata.uid ?? '' };
}

/** Names exactly these changes under this profile. */
export function hashOf(target: Target, changes: Change[]): string {
  return createHash('sha256').update(canonicalPlan(target.digest, changes)).digest('hex');
}

function makeWrite(
  ref: ObjectRef,
  live: Deployment,
  operations: JsonPatchOperation[],
  changes: Change[],
): Write {
  const { uid = '', resourceVersion = '', annotations } = live.metadata;
  const formerMarker = annotations?.[changeAnnotation];
  return {
    pin: { ...ref, uid, resourceVersion },
    operations,
    hasAnnotations: annotations !== undefined,
    expected: changes.map(({ path, after }) => (after === undefined ? { path } : { path, value: after })),
    ...(formerMarker === undefined ? {} : { formerMarker }),
  };
}

async function ifAllowed<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 403) return undefined;
    throw error;
  }
}
