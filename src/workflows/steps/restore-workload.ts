import type { WorkloadPlan } from '../../contracts/plan.ts';
import { undoing, watch } from '../activity-options.ts';
import { failure, isMoved } from '../run/failures.ts';
import type { Run, UndoResult } from '../run/run.ts';

const mostMoves = 5;

/**
 * Puts back what `plan` changed in a workload's template and waits until the former pods serve again.
 * Takes fresh pins from a reading activity; an object that moves in between is read again, a few times.
 */
export async function restoreWorkload(run: Run, plan: WorkloadPlan, step: string): Promise<UndoResult> {
  const { target } = plan;
  const { name } = plan.write.pin;
  for (let attempt = 1; ; attempt++) {
    const { write, drift } = await undoing(`Read what ${name} holds now`).readForUndo({ plan, run: run.ref });
    try {
      const written = await undoing(`Put the former state of ${name} back`).applyWrite({
        target,
        write,
        marker: run.marker(step),
      });
      const rollout = await watch(`Follow the rollout of ${name} back`).followRollout({
        target,
        written,
        images: plan.formerImages,
      });
      const template = await undoing(`Compare ${name} with its former template`).compareTemplate({
        target,
        written,
        former: plan.formerReplicaSet ?? null,
      });
      run.record(
        await watch('Ask every pod for its health').proveHealthy({ target, written, bakeSeconds: 0 }),
      );
      const differs = [...new Set([...drift, ...template.differences])];
      if (!template.compared)
        return {
          note: `${rollout.sentence}; changed values are back, the former ReplicaSet is gone so the whole template could not be compared`,
          drift: differs,
        };
      return {
        note: `${rollout.sentence}; ${differs.length === 0 ? 'the template equals the former one' : 'own changes are back'}`,
        drift: differs,
      };
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
