import { z } from 'zod';
import { requestBase } from './request.ts';

const { target, dryRun, reason, requestedBy } = requestBase;

/** Input of `pruneBackups`; `{}` prunes the default target. */
export const pruneBackupsRequestSchema = z.strictObject({
  target,
  dryRun,
  reason,
  requestedBy,
});

export type PruneBackupsRequest = z.infer<typeof pruneBackupsRequestSchema>;

/** An input that works, shown beside every refusal. */
export const pruneBackupsExample: PruneBackupsRequest = { dryRun: true };

/** The headings of the page, in its order. */
export const pruneBackupsSteps = {
  check: 'Check the request',
  plan: 'Decide what stays',
  remove: 'Remove old backups',
  leftovers: 'Remove leftovers',
} as const;

/** What becomes of one backup, with the reason for people. */
export interface RetentionVerdict {
  backupId: string;
  verdict: 'keep' | 'remove';
  why: string;
}

/** Something below the target's folder that is never removed by itself. */
export interface Strange {
  what: string;
  why: string;
}

/** What a pruning would do in one location. Lists are bounded, and what they leave out is counted. */
export interface LocationPlan {
  location: string;
  /** `s3://bucket/prefix/backups/<target>/` */
  at: string;
  /** Backups that stay. */
  kept: number;
  /** Newest first; at most {@link mostVerdictsShown}. */
  verdicts: RetentionVerdict[];
  /** Oldest first; at most {@link mostRemovals}. */
  remove: string[];
  /** More than that: a later run removes them. */
  later: number;
  /** Backups that were never finished, by their folder's name; at most {@link mostOrphans}. */
  orphans: string[];
  /** Uploads that were interrupted more than a day ago. */
  uploads: number;
  /** At most {@link mostStrangeShown}. */
  strange: Strange[];
  /** All of them. */
  strangeCount: number;
}

export const mostVerdictsShown = 100;
/** Far more than a day of hourly backups; their ids still fit through a history. */
export const mostRemovals = 500;
export const mostOrphans = 100;
export const mostStrangeShown = 20;

/** What a removal did in one location. */
export interface Removal {
  backups: number;
  objects: number;
  bytes: number;
  /** Ids of what a lock holds back. */
  locked: string[];
  /** Interrupted uploads that were aborted. */
  uploads: number;
  /** Backups that were not there any more: removed by an earlier attempt of this run, or by somebody else. */
  gone?: number;
}
