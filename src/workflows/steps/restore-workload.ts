import type { WorkloadChange, Written } from '../../contracts/plan.ts';
import type { Proof, RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { sameRun } from '../../domain/lock.ts';
import { undoing, watch } from '../activity-options.ts';
import { explain, failure, isMoved, isOverwritten } from '../run/failures.ts';
import type { Run } from '../run/run.ts';
import type { UndoResult } from '../run/undo-stack.ts';

const mostMoves = 5;

/** What to put back. */
export interface Restoring {
  target: Target;
  change: WorkloadChange;
  /** The run that made the change: the one that undoes it, or one that died in the middle. */
  owner: RunRef;
  step: string;
}

/**
 * Puts back what was changed in a workload's template, compares it with the former one, and records whether the
 * former pods serve again. Takes fresh pins from a reading activity; an object that moves in between is read again,
 * a few times.
 */
export async function restoreWorkload(run: Run, restoring: Restoring): Promise<UndoResult> {
  return await untilNotMoved(() => restoreOnce(run, restoring));
}

/**
 * Writes the marker only, so that a late attempt of the run that made the change meets a stale pin. An object that is
 * gone, or that another run has written since, is out of its reach already.
 */
export async function markWorkload(
  run: Run,
  restoring: Restoring,
): Promise<UndoResult & { marked: boolean }> {
  const { target, change, owner } = restoring;
  const { name } = change.write.pin;
  const { template: ignored, ...write } = change.write;
  const onlyMarked = { ...change, changes: [], write: { ...write, operations: [], expected: [] } };
  return await untilNotMoved(async () => {
    let read;
    try {
      read = await undoing(`Read what ${name} holds now`).readForUndo({ target, change: onlyMarked, owner });
    } catch (error) {
      if (isOutOfReach(error)) return { note: explain(error).message, drift: [], marked: false };
      throw error;
    }
    await undoing(`Mark ${name} as it is`).applyWrite({
      target,
      write: read.write,
      marker: markerOf(run, restoring),
      holder: run.holder,
    });
    return { note: `${name} stays as it is`, drift: [], marked: true };
  });
}

/** Whether an undo met an object that is gone or belongs to another run now. */
export function isOutOfReach(error: unknown): boolean {
  const { type } = explain(error);
  return type === 'NotFound' || type === 'Refused';
}

/**
 * What was written for another run stays in that run's name: if this run dies before it has dealt with every object,
 * the next one still recognises them all.
 */
function markerOf(run: Run, { owner, step }: Restoring): string {
  if (sameRun(owner, run.ref)) return run.marker(step);
  return `${owner.workflowId}/${owner.firstRunId}/${step} (${run.ref.workflowId}/${run.ref.firstRunId})`;
}

/** Reads and writes again when someone else wrote in between, a few times. */
export async function untilNotMoved<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!isMoved(error) && !isOverwritten(error)) throw error;
      if (attempt >= mostMoves)
        throw failure('Unavailable', `the object was written by someone else ${mostMoves} times in a row`);
    }
  }
}

async function restoreOnce(run: Run, restoring: Restoring): Promise<UndoResult> {
  const { target, change, owner } = restoring;
  const { name } = change.write.pin;
  const { write, drift, images } = await undoing(`Read what ${name} holds now`).readForUndo({
    target,
    change,
    owner,
  });
  const written = await undoing(`Put the former state of ${name} back`).applyWrite({
    target,
    write,
    marker: markerOf(run, restoring),
    holder: run.holder,
  });
  run.record(await checkFormerRelease(target, written, images));
  const template = await undoing(`Compare ${name} with its former template`).compareTemplate({
    target,
    change,
    written,
  });
  const differs = [...new Set([...drift, ...template.differences])];
  if (!template.compared) {
    return {
      note: 'the changed values are back; the former ReplicaSet is gone, so the whole template could not be compared',
      drift: differs,
    };
  }
  return {
    note: differs.length === 0 ? 'the template equals the former one' : 'own changes are back',
    drift: differs,
  };
}

/** The former state is back whether or not it serves: a release that was unhealthy before is unhealthy again. */
async function checkFormerRelease(
  target: Target,
  written: Written,
  images: Record<string, string>,
): Promise<Proof> {
  try {
    await watch(`Follow the rollout of ${written.name} back`).followRollout({ target, written, images });
  } catch (error) {
    const { type, message } = explain(error);
    return {
      name: 'the former release is rolled out',
      verdict: type === 'RolloutFailed' ? 'fail' : 'unknown',
      evidence: [message],
    };
  }
  return await watch('Ask every pod for its health').proveHealthy({
    target,
    written,
    images,
    bakeSeconds: 0,
  });
}
