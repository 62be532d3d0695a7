import type { S3Client } from '@aws-sdk/client-s3';
import type { BackupLocation } from '../../contracts/backup-policy.ts';

/** A bucket, how it is used, and what people are told about it. */
export interface CheckedBucket {
  client: S3Client;
  /** Begins the name of every check. */
  label: string;
  bucket: string;
  prefix: string;
  region: string;
  endpoint?: string | undefined;
  /** How the store is told never to overwrite. */
  writeOnce: BackupLocation['writeOnce'];
  /** What is written carries a retention. */
  locks: boolean;
  keeps: 'reports' | 'backups';
  /** Below the prefix: where something is tried out, and what the worker cannot do without. */
  folders: { tried: string; needed: string };
  /** Where a person corrects what is wrong. */
  settings: { bucket: string; region: string; endpoint: string; credentials: string };
}
