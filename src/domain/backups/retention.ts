import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import type { RetentionVerdict } from '../../contracts/prune-backups.ts';
import { timeOf } from './names.ts';

/** A backup whose manifest was verified. What was not verified is nothing that this file may decide about. */
export interface RetainedBackup {
  backupId: string;
  /** Nothing is missing in it. */
  complete: boolean;
  /** Its newest verification passed. */
  verified: boolean;
}

type Keep = BackupPolicy['keep'];

interface Period {
  keep: keyof Keep;
  word: string;
  /** Names the period that a time falls into; in UTC. */
  of: (time: Date) => string;
}

const periods: readonly Period[] = [
  { keep: 'hourly', word: 'hour', of: (time) => time.toISOString().slice(0, 13) },
  { keep: 'daily', word: 'day', of: (time) => time.toISOString().slice(0, 10) },
  { keep: 'weekly', word: 'week', of: isoWeek },
  { keep: 'monthly', word: 'month', of: (time) => time.toISOString().slice(0, 7) },
];

/**
 * Keeps the newest backup of each of the last hours, days, weeks and months that have one, in UTC. Whatever the numbers
 * say, these stay: the newest backup, the newest complete one, the newest one that was verified, and the newest that is
 * both. Newest first.
 */
export function decideRetention(backups: readonly RetainedBackup[], keep: Keep): RetentionVerdict[] {
  const newestFirst = backups
    .map((backup) => ({ ...backup, at: timeOf(backup.backupId) }))
    .sort((a, b) => (a.backupId < b.backupId ? 1 : -1));
  const reasons = new Map<string, string[]>();
  const stays = (backup: RetainedBackup | undefined, why: string): void => {
    if (backup !== undefined) reasons.set(backup.backupId, [...(reasons.get(backup.backupId) ?? []), why]);
  };
  const complete = newestFirst.find((one) => one.complete);
  const verified = newestFirst.find((one) => one.verified);
  stays(newestFirst[0], 'newest');
  stays(complete, 'newest complete');
  stays(verified, 'newest verified');
  // A partial one that was verified, and a complete one that was not, do not stand for one that is both.
  if (complete?.verified !== true && verified?.complete !== true)
    stays(
      newestFirst.find((one) => one.complete && one.verified),
      'newest complete and verified',
    );
  const stands = periods.map((period) => {
    const newest = new Map<string, RetainedBackup>();
    for (const backup of newestFirst) {
      const name = backup.at === undefined ? undefined : period.of(backup.at);
      if (name !== undefined && !newest.has(name)) newest.set(name, backup);
    }
    for (const backup of [...newest.values()].slice(0, keep[period.keep])) stays(backup, period.keep);
    return { word: period.word, ids: new Set([...newest.values()].map(({ backupId }) => backupId)) };
  });
  return newestFirst.map(({ backupId, at }) => {
    const why = reasons.get(backupId);
    if (why !== undefined) return { backupId, verdict: 'keep', why: why.join(', ') };
    if (at === undefined) return { backupId, verdict: 'keep', why: 'its id tells no time' };
    return { backupId, verdict: 'remove', why: whyNot(backupId, stands) };
  });
}

function whyNot(backupId: string, stands: { word: string; ids: Set<string> }[]): string {
  const passed = stands.filter(({ ids }) => ids.has(backupId)).map(({ word }) => word);
  const taken = stands.filter(({ ids }) => !ids.has(backupId)).map(({ word }) => word);
  return [
    ...(taken.length === 0 ? [] : [`a newer backup stands for its ${taken.join(', ')}`]),
    ...(passed.length === 0 ? [] : [`its ${passed.join(', ')} lies too far back`]),
  ].join('; ');
}

/** The week that has the same Thursday, as ISO 8601 counts: `2026-W53`. */
function isoWeek(time: Date): string {
  const thursday = new Date(time);
  thursday.setUTCDate(time.getUTCDate() + 4 - (time.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  const days = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000);
  return `${year}-W${String(Math.floor(days / 7) + 1).padStart(2, '0')}`;
}
