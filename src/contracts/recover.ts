import { z } from 'zod';
import { anyName, dnsLabel } from './kubernetes-names.ts';
import { lockNamespace } from './names.ts';
import { requestBase } from './request.ts';

const conflictPolicy = z.enum(['skip', 'update', 'replace']);

const kindName = z
  .string()
  .max(320)
  .regex(
    /^[A-Z][A-Za-z0-9]{0,62}(\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/,
    'must be a kind such as ConfigMap or Deployment.apps',
  );

/** Which backup: by id, the newest of a day, or the newest that was verified. */
export const chosenBackup = z
  .string()
  .regex(
    /^(\d{8}-\d{6}-[0-9a-f]{8}|\d{4}-\d{2}-\d{2}|latest-verified)$/,
    'must be the id of a backup (20260301-030000-0a1b2c3d), a day (2026-03-01), or latest-verified',
  );

/** Of Kubernetes itself, and of the locks and keys of targets: nobody's service belongs there. */
const notForServices = ['kube-system', 'kube-public', 'kube-node-lease', lockNamespace];

/** Input of `recover`. */
export const recoverRequestSchema = z.strictObject({
  ...requestBase,
  backup: chosenBackup.describe(
    'Id, a day (the newest backup of it, in UTC), or latest-verified. There is no safe default.',
  ),
  location: dnsLabel.optional().describe('Where to take it from; without it the first location that has it.'),
  into: dnsLabel
    .refine((name) => !notForServices.includes(name), {
      error: `must be a namespace for services: not ${notForServices.join(', ')}`,
    })
    .optional()
    .describe('Another namespace to restore into; without it the one of the target.'),
  only: z
    .strictObject({
      kinds: z.array(kindName).min(1).max(50).optional(),
      names: z.array(anyName).min(1).max(500).optional(),
      labels: z.record(z.string().min(1).max(317), z.string().max(63)).optional(),
    })
    .optional()
    .describe('Only these objects: those that fit every given list.'),
  onConflict: conflictPolicy
    .optional()
    .describe(
      'What to do with an object that exists and differs: skip (the default) leaves it, update changes it, replace also deletes and makes anew what the server refuses to change.',
    ),
  onConflictOf: z
    .record(kindName, conflictPolicy)
    .optional()
    .describe('The same for single kinds, such as {"ConfigMap":"update"}.'),
  allowEmptyClaims: z
    .boolean()
    .optional()
    .describe('true: StatefulSets come back although the volumes of their claims are empty.'),
  clusterScoped: z
    .boolean()
    .optional()
    .describe('true: cluster-scoped objects of the backup are written, too.'),
  emergency: z.boolean().optional().describe('true: whoever holds the target is aborted first.'),
});

export type RecoverRequest = z.infer<typeof recoverRequestSchema>;

/** An input that works, shown beside every refusal. */
export const recoverExample: RecoverRequest = { backup: 'latest-verified' };

/** The headings of the page, in its order; the same words in code, query, UI and report. */
export const recoverSteps = {
  check: 'Check the request',
  choose: 'Choose the backup',
  verify: 'Verify the backup',
  plan: 'Plan the recovery',
  approve: 'Approve the change',
  lock: 'Take the lock',
  recheck: 'Check again',
  change: 'Restore group by group',
  wait: 'Wait for the workloads',
  compare: 'Compare with the backup',
  verifyHealth: 'Verify health',
  logs: 'Look for new errors in the logs',
} as const;
