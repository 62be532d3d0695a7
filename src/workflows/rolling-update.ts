import type { WorkloadPlan } from '../contracts/plan.ts';
import {
  rollingUpdateExample,
  rollingUpdateRequestSchema,
  rollingUpdateSteps as steps,
  type RollingUpdateRequest,
} from '../contracts/rolling-update.ts';
import type { RunReport } from '../contracts/run.ts';
import { change, read, watch } from './activity-options.ts';
import { beginRun } from './run/run.ts';
import { checkRequest } from './steps/check-request.ts';
import { restoreWorkload } from './steps/restore-workload.ts';

/** Rolling update: new images for one workload. Page: docs/runbooks/rolling-update.md */
export async function rollingUpdate(input?: RollingUpdateRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('rollingUpdate', { input, carried });
  try {
    const { request } = await checkRequest(
      run,
      steps.check,
      rollingUpdateRequestSchema,
      input,
      rollingUpdateExample,
    );
    const planAgain = (): Promise<WorkloadPlan> =>
      read('Read the workload and plan its new images').planRollingUpdate({ request });

    const plan = await run.plan(steps.plan, planAgain);
    if (request.dryRun === true) return await run.planned();
    if (plan.changes.length === 0)
      return await run.succeeded('Nothing to change: the workload already has these images');
    await run.gate(steps.approve, plan, 'Roll out these images?');

    const approved = { steps, plan, planAgain, workloads: (current: WorkloadPlan) => [current] };
    return await run.locked(approved, async (current) => {
      const { target } = current;
      run.onFailure(steps.undo, () =>
        restoreWorkload(run, { target, change: current, owner: run.ref, step: steps.undo }),
      );
      const written = await run.step(steps.change, () =>
        change(`Write the new images into ${current.write.pin.name}`).applyWrite({
          target,
          write: current.write,
          marker: run.marker(steps.change),
          holder: run.holder,
        }),
      );
      const rollout = await run.step(
        steps.watch,
        () =>
          watch(`Follow the rollout of ${current.write.pin.name}`).followRollout({
            target,
            written,
            images: current.images,
          }),
        (seen) => seen.sentence,
      );
      await run.prove(steps.verify, current, () =>
        watch('Ask every new pod for its health').proveHealthy({
          target,
          written,
          images: current.images,
          bakeSeconds: target.profile.proof.bakeSeconds,
        }),
      );
      return await run.succeeded(`Rolled out: ${rollout.sentence}`);
    });
  } catch (error) {
    return await run.ended(error); // rejected or timed out: the report; a fault: undo, report, failure
  }
}
