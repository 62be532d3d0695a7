import { createHash } from 'node:crypto';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { Json } from '../../contracts/json.ts';
import type { JsonPatchOperation, KubernetesObject, ObjectRef } from '../../contracts/kubernetes.ts';
import { changeAnnotation, fieldManager } from '../../contracts/names.ts';
import type { Change, Write, WorkloadPlan } from '../../contracts/plan.ts';
import type { RollingUpdateRequest } from '../../contracts/rolling-update.ts';
import type { Target } from '../../contracts/target.ts';
import { selectorText, type Deployment } from '../../domain/deployment.ts';
import { describeRollout } from '../../domain/rolling-update.ts';
import { checkGitOps } from '../../domain/guards/git-ops.ts';
import { checkPaused } from '../../domain/guards/paused.ts';
import { checkQuota, type LimitRange, type ResourceQuota } from '../../domain/guards/quota.ts';
import { canonicalPlan, summarise } from '../../domain/plan/plan.ts';
import { differences } from '../../domain/plan/paths.ts';
import { newestReplicaSet } from '../../domain/rollout-health.ts';
import { excerpt } from '../../domain/text.ts';
import { failure } from '../failures.ts';

/** Plans new images for one Deployment: a server-side dry run says what would really change. Writes nothing. */
export async function planRollingUpdate(
  gateway: KubernetesGateway,
  target: Target,
  request: RollingUpdateRequest,
  signal: AbortSignal,
): Promise<WorkloadPlan> {
  const ref = chooseWorkload(target, request);
  const live = (await gateway.get(ref, { signal })) as Deployment;
  const images = chooseImages(target, request, live);
  const operations = imageOperations(live, images);
  const pin = { ...ref, uid: live.metadata.uid ?? '', resourceVersion: live.metadata.resourceVersion ?? '' };
  const dry = (await gateway.jsonPatch(ref, [pinOperation(pin.resourceVersion), ...operations], {
    fieldManager,
    dryRun: true,
    signal,
  })) as Deployment;
  const changes = listChanges(live, dry);
  const surroundings = await readSurroundings(gateway, live, signal);
  const findings = [
    checkGitOps(live, target.profile.gitOps),
    checkPaused(live),
    checkQuota(live, dry.spec.template.spec, surroundings.quotas, surroundings.limitRanges),
  ];
  const former = newestReplicaSet(surroundings.replicaSets, live);
  return {
    hash: createHash('sha256').update(canonicalPlan(target.digest, changes)).digest('hex'),
    target,
    changes,
    findings,
    summary: summarise(changes, findings, describeRollout(live, surroundings)),
    write: makeWrite(live, pin, operations, changes),
    // As the cluster will store them: admission may pin a tag to a digest.
    images: Object.fromEntries(Object.keys(images).map((name) => [name, imageOf(dry, name) ?? ''])),
    formerImages: Object.fromEntries(Object.keys(images).map((name) => [name, imageOf(live, name) ?? ''])),
    ...(former === undefined
      ? {}
      : { formerReplicaSet: { name: former.metadata.name, uid: former.metadata.uid ?? '' } }),
  };
}

/** First operation of every patch: a stale resourceVersion then answers 409 and nothing is written. */
export function pinOperation(resourceVersion: string): JsonPatchOperation {
  return { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion };
}

function chooseWorkload(target: Target, request: RollingUpdateRequest): ObjectRef {
  const { profile } = target;
  const name = request.workload ?? profile.workload;
  const workload = Object.hasOwn(profile.workloads, name) ? profile.workloads[name] : undefined;
  if (workload === undefined) {
    throw failure(
      'NotFound',
      `target ${profile.target} has no workload "${excerpt(name)}"; it has ${Object.keys(profile.workloads).join(', ')}`,
    );
  }
  if (workload.kind !== 'Deployment') {
    throw failure(
      'InvalidRequest',
      `rollingUpdate changes Deployments; ${name} is a ${workload.kind}, which this procedure does not support`,
    );
  }
  return { apiVersion: 'apps/v1', kind: workload.kind, namespace: profile.namespace, name };
}

function chooseImages(
  target: Target,
  request: RollingUpdateRequest,
  live: Deployment,
): Record<string, string> {
  const container = target.profile.workloads[live.metadata.name]?.container ?? '';
  const wanted = request.images ?? { [container]: request.image ?? '' };
  const known = allContainers(live).map((one) => one.name);
  const missing = Object.keys(wanted).filter((name) => !known.includes(name));
  if (missing.length > 0) {
    throw failure(
      'NotFound',
      `Deployment ${live.metadata.name} has no container ${missing.map((name) => `"${excerpt(name)}"`).join(', ')}; it has ${known.join(', ')}`,
    );
  }
  return wanted;
}

function imageOperations(live: Deployment, images: Record<string, string>): JsonPatchOperation[] {
  const test: JsonPatchOperation = { op: 'test', path: '/metadata/uid', value: live.metadata.uid ?? '' };
  return [test, ...Object.entries(images).flatMap(([name, image]) => imageOperation(live, name, image))];
}

/** The list key is tested beside each write: indexes shift when someone inserts a container. */
function imageOperation(live: Deployment, name: string, image: string): JsonPatchOperation[] {
  for (const list of ['containers', 'initContainers'] as const) {
    const index = (live.spec.template.spec[list] ?? []).findIndex((container) => container.name === name);
    if (index < 0) continue;
    const path = `/spec/template/spec/${list}/${index}`;
    return [
      { op: 'test', path: `${path}/name`, value: name },
      { op: 'replace', path: `${path}/image`, value: image },
    ];
  }
  return [];
}

function listChanges(live: Deployment, dry: Deployment): Change[] {
  const { apiVersion, kind } = live;
  const identity = {
    apiVersion,
    kind,
    namespace: live.metadata.namespace ?? '',
    name: live.metadata.name,
    uid: live.metadata.uid ?? null,
  };
  // Replicas may belong to an HPA and move by themselves, so they are no part of a plan that does not set them.
  return differences(live.spec as unknown as Json, dry.spec as unknown as Json, 'spec')
    .filter((difference) => difference.path !== 'spec/replicas')
    .map((difference) => ({ ...identity, ...difference }));
}

function makeWrite(
  live: Deployment,
  pin: Write['pin'],
  operations: JsonPatchOperation[],
  changes: Change[],
): Write {
  const formerMarker = live.metadata.annotations?.[changeAnnotation];
  return {
    pin,
    operations,
    hasAnnotations: live.metadata.annotations !== undefined,
    expected: changes.map(({ path, after }) => (after === undefined ? { path } : { path, value: after })),
    ...(formerMarker === undefined ? {} : { formerMarker }),
  };
}

/** What lies around a workload. `undefined` means that the worker may not read it. */
interface Surroundings {
  quotas: ResourceQuota[];
  limitRanges: LimitRange[];
  replicaSets: KubernetesObject[];
  budgets: KubernetesObject[] | undefined;
  autoscalers: KubernetesObject[] | undefined;
}

async function readSurroundings(
  gateway: KubernetesGateway,
  live: Deployment,
  signal: AbortSignal,
): Promise<Surroundings> {
  const namespace = live.metadata.namespace ?? '';
  const list = async (apiVersion: string, kind: string): Promise<KubernetesObject[]> =>
    (await gateway.list({ apiVersion, kind, namespace, signal })).items;
  // Only what informs a reader may be missing; what a guard needs may not.
  const [quotas, limitRanges, replicaSets, budgets, autoscalers] = await Promise.all([
    list('v1', 'ResourceQuota'),
    list('v1', 'LimitRange'),
    gateway.list({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      namespace,
      labelSelector: selectorText(live.spec.selector),
      signal,
    }),
    ifAllowed(list('policy/v1', 'PodDisruptionBudget')),
    ifAllowed(list('autoscaling/v2', 'HorizontalPodAutoscaler')),
  ]);
  return {
    quotas: quotas,
    limitRanges: limitRanges,
    replicaSets: replicaSets.items,
    budgets,
    autoscalers,
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

function allContainers(live: Deployment): { name: string; image?: string }[] {
  const { containers, initContainers = [] } = live.spec.template.spec;
  return [...containers, ...initContainers];
}

function imageOf(live: Deployment, name: string): string | undefined {
  return allContainers(live).find((container) => container.name === name)?.image;
}
