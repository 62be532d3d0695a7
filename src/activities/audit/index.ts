import { ApplicationFailure } from '@temporalio/common';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { nameOfStorageError, type ObjectStorage } from '../../clients/object-storage.ts';
import type { Checkpoint, SignedCheckpoint } from '../../contracts/audit.ts';
import type { Target } from '../../contracts/target.ts';
import { failure, isOurs } from '../failures.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { translate } from '../kubernetes/failures.ts';
import { append, type AppendRequest } from './append.ts';
import { signCheckpoint, type NotSigned } from './checkpoint.ts';

/** What the audit activities need; without storage there is no audit log. */
export interface AuditDependencies {
  storage: ObjectStorage | undefined;
  gatewayFor: (target: Target) => KubernetesGateway;
}

/** `checkpoint` is missing when the log is empty, or not kept at all. */
export interface Appended {
  state: 'kept' | 'notConfigured';
  checkpoint?: Checkpoint;
}

/** The last events of a run. */
export interface SealRequest extends Omit<AppendRequest, 'target'> {
  target: Target;
}

/** The log after the last events of a run. `signed` is there when `checkpoint` is. */
export interface Sealed extends Appended {
  signed?: SignedCheckpoint | NotSigned;
}

/** The audit log of a target: entries in object storage, checkpoints on its Lease. */
export function createAuditActivities({ storage, gatewayFor }: AuditDependencies) {
  /** Where this worker last saw each log; the next listing begins there. */
  const seen = new Map<string, Checkpoint>();
  const appendTo = async (request: AppendRequest, signal: AbortSignal): Promise<Appended> => {
    if (storage === undefined) return { state: 'notConfigured' };
    const known = seen.get(request.target);
    const checkpoint = await orUnavailable(signal, () => append(storage, request, known, signal));
    if (checkpoint.sequence === 0) return { state: 'kept' };
    seen.set(request.target, checkpoint);
    return { state: 'kept', checkpoint };
  };
  return {
    /**
     * Writes events as entries `audit/<target>/<number>.json`. Idempotent by the id of each event: what an earlier
     * attempt wrote is found and not written again. @throws StorageUnavailable, AuditBroken
     */
    appendAudit: (request: AppendRequest): Promise<Appended> =>
      withHeartbeat((signal) => appendTo(request, signal)),

    /**
     * Appends the last events of a run, signs where the log stands then, and keeps that on the target's Lease. One
     * activity, since a run has few events to spare; it belongs to the workers that may read the key. Idempotent as its
     * two parts are. A checkpoint that could not be signed is no fault of the run: the note says why.
     * @throws StorageUnavailable, AuditBroken
     */
    sealAudit: ({ target, ...request }: SealRequest): Promise<Sealed> =>
      withHeartbeat(async (signal) => {
        const appended = await appendTo({ ...request, target: target.profile.target }, signal);
        const { checkpoint } = appended;
        if (checkpoint === undefined) return appended;
        return { ...appended, signed: await trySign(gatewayFor(target), target, checkpoint, signal) };
      }),
  };
}

/** Errors of the store, without what they may carry of requests. @throws StorageUnavailable */
async function orUnavailable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The SDK has an error of its own for a call that was told to stop.
    signal.throwIfAborted();
    if (isOurs(error)) throw error;
    throw failure(
      'StorageUnavailable',
      `the audit log could not be read or written: ${nameOfStorageError(error)}`,
    );
  }
}

/** @throws AuditBroken when the Lease has another history; everything else is a note */
async function trySign(
  gateway: KubernetesGateway,
  target: Target,
  checkpoint: Checkpoint,
  signal: AbortSignal,
): Promise<SignedCheckpoint | NotSigned> {
  try {
    return await translate(() => signCheckpoint(gateway, target, checkpoint, signal));
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ApplicationFailure) || error.type === 'AuditBroken') throw error;
    return { state: 'notSigned', note: `the checkpoint was not signed: ${error.message}` };
  }
}
