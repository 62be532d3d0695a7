import type { WorkloadChange, Written } from '../../contracts/plan.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { change as changing, watch } from '../activity-options.ts';
import type { Run } from '../run/run.ts';

/** One workload's change under one profile. */
export interface WorkloadRollout {
  target: Target;
  change: WorkloadChange;
}

/** Sends the planned write; `what` says in a few words what it does. @throws Moved, with nothing written */
export async function writeWorkload(
  run: Run,
  step: string,
  { target, change }: WorkloadRollout,
  what: string,
): Promise<Written> {
  return await changing(`${what} ${change.write.pin.name}`).applyWrite({
    target,
    write: change.write,
    marker: run.marker(step),
    holder: run.holder,
  });
}

/** Follows the rollout to its end. @throws RolloutFailed */
export async function followWorkload(
  { target, change }: WorkloadRollout,
  written: Written,
): Promise<{ sentence: string }> {
  return await watch(`Follow the rollout of ${written.name}`).followRollout({
    target,
    written,
    images: change.images,
  });
}

/** Asks every new pod for its health, over the bake time of the profile. */
export async function proveWorkload({ target, change }: WorkloadRollout, written: Written): Promise<Proof> {
  return await watch(`Ask every new pod of ${written.name} for its health`).proveHealthy({
    target,
    written,
    images: change.images,
    bakeSeconds: target.profile.proof.bakeSeconds,
  });
}
