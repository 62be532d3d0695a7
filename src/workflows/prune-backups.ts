import {
  pruneBackupsExample,
  pruneBackupsRequestSchema,
  pruneBackupsSteps as steps,
  type PruneBackupsRequest,
} from '../contracts/prune-backups.ts';
import type { RunReport } from '../contracts/run.ts';
import { describePlans, describeRemovals, isNothing, tableOfPlans } from '../domain/backups/pruning.ts';
import { failure } from './run/failures.ts';
import { beginRun } from './run/run.ts';
import { checkReadingRequest } from './steps/check-request.ts';
import { planLocations, pruneLeftoversOf, removeOldBackups, type Said } from './steps/prune-locations.ts';

/** Pruning: backups that no rule keeps any more, and what was never finished. Page: docs/runbooks/prune-backups.md */
export async function pruneBackups(input?: PruneBackupsRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('pruneBackups', { input, carried });
  try {
    const asked = { schema: pruneBackupsRequestSchema, input, example: pruneBackupsExample };
    const { request, target } = await checkReadingRequest(run, steps.check, asked);
    const { plans, silent } = await run.step(
      steps.plan,
      () => planLocations(target),
      (found) => [describePlans(found.plans), ...found.silent].join('; '),
    );
    run.found({ locations: plans }, tableOfPlans(plans, silent));
    for (const { at, strangeCount } of plans)
      if (strangeCount > 0)
        run.followUp(`look at what lies below ${at} and is no good backup (${strangeCount})`, {
          lasting: true,
        });
    if (request.dryRun === true) return await run.planned();

    const said: Said = new Map();
    const old = await run.step(
      steps.remove,
      () => removeOldBackups(run, target, plans, said),
      describeRemovals,
    );
    const rest = await run.step(
      steps.leftovers,
      () => pruneLeftoversOf(run, target, plans, said),
      describeRemovals,
    );
    // What could be reached was pruned; that the rest was not must not look like success.
    if (silent.length > 0) throw failure('StorageUnavailable', silent.join('; '));
    const removed = [...old, ...rest];
    return await run.succeeded(
      isNothing(plans)
        ? `Nothing to remove: ${describePlans(plans)}`
        : `Removed ${describeRemovals(removed)}; ${describePlans(plans)}`,
      { locations: plans, removed },
    );
  } catch (error) {
    return await run.ended(error); // a fault: what was removed stays removed, and the report says what
  }
}
