import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';

/** How to reach the bucket. Credentials come from the usual AWS variables and files unless given. */
export interface ObjectStorageOptions {
  bucket: string;
  endpoint?: string;
  region: string;
  prefix: string;
  /** How long an answer may take; by default less than a run gives to storing its report, so that it learns why. */
  silenceMilliseconds?: number;
}

/** One bucket, as far as this project uses it. Errors are those of the AWS SDK; callers translate them. */
export interface ObjectStorage {
  /** Where an object lies, for people: `s3://bucket/key`. */
  locationOf(key: string): string;
  put(key: string, body: string, contentType: string, signal?: AbortSignal): Promise<void>;
  get(key: string): Promise<string>;
  close(): void;
}

/** The SDK's client as every part of this project uses it. Nothing is sent before the first call. */
export function createS3Client({
  endpoint,
  region,
  silenceMilliseconds = 8000,
}: Pick<ObjectStorageOptions, 'endpoint' | 'region' | 'silenceMilliseconds'>): S3Client {
  return new S3Client({
    region,
    // Stores other than AWS take the bucket in the path, and some refuse the checksums that the SDK adds by default.
    ...(endpoint === undefined
      ? {}
      : {
          endpoint,
          forcePathStyle: true,
          requestChecksumCalculation: 'WHEN_REQUIRED',
          responseChecksumValidation: 'WHEN_REQUIRED',
        }),
    // Temporal repeats; two layers of retries would only hide how long a call really took.
    maxAttempts: 1,
    // A store that takes the connection and then says nothing must not hold a run.
    requestHandler: {
      connectionTimeout: 3000,
      requestTimeout: silenceMilliseconds,
      throwOnRequestTimeout: true,
    },
  });
}

/** A key below the configured prefix. */
export function keyBelow(prefix: string, key: string): string {
  return prefix === '' ? key : `${prefix.replace(/\/+$/, '')}/${key}`;
}

/** Opens a bucket. Nothing is sent before the first call. */
export function createObjectStorage(options: ObjectStorageOptions): ObjectStorage {
  const { bucket, prefix } = options;
  const client = createS3Client(options);
  const keyOf = (key: string): string => keyBelow(prefix, key);
  return {
    locationOf: (key) => `s3://${bucket}/${keyOf(key)}`,
    async put(key, body, contentType, signal) {
      const command = new PutObjectCommand({
        Bucket: bucket,
        Key: keyOf(key),
        Body: body,
        ContentType: contentType,
      });
      await client.send(command, signal === undefined ? {} : { abortSignal: signal });
    },
    async get(key) {
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: keyOf(key) }));
      return (await answer.Body?.transformToString()) ?? '';
    },
    close() {
      client.destroy();
    },
  };
}
