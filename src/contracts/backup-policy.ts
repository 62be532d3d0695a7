import { z } from 'zod';
import { besideFaults } from './beside-faults.ts';
import { dnsLabel, objectName } from './kubernetes-names.ts';

const keyFile = z
  .string()
  .max(300)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/,
    'must be a file below the folder of profiles, such as keys/alecs-online.asc',
  );

const keys = z
  .strictObject({
    signing: z
      .array(keyFile)
      .min(1)
      .max(10)
      .describe('Public keys whose signature a backup may carry. The first one signs new backups.'),
    online: keyFile.describe('Public key for verification and drills; workers have its private part.'),
    escrow: keyFile.describe('Public key for disasters; its private part is kept offline.'),
  })
  .describe('Files with armored OpenPGP public keys, beside the profiles. Made by: runbook keys create.');

const location = z
  .strictObject({
    name: dnsLabel.describe('What reports and manifests call it.'),
    bucket: z.string().min(3).max(63),
    endpoint: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe('S3-compatible endpoint; without it AWS.'),
    region: z.string().min(1).max(100).default('us-east-1'),
    prefix: z
      .string()
      .max(500)
      .regex(/^[A-Za-z0-9._/-]*$/)
      .default('')
      .describe('Put before every key.'),
    pathStyle: z
      .boolean()
      .optional()
      .describe('Bucket in the path instead of in the host name; without it only with an endpoint.'),
    credentials: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,100}$/)
      .optional()
      .describe('Profile of the AWS credentials file; without it what any AWS SDK takes.'),
    checksums: z
      .enum(['always', 'whenRequired'])
      .optional()
      .describe('Whether the SDK adds its checksums; without it only on AWS itself.'),
    storageClass: z
      .string()
      .regex(/^[A-Z_]{1,40}$/)
      .optional()
      .describe('Such as STANDARD_IA.'),
    serverSideEncryption: z.enum(['AES256', 'aws:kms']).optional(),
    kmsKeyId: z.string().min(1).max(500).optional(),
    objectLock: z
      .strictObject({
        mode: z.enum(['GOVERNANCE', 'COMPLIANCE']),
        days: z.number().int().min(1).max(3650),
      })
      .optional()
      .describe('Nobody can delete or change a backup for so long; the bucket needs Object Lock.'),
    writeOnce: z
      .enum(['ifNoneMatch', 'gcsGeneration', 'none'])
      .default('ifNoneMatch')
      .describe(
        'How the store is told never to overwrite. none: it cannot be told; the worker looks before and after it writes, and reports say so.',
      ),
  })
  .superRefine(({ kmsKeyId, objectLock, serverSideEncryption, writeOnce }, context) => {
    if (objectLock !== undefined && writeOnce === 'gcsGeneration')
      context.addIssue({
        code: 'custom',
        path: ['objectLock'],
        message: 'cannot be sent with writeOnce: gcsGeneration; give the bucket a retention policy instead',
      });
    if (kmsKeyId !== undefined && serverSideEncryption !== 'aws:kms')
      context.addIssue({
        code: 'custom',
        path: ['kmsKeyId'],
        message: 'is only for serverSideEncryption: aws:kms',
      });
  }, besideFaults('serverSideEncryption'));

const hook = z
  .strictObject({
    name: dnsLabel,
    workload: objectName.describe('A Deployment, StatefulSet or DaemonSet of the namespace.'),
    container: dnsLabel,
    command: z
      .array(z.string().min(1).max(1000))
      .min(1)
      .max(50)
      .describe('Runs without a shell. It may run twice: it has to bear that.'),
    timeoutSeconds: z.number().int().min(1).max(3600).default(30),
    onError: z
      .enum(['fail', 'continue'])
      .default('fail')
      .describe('fail: no backup. continue: the backup is made, and manifest and report name the hook.'),
  })
  .describe('A command in one ready pod of a workload.');

const count = (normal: number) => z.number().int().min(0).max(10_000).default(normal);

/** How a target is backed up. */
export const backupPolicySchema = z.strictObject({
  keys,
  locations: z
    .array(location)
    .max(5)
    .default([])
    .describe('Where backups go, all of them at once. Without any: the bucket of the worker.'),
  rpoSeconds: z
    .number()
    .int()
    .min(60)
    .max(31 * 86_400)
    .default(3600)
    .describe('How old the newest backup may be.'),
  keep: z
    .strictObject({ hourly: count(24), daily: count(7), weekly: count(4), monthly: count(12) })
    .prefault({})
    .describe('How many are kept: the newest backup of each of the last hours, days, weeks, months.'),
  logs: z
    .strictObject({
      sinceSeconds: z
        .number()
        .int()
        .min(0)
        .max(31 * 86_400)
        .default(86_400)
        .describe('0: no logs.'),
      bytesPerContainer: z
        .number()
        .int()
        .min(1024)
        .max(64 * 1024 * 1024)
        .default(8 * 1024 * 1024)
        .describe('Of a longer log the end is kept.'),
    })
    .prefault({}),
  hooks: z
    .strictObject({ before: z.array(hook).max(20).default([]), after: z.array(hook).max(20).default([]) })
    .prefault({})
    .describe('before: ahead of the first object. after: behind the last one, also when something failed.'),
  exclude: z
    .array(
      z
        .strictObject({
          apiGroup: z
            .string()
            .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/)
            .max(253)
            .describe('Empty for the core group.'),
          kind: z
            .string()
            .regex(/^[A-Z][A-Za-z0-9]{0,62}$/)
            .optional()
            .describe('Without it the whole group, also while nobody answers for it.'),
          name: objectName.optional().describe('Without it every object of the kind.'),
        })
        .refine(({ apiGroup, kind }) => kind !== undefined || apiGroup !== '', {
          path: ['kind'],
          error: 'must be given: the core group cannot be left out as a whole',
        })
        .refine(({ kind, name }) => kind !== undefined || name === undefined, {
          path: ['kind'],
          error: 'must be given with a name',
        }),
    )
    .max(100)
    .default([])
    .describe('Left out in addition to what is always left out (docs/runbooks/backup.md).'),
});

export type BackupPolicy = z.infer<typeof backupPolicySchema>;
export type BackupLocation = BackupPolicy['locations'][number];
export type BackupHook = BackupPolicy['hooks']['before'][number];
