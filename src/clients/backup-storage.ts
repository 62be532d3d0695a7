import {
  AbortMultipartUploadCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type S3Client,
} from '@aws-sdk/client-s3';
import { addAbortSignal, Readable } from 'node:stream';
import type { BackupLocation, BackupPolicy } from '../contracts/backup-policy.ts';
import { backupWriter } from './backup-writes.ts';
import {
  createS3Client,
  keyBelow,
  type ObjectStorageOptions,
  type S3ClientOptions,
} from './object-storage.ts';
import { removeObject } from './remove-object.ts';
import { until } from './storage-calls.ts';

/** An object in a listing, or with a delimiter a folder, which ends in a slash. */
type Listed = { key: string; bytes: number; storedAt: Date } | { folder: string };

/** A multipart upload that was begun and neither completed nor aborted. */
interface OpenUpload {
  key: string;
  uploadId: string;
  startedAt: Date;
}

/**
 * One place where backups lie. Keys are below the prefix of the location. Errors are those of the AWS SDK, or a
 * {@link StoredWrongly}; callers translate them. Single requests are repeated a few times; calls may be, too.
 */
export interface BackupStore {
  /** The location's name. */
  readonly name: string;
  /** How the store is kept from overwriting; with `none` it is not, and reports have to say so. */
  readonly writeOnce: BackupLocation['writeOnce'];
  /** Where an object lies, for people: `s3://bucket/prefix/key`. */
  locationOf(key: string): string;
  /**
   * Writes an object that is never written again. `exists`: somebody wrote it before, perhaps an earlier attempt of the
   * caller, or an earlier try of the same request: read it to know.
   */
  putOnce(
    key: string,
    body: Uint8Array | string,
    contentType: string,
    signal?: AbortSignal,
  ): Promise<'written' | 'exists'>;
  /** The whole object; undefined when there is none. @throws StoredWrongly when it is cut off, or above `maxBytes` */
  read(key: string, signal?: AbortSignal, maxBytes?: number): Promise<Uint8Array | undefined>;
  /** What begins with `prefix` and comes after `startAfter`, page by page. With a delimiter: one level. */
  list(
    prefix: string,
    options?: { delimiter?: '/'; startAfter?: string },
    signal?: AbortSignal,
  ): AsyncIterable<Listed>;
  /**
   * Removes an object with all its versions and delete markers, the oldest first. `locked`: at least one version is
   * under a retention or a legal hold; then its markers stay as well, so that nothing reappears.
   */
  remove(key: string, signal?: AbortSignal): Promise<'removed' | 'locked' | 'absent'>;
  openUploads(prefix: string, signal?: AbortSignal): AsyncIterable<OpenUpload>;
  /** An upload that is gone already counts as aborted. */
  abortUpload(key: string, uploadId: string, signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** The store gave something else than it should have. The name says what; there is nothing of the content in it. */
class StoredWrongly extends Error {
  constructor(name: 'BodyCutOff' | 'ObjectTooLarge' | 'ForeignKey' | 'ListingCutOff', message: string) {
    super(message);
    this.name = name;
  }
}

/** A body of 8 MiB on a way of 20 KiB/s. */
const wholeMilliseconds = 10 * 60_000;
/**
 * Nothing moves for so long: the store, or the way to it, is gone. What the kernel has taken over moves without being
 * seen here, and that may be the last hundreds of kilobytes of a body on a slow way.
 */
const silenceMilliseconds = 60_000;
/** A backup sends hundreds of requests in one activity: one bad answer must not repeat them all. */
const attempts = 4;

/** The locations of a profile; without any in it the worker's own bucket as `default`; [] when there is none either. */
export function openBackupStores(
  policy: BackupPolicy,
  workerBucket: ObjectStorageOptions | undefined,
): BackupStore[] {
  return backupLocations(policy, workerBucket).map((location) => openBackupStore(location));
}

/** Where the backups of a target go, before anything is opened; see {@link openBackupStores}. */
export function backupLocations(
  { locations }: Pick<BackupPolicy, 'locations'>,
  workerBucket: ObjectStorageOptions | undefined,
): BackupLocation[] {
  if (locations.length > 0) return locations;
  if (workerBucket === undefined) return [];
  const { bucket, endpoint, region, prefix } = workerBucket;
  const place = { bucket, region, prefix, ...(endpoint === undefined ? {} : { endpoint }) };
  return [{ name: 'default', ...place, writeOnce: 'ifNoneMatch' }];
}

/** How the SDK talks to a location. */
export function clientOptionsOf({
  endpoint,
  region,
  pathStyle,
  checksums,
  credentials,
}: BackupLocation): S3ClientOptions {
  return {
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(pathStyle === undefined ? {} : { pathStyle }),
    ...(checksums === undefined ? {} : { checksums }),
    ...(credentials === undefined ? {} : { profile: credentials }),
  };
}

/** Opens one location. Nothing is sent before the first call. `silence`: milliseconds in which nothing moves. */
export function openBackupStore(location: BackupLocation, silence = silenceMilliseconds): BackupStore {
  const { name, bucket, prefix, writeOnce } = location;
  const client = createS3Client({
    ...clientOptionsOf(location),
    attempts,
    silenceMilliseconds: silence,
    wholeMilliseconds,
  });
  const writer = backupWriter(client, location);
  const above = keyBelow(prefix, '');
  const keyOf = (key: string): string => `${above}${key}`;
  const fromKey = (key: string | undefined): string => {
    if (key?.startsWith(above) === true) return key.slice(above.length);
    throw new StoredWrongly('ForeignKey', 'the store lists a key that was not asked for');
  };
  return {
    name,
    writeOnce,
    locationOf: (key) => `s3://${bucket}/${keyOf(key)}`,
    putOnce: (key, body, contentType, signal) =>
      writer(
        { key: keyOf(key), body: typeof body === 'string' ? Buffer.from(body) : body, contentType },
        signal,
      ),
    read: (key, signal, maxBytes) =>
      readObject(client, { Bucket: bucket, Key: keyOf(key) }, signal, maxBytes),
    async *list(below, { delimiter, startAfter } = {}, signal) {
      const asked = {
        Bucket: bucket,
        Prefix: keyOf(below),
        ...(delimiter === undefined ? {} : { Delimiter: delimiter }),
        ...(startAfter === undefined ? {} : { StartAfter: keyOf(startAfter) }),
      };
      for await (const page of pagesOf(client, asked, signal)) {
        for (const { Key, Size = 0, LastModified } of page.Contents ?? [])
          yield { key: fromKey(Key), bytes: Size, storedAt: LastModified ?? new Date() };
        for (const { Prefix } of page.CommonPrefixes ?? []) yield { folder: fromKey(Prefix) };
      }
    },
    remove: (key, signal) =>
      removeObject(client, { Bucket: bucket, Key: keyOf(key) }, writeOnce === 'gcsGeneration', signal),
    async *openUploads(below, signal) {
      let marker: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {};
      for (;;) {
        const asked = { Bucket: bucket, Prefix: keyOf(below), ...marker };
        const page = await client.send(new ListMultipartUploadsCommand(asked), until(signal));
        for (const { Key, UploadId, Initiated } of page.Uploads ?? [])
          if (UploadId !== undefined)
            yield { key: fromKey(Key), uploadId: UploadId, startedAt: Initiated ?? new Date() };
        if (page.IsTruncated !== true) return;
        marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker };
        if (page.NextKeyMarker === undefined) throw listingCutOff();
      }
    },
    async abortUpload(key, uploadId, signal) {
      const asked = { Bucket: bucket, Key: keyOf(key), UploadId: uploadId };
      try {
        await client.send(new AbortMultipartUploadCommand(asked), until(signal));
      } catch (error) {
        if (nameOf(error) !== 'NoSuchUpload') throw error;
      }
    },
    close() {
      client.destroy();
    },
  };
}

async function readObject(
  client: S3Client,
  asked: { Bucket: string; Key: string },
  signal: AbortSignal | undefined,
  maxBytes = Infinity,
): Promise<Uint8Array | undefined> {
  try {
    const { Body, ContentLength } = await client.send(new GetObjectCommand(asked), until(signal));
    if (!(Body instanceof Readable)) return new Uint8Array();
    return await readWhole(
      signal === undefined ? Body : addAbortSignal(signal, Body),
      ContentLength,
      maxBytes,
    );
  } catch (error) {
    if (nameOf(error) === 'NoSuchKey') return undefined;
    throw error;
  }
}

async function readWhole(
  body: Readable,
  announced: number | undefined,
  maxBytes: number,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    if (announced !== undefined && announced > maxBytes) throw tooLarge(maxBytes);
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } finally {
    body.destroy();
  }
  // Node notices a connection that ends early; a store behind a proxy may also just send less.
  if (announced !== undefined && announced !== bytes)
    throw new StoredWrongly('BodyCutOff', `the store announced ${announced} bytes and sent ${bytes}`);
  return Buffer.concat(chunks, bytes);
}

function tooLarge(maxBytes: number): StoredWrongly {
  return new StoredWrongly(
    'ObjectTooLarge',
    `the object has more than the ${maxBytes} bytes that it may have`,
  );
}

async function* pagesOf(
  client: S3Client,
  asked: { Bucket: string; Prefix: string; Delimiter?: string; StartAfter?: string },
  signal: AbortSignal | undefined,
): AsyncGenerator<ListPage, void, undefined> {
  let token: string | undefined;
  do {
    const command = new ListObjectsV2Command({
      ...asked,
      ...(token === undefined ? {} : { ContinuationToken: token }),
    });
    const page = await client.send(command, until(signal));
    yield page;
    if (page.IsTruncated === true && page.NextContinuationToken === undefined) throw listingCutOff();
    token = page.NextContinuationToken;
  } while (token !== undefined);
}

interface ListPage {
  Contents?:
    { Key?: string | undefined; Size?: number | undefined; LastModified?: Date | undefined }[] | undefined;
  CommonPrefixes?: { Prefix?: string | undefined }[] | undefined;
}

function listingCutOff(): StoredWrongly {
  return new StoredWrongly('ListingCutOff', 'the store says that there is more and not where');
}

function nameOf(error: unknown): unknown {
  return (error as { name?: unknown }).name;
}
