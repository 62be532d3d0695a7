import type { Runs } from '../../clients/temporal/runs.ts';
import type { DrillConclusion, DrillFindings, Scratch } from '../../contracts/drill.ts';
import type { Target } from '../../contracts/target.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { translate } from '../kubernetes/failures.ts';
import type { RecoveryDependencies } from '../recovery/source.ts';
import { concludeDrill } from './conclude.ts';
import { makeScratch, removeDeadDrills, removeScratch } from './scratch.ts';

/** What a drill does beside restoring. */
export function createDrillActivities(dependencies: RecoveryDependencies & { runs: Runs }) {
  const { gatewayFor, runs } = dependencies;
  const placeOf = (target: Target) => ({ gateway: gatewayFor(target), runs, target });
  return {
    /** Idempotency in its file. */
    makeScratch: ({ target, scratch }: { target: Target; scratch: Scratch }): Promise<{ uid: string }> =>
      translate(() => withHeartbeat((signal) => makeScratch(placeOf(target), scratch, signal))),

    /** Idempotency in its file. */
    removeScratch: ({
      target,
      scratch,
    }: {
      target: Target;
      scratch: Scratch;
    }): Promise<{ note: string; drift: string[]; about: 'backup' }> =>
      translate(() => withHeartbeat((signal) => removeScratch(placeOf(target), scratch, signal))),

    /** Idempotency in its file. */
    removeDeadDrills: ({ target }: { target: Target }): Promise<{ removed: string[] }> =>
      translate(() => withHeartbeat((signal) => removeDeadDrills(placeOf(target), Date.now(), signal))),

    /** Idempotency in its file. */
    concludeDrill: (request: {
      target: Target;
      scratch: Scratch;
      findings: DrillFindings;
    }): Promise<DrillConclusion> =>
      translate(() => withHeartbeat((signal) => concludeDrill(dependencies, request, signal))),
  };
}
