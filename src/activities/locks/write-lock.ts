import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { Holder, Leftover, LockPin } from '../../contracts/lock.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { readLease, sameRun, type RunIdentity } from '../../domain/lock.ts';
import { failure } from '../failures.ts';
import { getLease, isAt, refuseOthers, writeLease } from './lease.ts';

/** One taking of a lock by a run. Without `since` any of that run is meant. */
interface Taking {
  me: RunIdentity;
  since?: string | undefined;
}

/**
 * Takes the lock at the version that was judged free. Idempotent: a second attempt finds itself as the holder. A late
 * attempt finds another version and writes nothing. @throws Moved when someone else wrote the Lease meanwhile
 */
export async function takeLock(
  gateway: KubernetesGateway,
  runs: Runs,
  target: Target,
  me: RunRef,
  pin: LockPin,
  signal: AbortSignal,
): Promise<Holder> {
  const holder: Holder = { ...me, since: new Date().toISOString(), ...(await identityOf(runs)) };
  const lease = await getLease(gateway, target, signal);
  const { holder: live } = readLease(lease);
  if (live !== undefined && sameRun(live, me) && !isAt(lease, pin)) return live;
  if (!isAt(lease, pin)) throw moved(target);
  try {
    await writeLease(gateway, target, lease, { holder }, signal);
    return holder;
  } catch (error) {
    if (!isConflict(error)) throw error;
    const { holder: winner } = readLease(await getLease(gateway, target, signal));
    if (winner !== undefined && sameRun(winner, me)) return winner;
    throw moved(target);
  }
}

/**
 * Notes on the Lease what the holder is about to change, so that whoever comes after it can undo that. Idempotent: it
 * writes the same again. `since` says which taking of the lock it belongs to: a late attempt does not write into a
 * later one of the same run. @throws LockLost when the run does not hold the target (that way) any more
 */
export async function recordLeftover(
  gateway: KubernetesGateway,
  target: Target,
  { me, since }: Taking,
  leftover: Leftover,
  signal: AbortSignal,
): Promise<void> {
  await untilNoConflict(async () => {
    const lease = await getLease(gateway, target, signal);
    const { holder } = readLease(lease);
    refuseOthers(target, holder, me);
    if (since !== undefined && holder?.since !== since)
      throw failure(
        'LockLost',
        `this run took target ${target.profile.target} anew meanwhile, so nothing was written`,
      );
    await writeLease(gateway, target, lease, { leftover }, signal);
  });
}

/**
 * Gives the lock back; what is half done stays on it for the next run when `keepLeftover`. Idempotent: a lock that
 * another run holds is left alone, and so is one that the same run took again (`since`), for a late attempt. One that
 * nobody holds is written (or made) once more, which stops a late `takeLock`.
 */
export async function releaseLock(
  gateway: KubernetesGateway,
  target: Target,
  { me, since }: Taking,
  keepLeftover: boolean,
  signal: AbortSignal,
): Promise<void> {
  await untilNoConflict(async () => {
    const lease = await getLease(gateway, target, signal);
    const { holder } = readLease(lease);
    if (holder !== undefined && !(sameRun(holder, me) && (since === undefined || holder.since === since)))
      return;
    const mine = { holder: null, ...(keepLeftover ? {} : { leftover: null }) };
    await writeLease(gateway, target, lease, holder === undefined ? {} : mine, signal);
  });
}

/** A freeze may be written between reading and writing; that is no reason to give up. */
async function untilNoConflict(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isConflict(error) || attempt >= 5) throw error;
    }
  }
}

/** Without it nobody could ask about the holder later. @throws Unavailable */
async function identityOf(runs: Runs): ReturnType<Runs['identity']> {
  try {
    return await runs.identity();
  } catch {
    throw failure('Unavailable', 'Temporal does not say which cluster it is');
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 409;
}

function moved(target: Target): Error {
  return failure(
    'Moved',
    `the lock of target ${target.profile.target} was written by someone else meanwhile`,
  );
}
