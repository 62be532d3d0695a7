import type { LocationPlan, Removal } from '../../contracts/prune-backups.ts';
import type { Target } from '../../contracts/target.ts';
import { describeRemovals, locationNames } from '../../domain/backups/pruning.ts';
import { counted } from '../../domain/text.ts';
import { prune } from '../activity-options.ts';
import { explain } from '../run/failures.ts';
import type { Run } from '../run/run.ts';

/** One activity removes so many: it ends within minutes, and the history stays short. */
const backupsAtOnce = 50;

/** Failures that say nothing of the other locations. */
const ofOneLocation = new Set(['StorageUnavailable', 'StorageRefused', 'Unavailable']);

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
        if (!ofOneLocation.has(type)) throw error;
        return `${location} was not pruned: ${message}`;
      }
    }),
  );
  return {
    plans: answers.filter((answer) => typeof answer !== 'string'),
    silent: answers.filter((answer) => typeof answer === 'string'),
  };
}

/** What is gone, and what was begun, by location: said to the run at every moment. */
export type Said = Map<string, string>;

/** Removes exactly what the plans name. */
export async function removeOldBackups(
  run: Run,
  target: Target,
  plans: LocationPlan[],
  said: Said,
): Promise<Removal[]> {
  return await inEach(run, plans, said, async ({ location, remove }, removing) => {
    for (let from = 0; from < remove.length; from += backupsAtOnce) {
      const backupIds = remove.slice(from, from + backupsAtOnce);
      const what = counted(backupIds.length, 'backup');
      await removing(what, () =>
        prune(`Remove ${what} from ${location}`).removeBackups({ target, location, backupIds }),
      );
    }
  });
}

/** Removes what was never finished. */
export async function pruneLeftoversOf(
  run: Run,
  target: Target,
  plans: LocationPlan[],
  said: Said,
): Promise<Removal[]> {
  return await inEach(run, plans, said, async ({ location, orphans: names, uploads }, removing) => {
    if (names.length + uploads === 0) return;
    await removing('leftovers', () =>
      prune(`Remove leftovers from ${location}`).pruneLeftovers({ target, location, names }),
    );
  });
}

/**
 * All locations to their end, also when one fails. At any moment the run could be ended from outside: it has said before
 * what it begins with, and says afterwards what is gone.
 */
async function inEach(
  run: Run,
  plans: LocationPlan[],
  said: Said,
  work: (
    plan: LocationPlan,
    removing: (what: string, remove: () => Promise<Removal>) => Promise<void>,
  ) => Promise<void>,
): Promise<Removal[]> {
  const removals: Removal[] = [];
  const say = (key: string, sentence: string): void => {
    said.set(key, sentence);
    run.leaves([...said.values()].join('; '), 'backup');
  };
  const ends = await Promise.allSettled(
    plans.map((plan) => {
      const here: Removal[] = [];
      return work(plan, async (what, remove) => {
        const key = `${plan.location} ${what === 'leftovers' ? what : 'backups'}`;
        say(key, `${plan.location}: removed ${describeRemovals(here)}, had begun with ${what}`);
        const removal = await remove();
        here.push(removal);
        removals.push(removal);
        say(key, `${plan.location}: removed ${describeRemovals(here)}`);
      });
    }),
  );
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  return removals;
}
