import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { KubernetesObject, ObjectRef } from '../../contracts/kubernetes.ts';
import type { LockPin } from '../../contracts/lock.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { Target } from '../../contracts/target.ts';
import {
  leaseName,
  readLease,
  sameRun,
  updatedLease,
  type LockUpdate,
  type RunIdentity,
} from '../../domain/lock.ts';
import { failure } from '../failures.ts';

/** Names the Lease that is a target's lock. */
export function leaseRef({ profile }: Target): ObjectRef {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    namespace: lockNamespace,
    name: leaseName(profile),
  };
}

/** The Lease, or undefined when there is none yet. */
export async function getLease(
  gateway: KubernetesGateway,
  target: Target,
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  try {
    return await gateway.get(leaseRef(target), { signal });
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.status === 404) return undefined;
    // So it is, too, as long as the namespace with the worker's role in it does not exist.
    if (error.status === 403)
      throw failure(
        'Forbidden',
        `${error.message}: the worker may not use the locks of targets in namespace ${lockNamespace}; make the namespace with: runbook setup, and grant it the role of deploy/kubernetes/worker.yaml`,
      );
    throw error;
  }
}

/**
 * Writes `update` into the Lease as it was at `pin`; never deletes it. @throws KubernetesError 409 when it moved
 * since, which is left to the caller to judge.
 */
export async function writeLease(
  gateway: KubernetesGateway,
  target: Target,
  lease: KubernetesObject | undefined,
  update: LockUpdate,
  signal: AbortSignal,
): Promise<KubernetesObject> {
  const { name } = leaseRef(target);
  const content = updatedLease(lease, name, update, new Date().toISOString());
  signal.throwIfAborted();
  if (lease !== undefined) return await gateway.replace(content, { fieldManager, signal });
  try {
    return await gateway.create(content, { fieldManager, signal });
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 404) throw error;
    await makeNamespace(gateway, signal);
    return await gateway.create(content, { fieldManager, signal });
  }
}

/** Whether a Lease is still the one that a pin names. */
export function isAt(lease: KubernetesObject | undefined, pin: LockPin): boolean {
  if (lease === undefined || pin === null) return lease === undefined && pin === null;
  return lease.metadata.uid === pin.uid && lease.metadata.resourceVersion === pin.resourceVersion;
}

/**
 * Stops a write of a run that no longer holds the target. It is cheap and early, not the fence: the pin of the
 * write itself is. @throws LockLost
 */
export async function checkHolder(
  gateway: KubernetesGateway,
  target: Target,
  me: RunIdentity,
  signal: AbortSignal,
): Promise<void> {
  refuseOthers(target, readLease(await getLease(gateway, target, signal)).holder, me);
}

/** @throws LockLost unless `live` is this run */
export function refuseOthers(target: Target, live: RunIdentity | undefined, me: RunIdentity): void {
  if (sameRun(live, me)) return;
  throw failure(
    'LockLost',
    live === undefined
      ? `nobody holds target ${target.profile.target} any more, so nothing was written; someone freed it by hand`
      : `run ${live.workflowId} holds target ${target.profile.target} now, so nothing was written`,
  );
}

/** Where the worker may, it makes the namespace of the locks; else someone who may does. */
async function makeNamespace(gateway: KubernetesGateway, signal: AbortSignal): Promise<void> {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lockNamespace } };
  try {
    await gateway.create(namespace, { fieldManager, signal });
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status === undefined) throw error;
    if (error.status === 409) return;
    throw failure(
      'NotFound',
      `the target's cluster has no namespace ${lockNamespace} for the locks of targets, and the worker could not make it; make it with: runbook setup`,
    );
  }
}
