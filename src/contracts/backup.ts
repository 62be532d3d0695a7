import { z } from 'zod';
import type { BackupKind, Missing, StoredFile, StoredIndex, StoredPart } from './backup-manifest.ts';
import { requestBase } from './request.ts';

const { target, dryRun, reason, requestedBy } = requestBase;

/** Input of `backup`; `{}` backs up the default target. */
export const backupRequestSchema = z.strictObject({
  target,
  dryRun: dryRun.describe('true: say what would be in the backup, store nothing.'),
  reason,
  requestedBy,
});

export type BackupRequest = z.infer<typeof backupRequestSchema>;

/** An input that works, shown beside every refusal. */
export const backupExample: BackupRequest = {};

/** The headings of the page, in its order. */
export const backupSteps = {
  check: 'Check the request',
  look: 'Find out what there is',
  before: 'Run the hooks before',
  transfer: 'Store the objects',
  logs: 'Store the logs',
  after: 'Run the hooks after',
  commit: 'Sign the manifest',
} as const;

/** What one transfer stored. */
export interface Transferred {
  parts: StoredPart[];
  indexes: StoredIndex[];
  kinds: BackupKind[];
  missing: Missing[];
}

/** What became of the logs. */
export interface CollectedLogs {
  logs: StoredFile[];
  containers: number;
  missing: Missing[];
}

/** What became of one hook. */
export interface HookOutcome {
  name: string;
  when: 'before' | 'after';
  /** `exit code 0`, `exit code 1`, `timed out`, why it could not be run. */
  outcome: string;
  ok: boolean;
}

/** A backup that is there. */
export interface CommittedBackup {
  backupId: string;
  objects: number;
  bytes: number;
  complete: boolean;
  consistency: 'snapshot' | 'perKind';
  manifestSha256: string;
  locations: { name: string; at: string }[];
  /** What a reader has to know of it, such as a store that cannot be told never to overwrite. */
  notes: string[];
}
