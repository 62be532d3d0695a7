import type { WorkloadPlan } from '../contracts/plan.ts';
import {
  rollingUpdateExample,
  rollingUpdateRequestSchema,
  rollingUpdateSteps as steps,
  type RollingUpdateRequest,
} from '../contracts/rolling-update.ts';
import type { RunReport } from '../contracts/run.ts';
import { read } from './activity-options.ts';
import { beginRun } from './run/run.ts';
import { checkRequest } from './steps/check-request.ts';
import { pauseOwners } from './steps/pause-owner.ts';
import { restoreWorkload } from './steps/restore-workload.ts';
import { followWorkload, proveWorkload, writeWorkload } from './steps/roll-out.ts';

/** Rolling update: new images for one workload. Page: docs/runbooks/rolling-update.md */
export async function rollingUpdate(input?: RollingUpdateRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('rollingUpdate', { input, carried });
  try {
    const asked = { schema: rollingUpdateRequestSchema, input, example: rollingUpdateExample };
    const request = await checkRequest(run, steps.check, asked);
    const planAgain = (): Promise<WorkloadPlan> =>
      read('Read the workload and plan its new images').planRollingUpdate({ request });

    const plan = await run.plan(steps.plan, planAgain);
    if (request.dryRun === true) return await run.planned();
    if (plan.changes.length === 0)
      return await run.succeeded('Nothing to change: the workload already has these images');
    await run.gate(steps.approve, plan, 'Roll out these images?');

    const approved = {
      steps,
      plan,
      planAgain,
      prepare: () => pauseOwners(run, plan.target, [plan]),
      workloads: (current: WorkloadPlan) => [current],
    };
    return await run.locked(approved, async (current) => {
      const rollout = { target: current.target, change: current };
      run.onFailure(steps.undo, () => restoreWorkload(run, { ...rollout, owner: run.ref, step: steps.undo }));
      const written = await run.step(steps.change, () =>
        writeWorkload(run, steps.change, rollout, 'Write the new images into'),
      );
      const seen = await run.step(
        steps.watch,
        () => followWorkload(rollout, written),
        ({ sentence }) => sentence,
      );
      await run.prove(steps.verify, current, () => proveWorkload(rollout, written));
      return await run.succeeded(`Rolled out: ${seen.sentence}`);
    });
  } catch (error) {
    return await run.ended(error); // rejected or timed out: the report; a fault: undo, report, failure
  }
}
