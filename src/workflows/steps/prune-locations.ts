import type { LocationPlan, Removal } from '../../contracts/prune-backups.ts';
import type { Target } from '../../contracts/target.ts';
import { addRemovals, describeRemovals, locationNames } from '../../domain/backups/pruning.ts';
import { prune } from '../activity-options.ts';
import { explain } from '../run/failures.ts';
import type { Run } from '../run/run.ts';

/** One activity removes so many: it ends within minutes, and the history stays short. */
const backupsAtOnce = 50;

/** Looks at every location. One that does not answer is told in a sentence, and does not keep the others from being pruned. */
export async function planLocations(target: Target): Promise<{ plans: LocationPlan[]; silent: string[] }> {
  const names = locationNames(target.profile.backup ?? { locations: [] });
  const answers = await Promise.all(
    names.map(async (location) => {
      try {
        return await prune(`Look at the backups in ${location}`).planPruning({ target, location });
      } catch (error) {
        const { type, message } = explain(error);
        // Anything else is no matter of one location.
        if (type !== 'StorageUnavailable' && type !== 'Unavailable') throw error;
        return `${location} was not pruned: ${message}`;
      }
    }),
  );
  return {
    plans: answers.filter((answer) => typeof answer !== 'string'),
    silent: answers.filter((answer) => typeof answer === 'string'),
  };
}

/** Removes exactly what the plans name. */
export async function removeOldBackups(run: Run, target: Target, plans: LocationPlan[]): Promise<Removal[]> {
  return await inEach(run, plans, async ({ location, remove }, done) => {
    for (let from = 0; from < remove.length; from += backupsAtOnce) {
      const backupIds = remove.slice(from, from + backupsAtOnce);
      const about = `Remove ${backupIds.length} backups from ${location}`;
      done(await prune(about).removeBackups({ target, location, backupIds }));
    }
  });
}

/** Removes what was never finished. */
export async function removeLeftoversOf(run: Run, target: Target, plans: LocationPlan[]): Promise<Removal[]> {
  return await inEach(run, plans, async ({ location, orphans: names, uploads }, done) => {
    if (names.length + uploads === 0) return;
    done(await prune(`Remove leftovers from ${location}`).removeLeftovers({ target, location, names }));
  });
}

/** All locations to their end, also when one fails; what was removed is said whatever becomes of the run. */
async function inEach(
  run: Run,
  plans: LocationPlan[],
  work: (plan: LocationPlan, done: (removal: Removal) => void) => Promise<void>,
): Promise<Removal[]> {
  const removals: Removal[] = [];
  const ends = await Promise.allSettled(plans.map((plan) => work(plan, (removal) => removals.push(removal))));
  const { objects, uploads } = addRemovals(removals);
  if (objects + uploads > 0) run.keep(`removed ${describeRemovals(removals)}`);
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return removals;
}
