import type { RecoverRequest } from '../../contracts/recover.ts';
import type { BackupRef, GroupOutcome, RecoveryPlan, RestoreOptions } from '../../contracts/recovery.ts';
import { sayCounts } from './plan-page.ts';
import { counted } from '../text.ts';

/** A request with everything filled in. `namespace`: of the target. */
export function optionsOf(request: RecoverRequest, namespace: string): RestoreOptions {
  const { kinds, names, labels } = request.only ?? {};
  const only = {
    ...(kinds === undefined ? {} : { kinds }),
    ...(names === undefined ? {} : { names }),
    ...(labels === undefined ? {} : { labels }),
  };
  return {
    purpose: 'recover',
    into: request.into ?? namespace,
    ...(request.only === undefined ? {} : { only }),
    onConflict: request.onConflict ?? 'skip',
    onConflictOf: request.onConflictOf ?? {},
    allowEmptyClaims: request.allowEmptyClaims === true,
    clusterScoped: request.clusterScoped === true,
  };
}

/** Which backup, in words. */
export function sayBackup({ backupId, location, completedAt, partial }: BackupRef): string {
  return `${backupId} in ${location}, complete at ${completedAt}${partial ? ', PARTIAL' : ''}`;
}

/** The question of the gate. */
export function askToRecover({ backup, options, counts, groups, ties }: RecoveryPlan): string {
  const stays = counts.blocked + counts.conflict;
  return [
    `Restore backup ${backup.backupId} into namespace ${options.into}: ${sayCounts(counts)}?`,
    ...(groups.length === 0 ? [`Owners come back to ${counted(ties, 'object')}.`] : []),
    ...(stays === 0 ? [] : [`Not as in the backup afterwards: ${counted(stays, 'object')}.`]),
    'There is no undo: what is made stays, and what is changed keeps its former state in the journal.',
  ].join(' ');
}

/** Outcomes of groups as one. */
export function addOutcomes(outcomes: readonly GroupOutcome[]): GroupOutcome {
  const sum = (of: (outcome: GroupOutcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return {
    written: sum(({ written }) => written),
    same: sum(({ same }) => same),
    troubles: sum(({ troubles }) => troubles),
    first: outcomes.flatMap(({ first }) => first).slice(0, 10),
  };
}

/** What came out of restoring, in words. */
export function sayOutcome({ written, same, troubles }: GroupOutcome): string {
  return [
    `${written} written`,
    ...(same === 0 ? [] : [`${same} were there`]),
    ...(troubles === 0 ? [] : [`${troubles} NOT restored`]),
  ].join(', ');
}

/** Why a recovery is no success; undefined when every object of the plan was restored. */
export function partly({ troubles, first }: GroupOutcome): string | undefined {
  if (troubles === 0) return undefined;
  const more =
    troubles > first.length ? `; and ${troubles - first.length} more, which the journal names` : '';
  return `${counted(troubles, 'object')} not restored: ${first.join('; ')}${more}`;
}
