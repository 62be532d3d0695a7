import {
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  type PutObjectCommandInput,
  type S3Client,
  type StorageClass,
} from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import type { BackupLocation } from '../contracts/backup-policy.ts';
import { onlyOnce, statusOf, until } from './storage-calls.ts';

/** Something to be written, with its whole key. */
interface Write {
  key: string;
  body: Uint8Array;
  contentType: string;
}

type WriteOnce = (write: Write, signal: AbortSignal | undefined) => Promise<'written' | 'exists'>;

/** Above this, and in pieces of this, a body goes as a multipart upload: what fails is repeated piece by piece. */
const partBytes = 8 * 1024 * 1024;
/** Pieces under way at once; bodies are in memory anyway. */
const piecesAtOnce = 2;

const dayMilliseconds = 24 * 3600 * 1000;

/** How a location writes an object once; see {@link BackupLocation.writeOnce}. */
export function backupWriter(client: S3Client, location: BackupLocation): WriteOnce {
  switch (location.writeOnce) {
    case 'ifNoneMatch':
      return (write, signal) =>
        onlyOnce(() => put(client, { ...inputFor(write, location), IfNoneMatch: '*' }, signal), signal);
    case 'gcsGeneration':
      return (write, signal) =>
        onlyOnce(() => putFirstGeneration(client, inputFor(write, location), signal), signal);
    case 'none':
      return (write, signal) => lookAndWrite(client, inputFor(write, location), write.body, signal);
  }
}

function inputFor({ key, body, contentType }: Write, location: BackupLocation): PutObjectCommandInput {
  const { bucket, storageClass, serverSideEncryption, kmsKeyId, objectLock } = location;
  return {
    Bucket: bucket,
    Key: key,
    Body: body,
    ContentType: contentType,
    ...(storageClass === undefined ? {} : { StorageClass: storageClass as StorageClass }),
    ...(serverSideEncryption === undefined ? {} : { ServerSideEncryption: serverSideEncryption }),
    ...(kmsKeyId === undefined ? {} : { SSEKMSKeyId: kmsKeyId }),
    ...(objectLock === undefined
      ? {}
      : {
          ObjectLockMode: objectLock.mode,
          ObjectLockRetainUntilDate: new Date(Date.now() + objectLock.days * dayMilliseconds),
          // S3 takes a retention only with a checksum of the body, also where checksums are off otherwise.
          ChecksumAlgorithm: 'CRC32' as const,
        }),
  };
}

async function put(
  client: S3Client,
  input: PutObjectCommandInput & { Body?: unknown },
  signal: AbortSignal | undefined,
): Promise<void> {
  const { Body } = input;
  if (Body instanceof Uint8Array && Body.byteLength > partBytes) return putInPieces(client, input, signal);
  await client.send(new PutObjectCommand(input), until(signal));
}

/** The condition counts when the pieces are put together. What fails is aborted, as far as the store answers. */
async function putInPieces(
  client: S3Client,
  params: PutObjectCommandInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  // The uploader claims its controller's signal for itself, so it gets one of its own.
  const abortController = new AbortController();
  const stop = (): void => {
    abortController.abort();
  };
  signal?.throwIfAborted();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await new Upload({
      client,
      params,
      partSize: partBytes,
      queueSize: piecesAtOnce,
      abortController,
    }).done();
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

/** Google's XML API knows no condition for multipart uploads, so this is always one request. */
async function putFirstGeneration(
  client: S3Client,
  input: PutObjectCommandInput,
  signal: AbortSignal | undefined,
): Promise<void> {
  await client.send(firstGeneration(new PutObjectCommand(input)), until(signal));
}

/** Adds the condition of Google's XML API that there is no such object: generation 0. */
export function firstGeneration(command: PutObjectCommand): PutObjectCommand {
  command.middlewareStack.add(
    (next) => (args) => {
      const { headers } = args.request as { headers: Record<string, string> };
      headers['x-goog-if-generation-match'] = '0';
      return next(args);
    },
    // Before the signature, which covers it.
    { step: 'build', name: 'firstGeneration' },
  );
  return command;
}

/** Without a condition: looks before, and reads back what lies there afterwards. Two at once can still both succeed. */
async function lookAndWrite(
  client: S3Client,
  input: PutObjectCommandInput,
  body: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<'written' | 'exists'> {
  const place = { Bucket: input.Bucket, Key: input.Key };
  if (await isThere(() => client.send(new HeadObjectCommand(place), until(signal)))) return 'exists';
  await put(client, input, signal);
  const { Body } = await client.send(new GetObjectCommand(place), until(signal));
  const stored = (await Body?.transformToByteArray()) ?? new Uint8Array();
  return Buffer.compare(stored, body) === 0 ? 'written' : 'exists';
}

async function isThere(look: () => Promise<unknown>): Promise<boolean> {
  try {
    await look();
    return true;
  } catch (error) {
    if (statusOf(error) === 404) return false;
    throw error;
  }
}
