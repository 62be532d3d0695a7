import type { Leftover } from '../../contracts/lock.ts';
import type { Target } from '../../contracts/target.ts';
import { describeLeftover, describeUndo } from '../../domain/lock.ts';
import { failure } from '../run/failures.ts';
import { excerpt } from '../../domain/text.ts';
import type { Run } from '../run/run.ts';
import type { UndoResult } from '../run/undo-stack.ts';
import { isOutOfReach, markWorkload, restoreWorkload, type Restoring } from './restore-workload.ts';

/** The headings of what happens when a run died in the middle of a change. They stand on the page about the lock. */
const steps = {
  ask: 'Decide about a half-done change',
  lock: 'Take the lock',
  undo: 'Undo the half-done change',
  keep: 'Keep the half-done change',
} as const;

/**
 * Asks what shall become of a change that a dead run left half done: approve puts the former state back, reject leaves
 * it as it is. Either way every object of that change is written once, so that a late attempt of the dead run is refused.
 */
export async function settleLeftover(run: Run, target: Target, leftover: Leftover): Promise<void> {
  refuseStrangers(target, leftover);
  const decision = await run.ask(steps.ask, {
    question: `Half-done change: ${describeLeftover(leftover)}. Approve to put the former state back first (${describeUndo(leftover)}), reject to leave it as it is. Either way this run then plans and asks again.`,
    onReject: 'the half-done change stays, and the run goes on to its own plan',
    planHash: leftover.planHash,
    target,
  });
  run.settle(leftover);
  const found = await run.takeLock(steps.lock, target);
  if (found === undefined) {
    // Another run has dealt with it while this one waited.
    await run.giveLockBack();
    return;
  }
  const undo = decision.decision === 'approve';
  const step = undo ? steps.undo : steps.keep;
  for (const change of [...leftover.undo].reverse()) {
    const restoring = { target, change, owner: leftover.run, step };
    await run.step(
      step,
      () => (undo ? restoreIfPossible(run, restoring) : markWorkload(run, restoring)),
      ({ note }) => note,
    );
  }
  run.settled();
  if (undo) run.keep(`what run ${leftover.run.workflowId} had left half done was undone`);
  await run.giveLockBack();
}

/** The note lies where people can edit it: it is no way to another namespace. */
function refuseStrangers(target: Target, { undo }: Leftover): void {
  const stranger = undo.find(({ write }) => write.pin.namespace !== target.profile.namespace);
  if (stranger !== undefined)
    throw failure(
      'GuardStopped',
      `the half-done change on the lock names ${stranger.write.pin.kind} ${excerpt(stranger.write.pin.name)}, which is not in the target's namespace; look at the Lease with kubectl`,
    );
}

/**
 * What is gone or belongs to another run is left as it is. What is there and cannot be put back (its former template is
 * gone) fails the run: the question stays open, and whoever is asked next may reject.
 */
async function restoreIfPossible(run: Run, restoring: Restoring): Promise<UndoResult> {
  try {
    return await restoreWorkload(run, restoring);
  } catch (error) {
    if (!isOutOfReach(error)) throw error;
    const { marked, ...result } = await markWorkload(run, restoring);
    if (marked) throw error;
    return result;
  }
}
