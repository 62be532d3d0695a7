import type { WorkloadPlan, Written } from '../../contracts/plan.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { undoing, watch } from '../activity-options.ts';
import { explain, failure, isMoved } from '../run/failures.ts';
import type { Run, UndoResult } from '../run/run.ts';

const mostMoves = 5;

/**
 * Puts back what `plan` changed in a workload's template, compares it with the former one, and records whether the
 * former pods serve again. Takes fresh pins from a reading activity; an object that moves in between is read again,
 * a few times.
 */
export async function restoreWorkload(run: Run, plan: WorkloadPlan, step: string): Promise<UndoResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await restoreOnce(run, plan, step);
    } catch (error) {
      if (!isMoved(error)) throw error;
      if (attempt >= mostMoves)
        throw failure(
          'Unavailable',
          `the workload was written by someone else ${mostMoves} times while this run tried to undo its change`,
        );
    }
  }
}

async function restoreOnce(run: Run, plan: WorkloadPlan, step: string): Promise<UndoResult> {
  const { target } = plan;
  const { name } = plan.write.pin;
  const { write, drift, images } = await undoing(`Read what ${name} holds now`).readForUndo({
    plan,
    run: run.ref,
  });
  const written = await undoing(`Put the former state of ${name} back`).applyWrite({
    target,
    write,
    marker: run.marker(step),
  });
  run.record(await checkFormerRelease(target, written, images));
  const template = await undoing(`Compare ${name} with its former template`).compareTemplate({
    target,
    written,
    former: plan.formerReplicaSet ?? null,
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
