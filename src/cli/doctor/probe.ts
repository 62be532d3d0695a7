import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { firstGeneration } from '../../clients/backup-writes.ts';
import { keyBelow } from '../../clients/object-storage.ts';
import type { CheckedBucket } from './checked-bucket.ts';
import { failed, passed, unknown, type Finding } from './finding.ts';
import { refusalOf, wordsFor, type Refusal } from './refusal.ts';

/** One small object of our own. */
interface Probe {
  Bucket: string;
  Key: string;
}

/** Versions of the probe that were written, by id where the store has one. */
type Versions = (string | undefined)[];

const body = 'runbook doctor';

/** Puts, gets, lists and deletes one small object; in between tries to write it twice, in every way that the worker does. */
export async function checkObjects(of: CheckedBucket): Promise<Finding[]> {
  const { client, bucket, prefix, folders } = of;
  const key = keyBelow(prefix, `${folders.tried}${randomBytes(8).toString('hex')}`);
  const probe = { Bucket: bucket, Key: key };
  const versions: Versions = [];
  const refused = await refusalOf(put(client, new PutObjectCommand({ ...probe, Body: body }), versions));
  if (refused !== undefined) return [mayNot(of, 'put', 's3:PutObject', key, refused)];
  const bulk = of.keeps === 'backups';
  const inPieces = bulk && of.writeOnce === 'ifNoneMatch';
  const [read, listed, twice, pieces] = await Promise.all([
    refusalOf(expectBody(client, probe)),
    bulk ? refusalOf(expectListed(client, probe)) : undefined,
    of.writeOnce === 'none' ? undefined : refusalOf(put(client, secondPut(probe, of), versions)),
    inPieces ? refusalOf(putInPieces(client, probe, versions)) : undefined,
  ]);
  const kept = await remove(client, probe, versions);
  return [
    judgeObjects(of, key, read, kept),
    judgeWriteOnce(of, twice),
    ...(inPieces ? [judgePieces(of, pieces)] : []),
    ...(bulk ? [judgeListing(of, listed)] : []),
  ];
}

async function put(client: S3Client, command: PutObjectCommand, versions: Versions): Promise<void> {
  const { VersionId } = await client.send(command);
  versions.push(VersionId);
}

/** With the same content, so that a reader in between sees no difference when it is not refused. */
function secondPut(probe: Probe, { writeOnce }: CheckedBucket): PutObjectCommand {
  const input = { ...probe, Body: body };
  return writeOnce === 'gcsGeneration'
    ? firstGeneration(new PutObjectCommand(input))
    : new PutObjectCommand({ ...input, IfNoneMatch: '*' });
}

/** Completes a multipart upload over the probe, which the store has to refuse. */
async function putInPieces(client: S3Client, probe: Probe, versions: Versions): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand(probe));
  const upload = { ...probe, UploadId };
  try {
    const { ETag } = await client.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: body }));
    const parts = { MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] }, IfNoneMatch: '*' };
    const { VersionId } = await client.send(new CompleteMultipartUploadCommand({ ...upload, ...parts }));
    versions.push(VersionId);
  } catch (error) {
    await refusalOf(client.send(new AbortMultipartUploadCommand(upload)));
    throw error;
  }
}

async function expectBody(client: S3Client, probe: Probe): Promise<void> {
  const answer = await client.send(new GetObjectCommand(probe));
  if ((await answer.Body?.transformToString()) !== body)
    throw Object.assign(new Error(), { name: 'OtherContent' });
}

async function expectListed(client: S3Client, { Bucket, Key }: Probe): Promise<void> {
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket, Prefix: Key }));
  if (!Contents.some((one) => one.Key === Key)) throw Object.assign(new Error(), { name: 'NotListed' });
}

/** By version, or a bucket that keeps versions would keep every probe for ever. */
async function remove(client: S3Client, probe: Probe, versions: Versions): Promise<Refusal | undefined> {
  const refusals = await Promise.all(
    versions.map((VersionId) =>
      refusalOf(
        client.send(new DeleteObjectCommand(VersionId === undefined ? probe : { ...probe, VersionId })),
      ),
    ),
  );
  return refusals.find((refusal) => refusal !== undefined);
}

function judgeObjects(
  of: CheckedBucket,
  key: string,
  read: Refusal | undefined,
  kept: Refusal | undefined,
): Finding {
  const check = `${of.label}, objects`;
  if (read !== undefined) return mayNot(of, 'get', 's3:GetObject', key, read);
  if (kept === undefined) return passed(check, 'can be put, read and deleted');
  const found = `can be put and read; ${key} could not be deleted (${kept.name}) and stays`;
  const mend = `Allow s3:DeleteObject and s3:DeleteObjectVersion below ${of.folders.tried}, or live with the probe.`;
  return unknown(check, found, mend);
}

function mayNot(of: CheckedBucket, verb: string, action: string, key: string, refusal: Refusal): Finding {
  const check = `${of.label}, objects`;
  const { tried, needed } = of.folders;
  const found = `${verb} ${key} ${wordsFor(refusal)}`;
  // Least privilege allows what is needed alone: then nothing is known of it, and nothing need be wrong.
  if (refusal.name === 'AccessDenied')
    return unknown(check, found, `Allow ${action} below ${tried} as well as below ${needed}.`);
  const mend =
    refusal.status === 403
      ? `Correct the access key (${of.settings.credentials}) and the policy of the bucket.`
      : `Read the logs of the store; ${of.keeps} cannot be kept there like this.`;
  return failed(check, found, mend);
}

/** What a store that overwrites does to people, and what it still does when nothing is lost. */
const overwriting = {
  reports: {
    risk: 'a report can be overwritten, and two workers may overwrite entries of the audit log',
    rest: 'workers may still break the audit log',
  },
  backups: {
    risk: 'a backup can be overwritten',
    rest: 'two workers may still end up with one backup made of both',
  },
};

function judgeWriteOnce(of: CheckedBucket, twice: Refusal | undefined): Finding {
  const check = `${of.label}, write once`;
  const { risk, rest } = overwriting[of.keeps];
  if (of.writeOnce === 'none')
    return unknown(
      check,
      'the store is not told (writeOnce: none); two workers at the same moment may overwrite each other',
      'Use a store that honours a condition, and name it in writeOnce.',
    );
  const condition = of.writeOnce === 'ifNoneMatch' ? 'If-None-Match: *' : 'x-goog-if-generation-match: 0';
  if (twice?.status === 412) return passed(check, `a second put with ${condition} is refused`);
  const mend = `Use a store that honours ${condition.split(':', 1).join('')}. With versioning and Object Lock nothing is lost, but ${rest}.`;
  if (twice === undefined) return unknown(check, `${condition} is not honoured, so ${risk}`, mend);
  return unknown(check, `a second put with ${condition} ${wordsFor(twice)} instead of 412`, mend);
}

function judgePieces(of: CheckedBucket, pieces: Refusal | undefined): Finding {
  const check = `${of.label}, write once in pieces`;
  if (pieces?.status === 412) return passed(check, 'completing an upload over an object is refused');
  const found =
    pieces === undefined
      ? 'If-None-Match: * is not honoured when an upload in pieces is completed, so a file above 8 MiB can be overwritten'
      : `an upload in pieces over an object ${wordsFor(pieces)} instead of 412`;
  return unknown(
    check,
    found,
    'Allow s3:AbortMultipartUpload, and use a store that honours If-None-Match there, too.',
  );
}

function judgeListing(of: CheckedBucket, listed: Refusal | undefined): Finding {
  const check = `${of.label}, listing`;
  if (listed === undefined) return passed(check, 'shows an object right after it was written');
  if (listed.name === 'NotListed')
    return unknown(
      check,
      'does not show an object right after it was written, so the newest backup may be overlooked for a while',
      'Use a store whose listings are consistent; backups themselves are not harmed.',
    );
  const mend = `Allow s3:ListBucket below ${of.folders.needed}: backups are chosen and pruned by listing.`;
  return failed(check, `${of.folders.tried} ${wordsFor(listed)}`, mend);
}
