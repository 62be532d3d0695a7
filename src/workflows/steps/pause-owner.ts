import type { OwnerPause } from '../../contracts/owner-pause.ts';
import type { WorkloadChange } from '../../contracts/plan.ts';
import type { Target } from '../../contracts/target.ts';
import { change as changing, read, undoing } from '../activity-options.ts';
import type { Run } from '../run/run.ts';
import type { UndoResult } from '../run/undo-stack.ts';
import { untilNotMoved } from './restore-workload.ts';

/** The headings of what happens when the guard about GitOps was overridden. They stand on the page about approvals. */
const steps = { pause: 'Pause the owner', resume: 'Resume the owner' } as const;

/**
 * Keeps the controllers that own `workloads` from reverting a change that people want in spite of them. After success
 * the pause stays until Git has the change, and the report says how to end it; after a failure the undo ends it.
 */
export async function pauseOwners(run: Run, target: Target, workloads: WorkloadChange[]): Promise<void> {
  if (!run.overrides('gitOps')) return;
  for (const workload of workloads) await pauseOwner(run, target, workload);
}

async function pauseOwner(run: Run, target: Target, { write: { pin } }: WorkloadChange): Promise<void> {
  let pause: OwnerPause | undefined;
  let told = '';
  const resume = async (planned: OwnerPause): Promise<UndoResult> => {
    const result = await resumeOwner(run, target, pause ?? planned);
    run.followedUp(told);
    return result;
  };
  const pauseOnce = async (): Promise<string> => {
    const plan = await read(`Find out how to pause the owner of ${pin.name}`).planOwnerPause({ target, pin });
    // What cannot be paused does not stop a run in need: the report says that the change may be reverted.
    if (plan.state !== 'pause') return plan.sentence;
    if (pause === undefined) run.onFailure(steps.resume, () => resume(plan.pause));
    pause = plan.pause;
    await changing(`Pause the owner of ${pin.name}`).applyWrite({
      target,
      write: pause.write,
      marker: run.marker(steps.pause),
      holder: run.holder,
    });
    return `${pause.sentence}. When Git has the change: ${pause.resumeCommand}`;
  };
  told = await run.step(
    steps.pause,
    () => untilNotMoved(pauseOnce),
    (text) => text,
  );
  // A pause outlives an undo that did not end it: after a proven wave, or when it failed.
  run.followUp(told, { lasting: pause !== undefined });
}

async function resumeOwner(run: Run, target: Target, pause: OwnerPause): Promise<UndoResult> {
  const { name, kind } = pause.write.pin;
  return await untilNotMoved(async () => {
    const { write, drift } = await undoing(`Read what ${name} holds now`).readForUndo({
      target,
      change: pause,
      owner: run.ref,
    });
    await undoing(`Resume the owner: ${kind} ${name}`).applyWrite({
      target,
      write,
      marker: run.marker(steps.resume),
      holder: run.holder,
    });
    return { note: `${kind} ${name} is reconciled again`, drift };
  });
}
