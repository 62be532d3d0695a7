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
import type { ReportTable } from '../../contracts/run.ts';
import { counted } from '../text.ts';
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

/** What stays and what goes, for the report. */
export function tableOfPlans(plans: readonly LocationPlan[], silent: readonly string[]): ReportTable {
  return {
    title: 'Backups',
    head: ['location', 'backup', 'verdict', 'why'],
    rows: plans.flatMap((plan) => [
      ...plan.verdicts.map(({ backupId, verdict, why }) => [plan.location, backupId, verdict, why]),
      ...plan.orphans.map((name) => [
        plan.location,
        name,
        'remove',
        'it was never finished, and its run has ended',
      ]),
      ...plan.strange.map(({ what, why }) => [plan.location, what, 'look at it', why]),
    ]),
    notes: [...plans.flatMap(notesOn), ...silent],
  };
}

function notesOn({ location, at, kept, remove, later, verdicts, uploads, ...plan }: LocationPlan): string[] {
  const older = kept + remove.length + later - verdicts.length;
  const strange = plan.strangeCount - plan.strange.length;
  return [
    `${location}: ${at}`,
    ...(older === 0 ? [] : [`${location}: ${older} older backups are not in the table`]),
    ...(uploads === 0 ? [] : [`${location}: ${counted(uploads, 'interrupted upload')} to be aborted`]),
    ...(strange === 0 ? [] : [`${location}: ${strange} more to be looked at`]),
  ];
}

/** Whether there is anything to remove at all. */
export function isNothing(plans: readonly LocationPlan[]): boolean {
  return plans.every(({ remove, orphans, uploads }) => remove.length + orphans.length + uploads === 0);
}

/** `2 backups with 14 objects (3.1 MiB)`. */
export function describeRemovals(removals: readonly Removal[]): string {
  const sum = addRemovals(removals);
  const { gone = 0 } = sum;
  if (sum.objects + sum.uploads + sum.locked.length + gone === 0) return 'nothing';
  const isEmpty = sum.backups + sum.objects + sum.uploads + sum.locked.length === 0;
  const all = `${counted(sum.backups, 'backup')} with ${counted(sum.objects, 'object')} (${bytesInWords([sum])})`;
  return [
    isEmpty ? 'nothing' : all,
    ...(sum.uploads === 0 ? [] : [counted(sum.uploads, 'interrupted upload')]),
    ...(sum.locked.length === 0 ? [] : [`${sum.locked.length} held back by a lock`]),
    ...(gone === 0 ? [] : [`${counted(gone, 'backup')} ${gone === 1 ? 'was' : 'were'} gone already`]),
  ].join(', ');
}

export function addRemovals(removals: readonly Removal[]): Removal {
  return removals.reduce<Removal>(
    (sum, one) => ({
      backups: sum.backups + one.backups,
      objects: sum.objects + one.objects,
      bytes: sum.bytes + one.bytes,
      uploads: sum.uploads + one.uploads,
      locked: [...sum.locked, ...one.locked],
      ...(sum.gone === undefined && one.gone === undefined
        ? {}
        : { gone: (sum.gone ?? 0) + (one.gone ?? 0) }),
    }),
    { backups: 0, objects: 0, bytes: 0, uploads: 0, locked: [] },
  );
}
