import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  GetObjectLockConfigurationCommand,
  HeadBucketCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { createS3Client, keyBelow } from '../../clients/object-storage.ts';
import type { Config } from '../../config.ts';
import { excerpt } from '../../domain/text.ts';
import { judgeClock } from './clock.ts';
import { failed, passed, questionSeconds, unknown, type Finding, type Section } from './finding.ts';

type Storage = NonNullable<Config['storage']>;

/** The bucket for reports: can it be used as the worker uses it, and what does it promise about what is in it. */
export async function checkStorage({ storage }: Config): Promise<Section> {
  if (storage === undefined) {
    const found = 'no bucket is configured, so reports stay in the results of runs';
    const mend = 'Set RUNBOOK_STORAGE_BUCKET (and RUNBOOK_STORAGE_ENDPOINT for a store other than AWS).';
    return { findings: [unknown('storage', found, mend)], clocks: [] };
  }
  const client = createS3Client({ ...storage, silenceMilliseconds: questionSeconds * 1000 });
  try {
    const [findings, clock] = await Promise.all([checkBucket(client, storage), checkClock(storage)]);
    return { findings, clocks: clock === undefined ? [] : [clock] };
  } finally {
    client.destroy();
  }
}

async function checkBucket(client: S3Client, storage: Storage): Promise<Finding[]> {
  const { bucket } = storage;
  const check = 'storage, bucket';
  const place = `${bucket} at ${storage.endpoint ?? `AWS, ${storage.region}`}`;
  const refusal = await refusalOf(client.send(new HeadBucketCommand({ Bucket: bucket })));
  // A worker need not be allowed to look at the bucket itself; writing into it tells then.
  if (refusal !== undefined && refusal.status !== 403)
    return [failed(check, `${place} ${wordsFor(refusal)}`, mendForBucket(refusal, storage))];
  const [objects, versioning, lock] = await Promise.all([
    checkObjects(client, storage),
    checkVersioning(client, bucket),
    checkObjectLock(client, bucket),
  ]);
  const answers = passed(check, `${place} answers`);
  // With a wrong key every question is refused; once is enough.
  if (objects.some(({ state }) => state === 'fail')) return [answers, ...objects];
  return [answers, ...objects, versioning, lock];
}

/** What became of a call that did not succeed. */
interface Refusal {
  /** Name or code only: messages of the SDK may carry request details. */
  name: string;
  /** Missing when no answer came. */
  status?: number;
}

async function refusalOf(call: Promise<unknown>): Promise<Refusal | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    return describeError(error);
  }
}

function describeError(error: unknown): Refusal {
  const { name, code, $metadata } = error as {
    name?: unknown;
    code?: unknown;
    $metadata?: { httpStatusCode?: number };
  };
  const word = [code, name].find((one) => typeof one === 'string') ?? 'unknown error';
  const status = $metadata?.httpStatusCode;
  return { name: excerpt(word), ...(status === undefined ? {} : { status }) };
}

function wordsFor({ name, status }: Refusal): string {
  if (name === 'CredentialsProviderError') return 'was not asked: there are no credentials';
  if (status === undefined) return `does not answer (${name})`;
  if (status === 404) return 'is not there';
  if (status === 301) return 'lies in another region';
  return `answers ${status} (${name})`;
}

function mendForBucket({ name, status }: Refusal, { bucket, endpoint }: Storage): string {
  if (name === 'CredentialsProviderError')
    return 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else the AWS SDK reads.';
  if (status === 404) {
    const at = endpoint === undefined ? '' : ` --endpoint-url ${endpoint}`;
    return `Correct RUNBOOK_STORAGE_BUCKET, or make it: aws s3api create-bucket --bucket ${bucket}${at}`;
  }
  if (status === 301) return 'Set RUNBOOK_STORAGE_REGION to the region of the bucket.';
  if (status === undefined) return 'Start the store, or correct RUNBOOK_STORAGE_ENDPOINT.';
  return 'Check RUNBOOK_STORAGE_ENDPOINT and the logs of the store.';
}

const objectsCheck = 'storage, objects';
const onceCheck = 'storage, write once';

/** Puts, gets and deletes one small object; in between tries to write it twice. */
async function checkObjects(client: S3Client, { bucket, prefix }: Storage): Promise<Finding[]> {
  const probe = { Bucket: bucket, Key: keyBelow(prefix, `doctor/${randomBytes(8).toString('hex')}`) };
  const body = 'runbook doctor';
  const versions: (string | undefined)[] = [];
  const put = async (condition: { IfNoneMatch?: string }): Promise<void> => {
    const { VersionId } = await client.send(new PutObjectCommand({ ...probe, ...condition, Body: body }));
    versions.push(VersionId);
  };
  const refused = await refusalOf(put({}));
  if (refused !== undefined) return [mayNot('put', 's3:PutObject', probe.Key, refused)];
  const [read, twice] = await Promise.all([
    refusalOf(expectBody(client, probe, body)),
    refusalOf(put({ IfNoneMatch: '*' })),
  ]);
  // By version, or a bucket that keeps versions would keep every probe for ever.
  const deletions = await Promise.all(
    versions.map((VersionId) =>
      refusalOf(
        client.send(new DeleteObjectCommand(VersionId === undefined ? probe : { ...probe, VersionId })),
      ),
    ),
  );
  const kept = deletions.find((refusal) => refusal !== undefined);
  return [judgeObjects(probe.Key, read, kept), judgeWriteOnce(twice)];
}

async function expectBody(
  client: S3Client,
  probe: { Bucket: string; Key: string },
  body: string,
): Promise<void> {
  const answer = await client.send(new GetObjectCommand(probe));
  if ((await answer.Body?.transformToString()) !== body)
    throw Object.assign(new Error(), { name: 'OtherContent' });
}

function judgeObjects(key: string, read: Refusal | undefined, kept: Refusal | undefined): Finding {
  if (read !== undefined) return mayNot('get', 's3:GetObject', key, read);
  if (kept === undefined) return passed(objectsCheck, 'can be put, read and deleted');
  const found = `can be put and read; ${key} could not be deleted (${kept.name}) and stays`;
  const mend = 'Allow s3:DeleteObject and s3:DeleteObjectVersion below doctor/, or live with the probe.';
  return unknown(objectsCheck, found, mend);
}

function mayNot(verb: string, action: string, key: string, refusal: Refusal): Finding {
  const found = `${verb} ${key} ${wordsFor(refusal)}`;
  // Least privilege allows reports/ alone: then nothing is known of it, and nothing need be wrong.
  if (refusal.name === 'AccessDenied')
    return unknown(objectsCheck, found, `Allow ${action} below doctor/ as well as below reports/.`);
  const mend =
    refusal.status === 403
      ? 'Correct the access key (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) and the policy of the bucket.'
      : 'Read the logs of the store; reports cannot be kept there like this.';
  return failed(objectsCheck, found, mend);
}

function judgeWriteOnce(twice: Refusal | undefined): Finding {
  if (twice?.status === 412) return passed(onceCheck, 'a second put with If-None-Match: * is refused');
  const mend =
    'Use a store that honours If-None-Match. With versioning and Object Lock nothing is lost, but workers may still break the audit log.';
  if (twice === undefined)
    return unknown(
      onceCheck,
      'If-None-Match: * is not honoured, so a report can be overwritten, and two workers may overwrite entries of the audit log',
      mend,
    );
  return unknown(onceCheck, `a second put with If-None-Match: * ${wordsFor(twice)} instead of 412`, mend);
}

async function checkVersioning(client: S3Client, Bucket: string): Promise<Finding> {
  const check = 'storage, versioning';
  try {
    const { Status } = await client.send(new GetBucketVersioningCommand({ Bucket }));
    return passed(check, Status === 'Enabled' ? 'on' : 'off, so what is overwritten or deleted is gone');
  } catch (error) {
    return cannotTell(check, describeError(error), 's3:GetBucketVersioning');
  }
}

async function checkObjectLock(client: S3Client, Bucket: string): Promise<Finding> {
  const check = 'storage, Object Lock';
  const none = passed(check, 'not configured, so reports can be deleted');
  try {
    const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket }));
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

/** Any answer shows the time, also one that refuses: no credentials are sent. */
async function checkClock({ endpoint, region }: Storage): Promise<Finding | undefined> {
  const asked = Date.now();
  try {
    const answer = await fetch(endpoint ?? `https://s3.${region}.amazonaws.com`, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.timeout(questionSeconds * 1000),
    });
    const date = answer.headers.get('date') ?? undefined;
    return judgeClock('clock of the storage', { asked, answered: Date.now(), date });
  } catch {
    return undefined; // the bucket's own check says that it does not answer
  }
}
