import { z } from 'zod';
import { besideFaults } from './beside-faults.ts';
import { objectName } from './kubernetes-names.ts';
import { requestBase } from './request.ts';

const mostWaves = 20;
const mostInAWave = 20;

/** Input of `restartWorkload`. */
export const restartWorkloadRequestSchema = z
  .strictObject({
    ...requestBase,
    workload: objectName.optional().describe('Workload of the profile; without it the default one.'),
    waves: z
      .array(z.array(objectName).min(1).max(mostInAWave))
      .min(1)
      .max(mostWaves)
      .optional()
      .describe('Workloads that restart together, wave after wave.'),
    emergency: z.boolean().optional().describe('true: whoever holds the target is aborted first.'),
  })
  .superRefine(({ workload, waves }, context) => {
    if (workload !== undefined && waves !== undefined)
      context.addIssue({ code: 'custom', path: ['waves'], message: 'give workload or waves, not both' });
    const names = (waves ?? []).flat();
    const twice = [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
    if (twice.length > 0)
      context.addIssue({ code: 'custom', path: ['waves'], message: `name twice: ${twice.join(', ')}` });
  }, besideFaults('waves'));

export type RestartWorkloadRequest = z.infer<typeof restartWorkloadRequestSchema>;

/** An input that works, shown beside every refusal. */
export const restartWorkloadExample: RestartWorkloadRequest = {
  waves: [['backend'], ['frontend', 'worker']],
};

/** The headings of the page, in its order; the same words in code, query, UI and report. */
export const restartWorkloadSteps = {
  check: 'Check the request',
  plan: 'Plan the restart',
  approve: 'Approve the change',
  lock: 'Take the lock',
  recheck: 'Check again',
  change: 'Restart',
  watch: 'Watch the rollout',
  verify: 'Verify health',
  undo: 'Put the former state back',
} as const;
