import { setTimeout as delay } from 'node:timers/promises';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { Scratch } from '../../contracts/drill.ts';
import { drillPolicyOf } from '../../contracts/drill-policy.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { drillAnnotations, drillLabel, fieldManager } from '../../contracts/names.ts';
import type { Target } from '../../contracts/target.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { isForgotten, scratchObjects } from '../../domain/drill-scratch.ts';
import { valueOf } from '../../domain/recovery/edit.ts';
import { failure } from '../failures.ts';
import { getOrNothing } from '../recovery/live-objects.ts';

const quotaCountedMilliseconds = 60_000;
/** Pods have 30 seconds to end by default, and the namespace goes when the last one is gone. */
const goneMilliseconds = 300_000;
const pauseMilliseconds = 250;
const mostLeftovers = 20;

/** The cluster of a target, and what Temporal knows. */
export interface ScratchPlace {
  gateway: KubernetesGateway;
  runs: Runs;
  target: Target;
}

/**
 * Makes the namespace of a drill with its limits. Idempotent: what is there already and is this drill's stays.
 * @throws GuardStopped: a namespace of that name is not this drill's; Forbidden, Unavailable
 */
export async function makeScratch(
  { gateway, runs, target }: ScratchPlace,
  scratch: Scratch,
  signal: AbortSignal,
): Promise<{ uid: string }> {
  const identity = await identityOf(runs);
  const [namespace, ...limits] = scratchObjects(scratch, identity, drillPolicyOf(target.profile));
  await createOnce(gateway, namespace, signal);
  const there = await readScratch(gateway, scratch.name, signal);
  refuseOthers(there, scratch.name, scratch.run);
  for (const object of limits) await createOnce(gateway, object, signal);
  await untilCounted(gateway, scratch.name, signal);
  return { uid: there?.metadata.uid ?? '' };
}

/** @throws LockLost unless the namespace is this drill's and takes objects */
export async function checkScratch(
  gateway: KubernetesGateway,
  name: string,
  me: RunIdentity,
  signal: AbortSignal,
): Promise<void> {
  const there = await readScratch(gateway, name, signal);
  refuseOthers(there, name, me);
  if (there?.metadata.deletionTimestamp === undefined) return;
  throw failure('LockLost', `namespace ${name} is being deleted, so nothing more is written into it`);
}

/**
 * Removes the namespace of a drill with everything in it, and waits until it is gone. Idempotent.
 * @throws GuardStopped: it is not this drill's; ScratchRemains: something holds it
 */
export async function removeScratch(
  { gateway }: Pick<ScratchPlace, 'gateway'>,
  { name, run }: Pick<Scratch, 'name' | 'run'>,
  signal: AbortSignal,
): Promise<{ note: string; drift: string[]; about: 'backup' }> {
  const there = await readScratch(gateway, name, signal);
  const done = { drift: [], about: 'backup' as const };
  if (there === undefined) return { note: `namespace ${name} is not there`, ...done };
  refuseOthers(there, name, run);
  await deleteNamespace(gateway, there, signal);
  await untilGone(gateway, there, signal);
  return { note: `namespace ${name} is gone with everything in it`, ...done };
}

/**
 * Removes what drills of this target have left that died more than a day ago: only namespaces with our label whose run
 * Temporal says is closed. Does not wait until they are gone. Idempotent.
 */
export async function removeDeadDrills(
  { gateway, runs, target }: ScratchPlace,
  now: number,
  signal: AbortSignal,
): Promise<{ removed: string[] }> {
  const identity = await identityOf(runs);
  const labelSelector = `${drillLabel}=${target.profile.target}`;
  const { items } = await gateway.list({ apiVersion: 'v1', kind: 'Namespace', labelSelector, signal });
  const removed: string[] = [];
  for (const namespace of items.filter((one) => isForgotten(one, identity, now)).slice(0, mostLeftovers)) {
    const { workflowId = '', firstRunId = '' } = runOf(namespace);
    if (await isOpen(runs, { workflowId, firstRunId })) continue;
    await deleteNamespace(gateway, namespace, signal);
    removed.push(namespace.metadata.name);
  }
  return { removed };
}

/** When Temporal does not answer, it counts as open: the next drill asks again. */
async function isOpen(runs: Runs, { workflowId, firstRunId }: RunIdentity): Promise<boolean> {
  try {
    const found = await runs.describe(workflowId);
    return found?.running === true && found.firstRunId === firstRunId;
  } catch {
    return true;
  }
}

function runOf({ metadata }: KubernetesObject): Partial<RunIdentity> {
  const { annotations = {} } = metadata;
  const workflowId = annotations[drillAnnotations.workflowId];
  const firstRunId = annotations[drillAnnotations.firstRunId];
  return {
    ...(workflowId === undefined ? {} : { workflowId }),
    ...(firstRunId === undefined ? {} : { firstRunId }),
  };
}

function refuseOthers(namespace: KubernetesObject | undefined, name: string, me: RunIdentity): void {
  if (namespace === undefined) throw failure('LockLost', `namespace ${name} of this drill is gone`);
  const { workflowId, firstRunId } = runOf(namespace);
  if (
    namespace.metadata.labels?.[drillLabel] !== undefined &&
    workflowId === me.workflowId &&
    firstRunId === me.firstRunId
  )
    return;
  throw failure('GuardStopped', `namespace ${name} is there already and is not the one of this drill`);
}

async function identityOf(runs: Runs): Promise<string> {
  try {
    const { temporalNamespace, temporalCluster } = await runs.identity();
    return `${temporalNamespace}/${temporalCluster}`;
  } catch {
    throw failure('Unavailable', 'Temporal did not say which one it is; that tells dead drills from others');
  }
}

async function readScratch(
  gateway: KubernetesGateway,
  name: string,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  return await getOrNothing(gateway, { apiVersion: 'v1', kind: 'Namespace', namespace: '', name }, signal);
}

async function createOnce(
  gateway: KubernetesGateway,
  object: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    signal.throwIfAborted();
    await gateway.create(object, { fieldManager, signal });
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 409) throw error;
  }
}

/** Before its controller has counted, a new quota refuses everything that it limits. */
async function untilCounted(
  gateway: KubernetesGateway,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'ResourceQuota', namespace, name: 'runbook-drill' };
  const giveUpAt = Date.now() + quotaCountedMilliseconds;
  while (valueOf(await gateway.get(ref, { signal }), 'status', 'used') === undefined) {
    if (Date.now() > giveUpAt)
      throw failure('Unavailable', `the quota of namespace ${namespace} was not counted within a minute`);
    await delay(pauseMilliseconds, undefined, { signal });
  }
}

async function deleteNamespace(
  gateway: KubernetesGateway,
  { metadata }: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  if (metadata.deletionTimestamp !== undefined) return;
  const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: metadata.name };
  try {
    signal.throwIfAborted();
    await gateway.delete(ref, {
      preconditions: { uid: metadata.uid ?? '' },
      propagationPolicy: 'Background',
      signal,
    });
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 404) throw error;
  }
}

async function untilGone(
  gateway: KubernetesGateway,
  { metadata: { name, uid } }: KubernetesObject,
  signal: AbortSignal,
): Promise<void> {
  const giveUpAt = Date.now() + goneMilliseconds;
  for (;;) {
    const there = await readScratch(gateway, name, signal);
    if (there?.metadata.uid !== uid) return;
    if (Date.now() > giveUpAt)
      throw failure('ScratchRemains', `namespace ${name} was deleted and is not gone after five minutes`);
    await delay(pauseMilliseconds, undefined, { signal });
  }
}
