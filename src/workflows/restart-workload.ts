import type { RestartPlan } from '../contracts/plan.ts';
import {
  restartWorkloadExample,
  restartWorkloadRequestSchema,
  restartWorkloadSteps as steps,
  type RestartWorkloadRequest,
} from '../contracts/restart-workload.ts';
import type { RunReport } from '../contracts/run.ts';
import { beginRun } from './run/run.ts';
import { checkRequest } from './steps/check-request.ts';
import { pauseOwners } from './steps/pause-owner.ts';
import { namesOf, planWaves, restartWave } from './steps/restart-wave.ts';

/** Restart: new pods for workloads, wave after wave. A repair. Page: docs/runbooks/restart-workload.md */
export async function restartWorkload(input?: RestartWorkloadRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('restartWorkload', { input, carried, repair: true });
  try {
    const asked = { schema: restartWorkloadRequestSchema, input, example: restartWorkloadExample };
    const request = await checkRequest(run, steps.check, asked);
    const plan = await run.plan(steps.plan, () => planWaves(run, request));
    if (request.dryRun === true) return await run.planned();
    await run.gate(steps.approve, plan, 'Restart these workloads?');

    const restarted: string[] = [];
    for (const [index, wave] of plan.waves.entries()) {
      const names = namesOf(wave);
      const approved = {
        steps,
        plan: wavePlan(plan, index),
        planAgain: () => planWaves(run, { ...request, workload: undefined, waves: [names] }),
        prepare: () => (index === 0 ? pauseOwners(run, plan.target, plan.waves.flat()) : Promise.resolve()),
        workloads: (current: RestartPlan) => current.waves.flat(),
      };
      const seen = await run.locked(approved, (current) => restartWave(run, request, current));
      // Putting a proven wave back would restart it once more, for nothing.
      run.keep(`${names.join(', ')} restarted`);
      restarted.push(...seen);
    }
    return await run.succeeded(`Restarted: ${restarted.join('; ')}`);
  } catch (error) {
    return await run.ended(error); // rejected or timed out: the report; a fault: undo, report, failure
  }
}

/** One wave of an approved plan, as a plan of that wave alone would be. */
function wavePlan(plan: RestartPlan, index: number): RestartPlan {
  const wave = plan.waves[index] ?? [];
  const hash = plan.waveHashes[index] ?? plan.hash;
  return {
    ...plan,
    waves: [wave],
    waveHashes: [hash],
    hash,
    changes: wave.flatMap(({ changes }) => changes),
  };
}
