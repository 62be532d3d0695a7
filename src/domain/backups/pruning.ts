import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import {
  mostOrphans,
  mostRemovals,
  mostStrangeShown,
  mostVerdictsShown,
  type LocationPlan,
  type Removal,
  type Strange,
} from '../../contracts/prune-backups.ts';
import { bytesInWords } from './describe.ts';
import { decideRetention, type RetainedBackup } from './retention.ts';

/** What was found below the folder of a target in one location. */
export interface FoundBackups {
  location: string;
  at: string;
  backups: RetainedBackup[];
  orphans: string[];
  uploads: number;
  strange: Strange[];
}

/** Decides about everything that was found, and keeps the plan small enough for a history. */
export function planOf(found: FoundBackups, keep: BackupPolicy['keep']): LocationPlan {
  const { location, at, uploads, strange } = found;
  const verdicts = decideRetention(found.backups, keep);
  const remove = verdicts.flatMap(({ backupId, verdict }) => (verdict === 'remove' ? [backupId] : []));
  return {
    location,
    at,
    kept: verdicts.length - remove.length,
    verdicts: verdicts.slice(0, mostVerdictsShown),
    remove: remove.toReversed().slice(0, mostRemovals),
    later: Math.max(0, remove.length - mostRemovals),
    orphans: found.orphans.toSorted().slice(0, mostOrphans),
    uploads,
    strange: strange.slice(0, mostStrangeShown),
    strangeCount: strange.length,
  };
}

/** Where the backups of a policy lie, by name; a policy without locations has the worker's bucket. */
export function locationNames({ locations }: Pick<BackupPolicy, 'locations'>): string[] {
  return locations.length === 0 ? ['default'] : locations.map(({ name }) => name);
}

/** `near: 30 stay, 2 go, 1 leftover; far: nothing to remove, 30 stay`. */
export function describePlans(plans: readonly LocationPlan[]): string {
  return plans.map(describePlan).join('; ');
}

function describePlan({
  location,
  kept,
  remove,
  later,
  orphans,
  uploads,
  strangeCount,
}: LocationPlan): string {
  const leftovers = orphans.length + uploads;
  const parts = [
    `${kept} stay`,
    ...(remove.length === 0 ? [] : [`${remove.length} go`]),
    ...(later === 0 ? [] : [`${later} more are left for a later run`]),
    ...(leftovers === 0 ? [] : [counted(leftovers, 'leftover')]),
    ...(strangeCount === 0 ? [] : [`${strangeCount} to be looked at`]),
  ];
  return `${location}: ${parts.join(', ')}`;
}

/** Line by line what stays and what goes, for the report. */
export function linesOfPlans(plans: readonly LocationPlan[]): string[] {
  return plans.flatMap((plan) => {
    const all = plan.kept + plan.remove.length + plan.later;
    const more = all - plan.verdicts.length;
    return [
      `${plan.location}, ${plan.at}`,
      ...plan.verdicts.map(({ backupId, verdict, why }) => `${verdict} ${backupId}: ${why}`),
      ...(more === 0 ? [] : [`and ${more} older ones`]),
      ...plan.orphans.map((name) => `remove ${name}: it was never finished, and its run has ended`),
      ...(plan.uploads === 0 ? [] : [`abort ${counted(plan.uploads, 'interrupted upload')}`]),
      ...plan.strange.map(({ what, why }) => `look at ${what}: ${why}`),
      ...(plan.strangeCount === plan.strange.length
        ? []
        : [`look at ${plan.strangeCount - plan.strange.length} more`]),
    ];
  });
}

/** Whether there is anything to remove at all. */
export function isNothing(plans: readonly LocationPlan[]): boolean {
  return plans.every(({ remove, orphans, uploads }) => remove.length + orphans.length + uploads === 0);
}

/** `2 backups with 14 objects (3.1 MiB)`. */
export function describeRemovals(removals: readonly Removal[]): string {
  const sum = addRemovals(removals);
  if (sum.objects + sum.uploads + sum.locked.length === 0) return 'nothing';
  const what = `${counted(sum.backups, 'backup')} with ${counted(sum.objects, 'object')} (${bytesInWords([sum])})`;
  return [
    what,
    ...(sum.uploads === 0 ? [] : [counted(sum.uploads, 'interrupted upload')]),
    ...(sum.locked.length === 0 ? [] : [`${sum.locked.length} held back by a lock`]),
  ].join(', ');
}

export function addRemovals(removals: readonly Removal[]): Removal {
  return removals.reduce(
    (sum, one) => ({
      backups: sum.backups + one.backups,
      objects: sum.objects + one.objects,
      bytes: sum.bytes + one.bytes,
      uploads: sum.uploads + one.uploads,
      locked: [...sum.locked, ...one.locked],
    }),
    { backups: 0, objects: 0, bytes: 0, uploads: 0, locked: [] },
  );
}

function counted(number: number, word: string): string {
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
