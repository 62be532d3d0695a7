import { z } from 'zod';
import { dnsLabel } from './kubernetes-names.ts';
import { requestBase } from './request.ts';

const { target, reason, requestedBy } = requestBase;

/** Input of `verifyBackup`; `{}` verifies the newest backup of the default target in each location. */
export const verifyBackupRequestSchema = z.strictObject({
  target,
  backup: z
    .string()
    .regex(
      /^(\d{8}-\d{6}-[0-9a-f]{8}|latest)$/,
      'must be the id of a backup, such as 20261127-030000-0a1b2c3d, or latest',
    )
    .optional()
    .describe('Which one; without it the newest.'),
  location: dnsLabel.optional().describe('Only this location; without it each of the profile.'),
  reason,
  requestedBy,
});

export type VerifyBackupRequest = z.infer<typeof verifyBackupRequestSchema>;

/** An input that works, shown beside every refusal. */
export const verifyBackupExample: VerifyBackupRequest = { backup: 'latest' };

/** The headings of the page, in its order. */
export const verifyBackupSteps = {
  check: 'Check the request',
  choose: 'Choose the backup',
  verify: 'Read everything back',
} as const;

/** Which backup is looked at in one location; undefined: there is none. */
export interface ChosenBackup {
  location: string;
  backupId?: string;
  /** Since it was begun. */
  ageSeconds?: number;
}

/** What came out of one location. */
export interface BackupVerdict {
  location: string;
  backupId: string;
  verdict: 'pass' | 'fail';
  objects: number;
  bytes: number;
  /** Sentences, at most 20; more are counted in the last one. */
  findings: string[];
  /** What a partial backup says itself that it lacks, at most 20 names; absent: nothing. */
  lacks?: string[];
  /** Files that its manifest does not name and that nothing reads, at most 20; absent: none. */
  beside?: string[];
  /** Where the record of this verification lies; absent: it could not be written, and a finding says why. */
  record?: string;
}
