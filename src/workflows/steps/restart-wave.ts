import type { RestartPlan, WorkloadChange, Written } from '../../contracts/plan.ts';
import {
  restartWorkloadSteps as steps,
  type RestartWorkloadRequest,
} from '../../contracts/restart-workload.ts';
import type { Target } from '../../contracts/target.ts';
import { equalJson } from '../../domain/plan/paths.ts';
import { combineProofs } from '../../domain/proofs.ts';
import { read } from '../activity-options.ts';
import { failure, isMoved } from '../run/failures.ts';
import type { Run } from '../run/run.ts';
import { restoreWorkload } from './restore-workload.ts';
import { followWorkload, proveWorkload, writeWorkload } from './roll-out.ts';

/** How often a workload may move between reading and writing before the run gives up. */
const mostMoves = 5;

/** Plans the restart of every wave of `request`; every plan of a run has the run's own time in it. */
export async function planWaves(run: Run, request: RestartWorkloadRequest): Promise<RestartPlan> {
  return await read('Read the workloads and plan their restart').planRestart({
    request,
    restartedAt: run.startedAt,
  });
}

/** Restarts the workloads of one wave together, follows them all, and proves them all. */
export async function restartWave(
  run: Run,
  request: RestartWorkloadRequest,
  current: RestartPlan,
): Promise<string[]> {
  const { target } = current;
  const wave = current.waves.flat();
  for (const change of wave)
    run.onFailure(steps.undo, () =>
      restoreWorkload(run, { target, change, owner: run.ref, step: steps.undo }),
    );
  const written = await run.step(
    steps.change,
    async () => {
      const all: Written[] = [];
      for (const change of wave) all.push(await restartOne(run, request, target, change));
      return all;
    },
    () => namesOf(wave).join(', '),
  );
  const rollouts = wave.flatMap((change, index) => {
    const one = written[index];
    return one === undefined ? [] : [{ rollout: { target, change }, written: one }];
  });
  const seen = await run.step(
    steps.watch,
    () =>
      Promise.all(
        rollouts.map(async (one) => {
          const { sentence } = await followWorkload(one.rollout, one.written);
          return `${one.written.name}: ${sentence}`;
        }),
      ),
    (sentences) => sentences.join('; '),
  );
  await run.prove(steps.verify, current, async () =>
    combineProofs(
      'every new pod answers well',
      await Promise.all(rollouts.map((one) => proveWorkload(one.rollout, one.written))),
    ),
  );
  return seen;
}

/** A workload whose status moved is read again; one that someone changed is not restarted on an old approval. */
async function restartOne(
  run: Run,
  request: RestartWorkloadRequest,
  target: Target,
  planned: WorkloadChange,
): Promise<Written> {
  const { name } = planned.write.pin;
  let change = planned;
  for (let attempt = 1; ; attempt++) {
    try {
      return await writeWorkload(run, steps.change, { target, change }, 'Restart');
    } catch (error) {
      if (!isMoved(error) || attempt >= mostMoves) throw asRefusal(error, name);
      const again = await planWaves(run, { ...request, workload: undefined, waves: [[name]] });
      const fresh = again.waves.flat()[0];
      if (fresh === undefined || !equalJson(asJson(fresh.changes), asJson(planned.changes)))
        throw failure('Refused', `${name} was changed by someone else since the plan was checked`);
      change = fresh;
    }
  }
}

/** A move is no reason to plan the wave again: others of it are written already. */
function asRefusal(error: unknown, name: string): unknown {
  if (!isMoved(error)) return error;
  return failure('Refused', `${name} was written by someone else ${mostMoves} times while it was restarted`);
}

function asJson(changes: WorkloadChange['changes']): Parameters<typeof equalJson>[0] {
  return changes as unknown as Parameters<typeof equalJson>[0];
}

/** The workloads of a wave. */
export function namesOf(wave: WorkloadChange[]): string[] {
  return wave.map(({ write }) => write.pin.name);
}
