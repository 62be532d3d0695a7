import type { ReplicaSetRef, WorkloadPlan } from '../contracts/plan.ts';
import {
  rollbackExample,
  rollbackRequestSchema,
  rollbackSteps as steps,
  type RollbackRequest,
} from '../contracts/rollback.ts';
import type { RunReport } from '../contracts/run.ts';
import { read } from './activity-options.ts';
import { beginRun } from './run/run.ts';
import { checkRequest } from './steps/check-request.ts';
import { pauseOwners } from './steps/pause-owner.ts';
import { restoreWorkload } from './steps/restore-workload.ts';
import { followWorkload, proveWorkload, writeWorkload } from './steps/roll-out.ts';

/** Rollback: the pod template of an earlier revision. A repair. Page: docs/runbooks/rollback.md */
export async function rollback(input?: RollbackRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('rollback', { input, carried, repair: true });
  try {
    const asked = { schema: rollbackRequestSchema, input, example: rollbackExample };
    const request = await checkRequest(run, steps.check, asked);
    const planWith = (approved?: ReplicaSetRef): Promise<WorkloadPlan> =>
      read('Read the revisions and plan the way back').planRollback({
        request,
        ...(approved === undefined ? {} : { approved }),
      });

    const plan = await run.plan(steps.plan, () => planWith());
    if (request.dryRun === true) return await run.planned();
    await run.gate(steps.approve, plan, 'Go back to this revision?');

    const approved = {
      steps,
      plan,
      // "The one before" may mean another one meanwhile; what people approved does not.
      planAgain: () => planWith(plan.write.template?.to),
      prepare: () => pauseOwners(run, plan.target, [plan]),
      workloads: (current: WorkloadPlan) => [current],
    };
    return await run.locked(approved, async (current) => {
      const rollout = { target: current.target, change: current };
      run.onFailure(steps.undo, () => restoreWorkload(run, { ...rollout, owner: run.ref, step: steps.undo }));
      const written = await run.step(steps.change, () =>
        writeWorkload(run, steps.change, rollout, 'Put the earlier template into'),
      );
      const seen = await run.step(
        steps.watch,
        () => followWorkload(rollout, written),
        ({ sentence }) => sentence,
      );
      await run.prove(steps.verify, current, () => proveWorkload(rollout, written));
      return await run.succeeded(`Rolled back: ${seen.sentence}`);
    });
  } catch (error) {
    return await run.ended(error); // rejected or timed out: the report; a fault: undo, report, failure
  }
}
