import { z } from 'zod';
import { objectName } from './kubernetes-names.ts';
import { requestBase } from './request.ts';

/** Input of `rollback`. */
export const rollbackRequestSchema = z.strictObject({
  ...requestBase,
  workload: objectName.optional().describe('Workload of the profile; without it the default one.'),
  revision: z
    .number()
    .int()
    .min(1)
    .optional()
    .describe('Revision to go back to; without it the one before the current one.'),
  emergency: z.boolean().optional().describe('true: whoever holds the target is aborted first.'),
});

export type RollbackRequest = z.infer<typeof rollbackRequestSchema>;

/** An input that works, shown beside every refusal. */
export const rollbackExample: RollbackRequest = { revision: 3 };

/** The headings of the page, in its order; the same words in code, query, UI and report. */
export const rollbackSteps = {
  check: 'Check the request',
  plan: 'Plan the rollback',
  approve: 'Approve the change',
  lock: 'Take the lock',
  recheck: 'Check again',
  change: 'Put the earlier template in place',
  watch: 'Watch the rollout',
  verify: 'Verify health',
  undo: 'Put the former state back',
} as const;
