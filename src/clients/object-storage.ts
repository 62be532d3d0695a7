import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { bounded, onlyOnce } from './storage-calls.ts';

/** How to reach the bucket. Credentials come from the usual AWS variables and files unless given. */
export interface ObjectStorageOptions {
  bucket: string;
  endpoint?: string;
  region: string;
  prefix: string;
  /** How long an answer may take, with every repetition of the request. */
  silenceMilliseconds?: number;
}

/** Less than a run gives to storing its report, so that it learns why. */
const silence = 8000;

/**
 * Of one request. An audit log is read entry by entry: on a line that loses one request in ten, a call that begins anew
 * each time would never get to its end.
 */
const attempts = 3;

/** One bucket, as far as this project uses it. Errors are those of the AWS SDK; callers translate them. */
export interface ObjectStorage {
  /** Where an object lies, for people: `s3://bucket/key`. */
  locationOf(key: string): string;
  put(key: string, body: string | Uint8Array, contentType: string, signal?: AbortSignal): Promise<void>;
  /**
   * Writes an object that is never written again (`If-None-Match: *`). `exists`: somebody wrote it before, perhaps an
   * earlier attempt of the caller. A store that does not know the condition says `written` each time.
   */
  putOnce(
    key: string,
    body: string | Uint8Array,
    contentType: string,
    signal?: AbortSignal,
  ): Promise<'written' | 'exists'>;
  get(key: string): Promise<string>;
  /** The bytes as they lie there; undefined when there is no such object. */
  read(key: string, signal?: AbortSignal): Promise<StoredObject | undefined>;
  /** Every key that begins with `prefix` and comes after `startAfter`, in the order of the store, page by page. */
  list(prefix: string, startAfter?: string, signal?: AbortSignal): AsyncIterable<string>;
  close(): void;
}

/** An object as the store has it. */
export interface StoredObject {
  bytes: Uint8Array;
  /** By the clock of the store; now, when it does not say. */
  storedAt: Date;
}

/** How the SDK talks to a store. What is missing follows from whether it is AWS itself. */
export interface S3ClientOptions extends Pick<
  ObjectStorageOptions,
  'endpoint' | 'region' | 'silenceMilliseconds'
> {
  pathStyle?: boolean;
  checksums?: 'always' | 'whenRequired';
  /** Profile of the AWS credentials file; it goes before variables of the environment. */
  profile?: string;
  /** Of one request. Temporal repeats whole calls; only who sends many requests in one call wants more than one. */
  attempts?: number;
  /**
   * How long a request with its body and the head of its answer may take. With it `silenceMilliseconds` counts from the
   * last byte that moved, so that a slow way does not end a large upload; without it from the start of the request.
   */
  wholeMilliseconds?: number;
}

/** The SDK's client as every part of this project uses it. Nothing is sent before the first call. */
export function createS3Client({
  endpoint,
  region,
  silenceMilliseconds = silence,
  // Stores other than AWS take the bucket in the path, and some refuse the checksums that the SDK adds by default.
  pathStyle = endpoint !== undefined,
  checksums = endpoint === undefined ? undefined : 'whenRequired',
  profile,
  attempts = 1,
  wholeMilliseconds,
}: S3ClientOptions): S3Client {
  const when = checksums === 'always' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  return new S3Client({
    region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
    forcePathStyle: pathStyle,
    ...(checksums === undefined
      ? {}
      : { requestChecksumCalculation: when, responseChecksumValidation: when }),
    maxAttempts: attempts,
    // A store that takes the connection and then says nothing must not hold a run.
    requestHandler: {
      connectionTimeout: 3000,
      requestTimeout: wholeMilliseconds ?? silenceMilliseconds,
      throwOnRequestTimeout: true,
      ...(wholeMilliseconds === undefined ? {} : { socketTimeout: silenceMilliseconds }),
    },
  });
}

/** A key below the configured prefix. */
export function keyBelow(prefix: string, key: string): string {
  return prefix === '' ? key : `${prefix.replace(/\/+$/, '')}/${key}`;
}

/** Code or name only: messages of the SDK may carry request details. */
export function nameOfStorageError(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  const word = [code, name].find((one) => typeof one === 'string') ?? 'unknown error';
  return /^[\w.-]{1,60}$/.test(word) ? word : 'unknown error';
}

/** Reads objects, several at once, in the order of their keys. */
export async function* readInOrder(
  storage: Pick<ObjectStorage, 'read'>,
  keys: string[],
  signal?: AbortSignal,
): AsyncGenerator<{ key: string; object: StoredObject | undefined }, void, undefined> {
  const ahead: Promise<StoredObject | undefined>[] = [];
  for (const [index, key] of keys.entries()) {
    for (const next of keys.slice(index + ahead.length, index + readsAtOnce)) {
      const reading = storage.read(next, signal);
      // Whoever stops early must not leave an unhandled rejection behind.
      reading.catch(() => undefined);
      ahead.push(reading);
    }
    yield { key, object: await ahead.shift() };
  }
}

/** Enough to hide the way to the store, few enough for any of them. */
const readsAtOnce = 16;

/** Opens a bucket. Nothing is sent before the first call. */
export function createObjectStorage(options: ObjectStorageOptions): ObjectStorage {
  const { bucket, prefix } = options;
  const client = createS3Client({ ...options, attempts });
  const keyOf = (key: string): string => keyBelow(prefix, key);
  const within = options.silenceMilliseconds ?? silence;
  return {
    locationOf: (key) => `s3://${bucket}/${keyOf(key)}`,
    async put(key, body, contentType, signal) {
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: keyOf(key),
        Body: body,
        ContentType: contentType,
      });
      await bounded(within, signal, (stop) => client.send(command, stop));
    },
    putOnce(key, body, contentType, signal) {
      const input = {
        Bucket: bucket,
        Key: keyOf(key),
        Body: body,
        ContentType: contentType,
        IfNoneMatch: '*',
      };
      const write = (): Promise<unknown> =>
        bounded(within, signal, (stop) => client.send(new PutObjectCommand(input), stop));
      return onlyOnce(write, signal);
    },
    async get(key) {
      const command = new GetObjectCommand({ Bucket: bucket, Key: keyOf(key) });
      return await bounded(within, undefined, async (stop) => {
        const { Body } = await client.send(command, stop);
        return (await Body?.transformToString()) ?? '';
      });
    },
    async read(key, signal) {
      try {
        const command = new GetObjectCommand({ Bucket: bucket, Key: keyOf(key) });
        return await bounded(within, signal, async (stop) => {
          const { Body, LastModified = new Date() } = await client.send(command, stop);
          return { bytes: (await Body?.transformToByteArray()) ?? new Uint8Array(), storedAt: LastModified };
        });
      } catch (error) {
        if ((error as { name?: unknown }).name === 'NoSuchKey') return undefined;
        throw error;
      }
    },
    async *list(prefix, startAfter, signal) {
      let ContinuationToken: string | undefined;
      do {
        const command: ListObjectsV2Command = new ListObjectsV2Command({
          Bucket: bucket,
          Prefix: keyOf(prefix),
          ...(startAfter === undefined ? {} : { StartAfter: keyOf(startAfter) }),
          ...(ContinuationToken === undefined ? {} : { ContinuationToken }),
        });
        const page = await bounded(within, signal, (stop) => client.send(command, stop));
        for (const { Key = '' } of page.Contents ?? []) yield Key.slice(keyOf('').length);
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },
    close() {
      client.destroy();
    },
  };
}
