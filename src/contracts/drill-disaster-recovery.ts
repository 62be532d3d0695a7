import { z } from 'zod';
import { dnsLabel } from './kubernetes-names.ts';
import { chosenBackup } from './recover.ts';
import type { BackupRef } from './recovery.ts';
import { requestBase } from './request.ts';
import type { Proof } from './run.ts';

const { target, dryRun, reason, requestedBy } = requestBase;

/** Input of `drillDisasterRecovery`; `{}` drills the newest verified backup of the default target. */
export const drillRequestSchema = z.strictObject({
  target,
  backup: chosenBackup
    .optional()
    .describe('Id, a day (the newest backup of it, in UTC), or latest-verified, which is the default.'),
  location: dnsLabel.optional().describe('Where to take it from; without it the first location that has it.'),
  dryRun: dryRun.describe('true: say what would be drilled, make nothing.'),
  reason,
  requestedBy,
});

export type DrillRequest = z.infer<typeof drillRequestSchema>;

/** An input that works, shown beside every refusal. */
export const drillExample: DrillRequest = { backup: 'latest-verified' };

/** The headings of the page, in its order; the same words in code, query, UI and report. */
export const drillSteps = {
  check: 'Check the request',
  choose: 'Choose the backup',
  verify: 'Verify the backup',
  make: 'Make the scratch namespace',
  plan: 'Plan the restore',
  change: 'Restore group by group',
  wait: 'Wait for the workloads',
  compare: 'Compare with the backup',
  verifyHealth: 'Verify health',
  measure: 'Measure',
  remove: 'Remove the scratch namespace',
} as const;

/** A namespace that one drill has for itself. */
export interface Scratch {
  name: string;
  target: string;
  run: { workflowId: string; firstRunId: string };
  /** When the drill began, ISO 8601 in UTC. */
  startedAt: string;
}

/** Times of one drill; ISO 8601 in UTC, undefined when the drill did not get there. */
export interface DrillTimes {
  /** When the drill began: the moment of the disaster. */
  startedAt: string;
  /** When the backup was begun: what happened later would be lost. */
  backupStartedAt: string | undefined;
  restoreStartedAt: string | undefined;
  provenAt: string | undefined;
}

/** What one drill came to; kept for the trend. */
export interface DrillResult {
  version: 'drill/1';
  target: string;
  id: string;
  startedAt: string;
  verdict: 'pass' | 'fail';
  backupId: string;
  /** Whole seconds; null when it could not be measured. */
  recoverySeconds: number | null;
  rtoSeconds: number;
  dataLossSeconds: number | null;
  rpoSeconds: number;
  objects: number;
  /** Sentences on what was not proven. */
  findings: string[];
}

/** What a drill has found out before it is concluded. */
export interface DrillFindings {
  times: DrillTimes;
  backup: BackupRef;
  objects: number;
  proofs: Proof[];
}

/** Where a drill's result was kept, and the ones before it, oldest first. */
export interface DrillConclusion {
  result: DrillResult;
  trend: DrillResult[];
  at: string;
  picture: string;
}
