import {
  GetBucketVersioningCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
} from '@aws-sdk/client-s3';
import type { CheckedBucket } from './checked-bucket.ts';
import { failed, passed, unknown, type Finding } from './finding.ts';
import { checkObjects } from './probe.ts';
import { describeError, refusalOf, wordsFor, type Refusal } from './refusal.ts';

/** Whether a bucket can be used as the worker uses it, and what it promises about what is in it. */
export async function checkBucket(of: CheckedBucket): Promise<Finding[]> {
  const check = `${of.label}, bucket`;
  const place = `${of.bucket} at ${of.endpoint ?? `AWS, ${of.region}`}`;
  const refusal = await refusalOf(of.client.send(new HeadBucketCommand({ Bucket: of.bucket })));
  // A worker need not be allowed to look at the bucket itself; writing into it tells then.
  if (refusal !== undefined && refusal.status !== 403)
    return [failed(check, `${place} ${wordsFor(refusal)}`, mendForBucket(refusal, of))];
  const [objects, versioning, lock] = await Promise.all([
    checkObjects(of),
    checkVersioning(of),
    checkObjectLock(of),
  ]);
  const answers = passed(check, `${place} answers`);
  // With a wrong key every question is refused; once is enough.
  if (objects.some(({ state }) => state === 'fail')) return [answers, ...objects];
  return [answers, ...objects, versioning, lock];
}

function mendForBucket({ name, status }: Refusal, { bucket, endpoint, settings }: CheckedBucket): string {
  if (name === 'CredentialsProviderError')
    return `Set ${settings.credentials}, or what else the AWS SDK reads.`;
  if (status === 404) {
    const at = endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`;
    return `Correct ${settings.bucket}, or make it: aws s3api create-bucket --bucket ${bucket}${at}`;
  }
  if (status === 301) return `Set ${settings.region} to the region of the bucket.`;
  if (status === undefined) return `Start the store, or correct ${settings.endpoint}.`;
  return `Check ${settings.endpoint} and the logs of the store.`;
}

async function checkVersioning({ client, label, bucket }: CheckedBucket): Promise<Finding> {
  const check = `${label}, versioning`;
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket: bucket }));
    return passed(check, Status === 'Enabled' ? 'on' : 'off, so what is overwritten or deleted is gone');
  } catch (error) {
    return cannotTell(check, describeError(error), 's3:GetBucketVersioning');
  }
}

async function checkObjectLock({ client, label, bucket, keeps, locks }: CheckedBucket): Promise<Finding> {
  const check = `${label}, Object Lock`;
  const none = locks
    ? failed(
        check,
        'not configured, and the profile asks for a retention (objectLock): nothing can be written like this',
        'Make a bucket with Object Lock (most stores take it only then), or leave objectLock out of the profile.',
      )
    : passed(check, `not configured, so ${keeps} can be deleted`);
  try {
    const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket }));
    const { ObjectLockEnabled, Rule } = answer.ObjectLockConfiguration ?? {};
    if (ObjectLockEnabled !== 'Enabled') return none;
    const { Mode, Days, Years } = Rule?.DefaultRetention ?? {};
    if (Mode === undefined) return passed(check, 'configured, without a retention of its own');
    return passed(check, `${Mode}, ${Years === undefined ? `${Days ?? 0} days` : `${Years} years`}`);
  } catch (error) {
    const refusal = describeError(error);
    if (refusal.name === 'ObjectLockConfigurationNotFoundError' || refusal.status === 404) return none;
    return cannotTell(check, refusal, 's3:GetBucketObjectLockConfiguration');
  }
}

function cannotTell(check: string, refusal: Refusal, action: string): Finding {
  const mend =
    refusal.status === 403
      ? `Allow ${action} on the bucket, or ask who runs the store.`
      : 'Ask who runs the store; it may not know the question.';
  return unknown(check, `${refusal.name}: the store does not tell`, mend);
}
