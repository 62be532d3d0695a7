import { z } from 'zod';
import { dnsLabel } from './kubernetes-names.ts';
import { chosenBackup } from './recover.ts';
import { requestBase } from './request.ts';

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
