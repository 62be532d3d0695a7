import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { startServer, untilReady, type Server, type ServerHost } from './server.ts';

export interface ObjectStorageEndpoint {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  bucket: string;
}

const region = 'us-east-1';
const bucket = 'runbooks';

/** Starts an S3 server with keys of its own and one bucket that can lock objects. */
export async function startObjectStorage(
  host: ServerHost,
  program: string,
  port: number,
  onServer: (server: Server) => void,
): Promise<ObjectStorageEndpoint> {
  const accessKeyId = randomBytes(10).toString('hex');
  const secretAccessKey = randomBytes(24).toString('base64url');
  const [objects, versions] = ['objects', 'object-versions'].map((name) => join(host.directory, name));
  for (const folder of [objects, versions]) mkdirSync(folder ?? '', { mode: 0o700 });
  const server = startServer(host, {
    name: 'object-storage',
    command: program,
    // Without a folder for versions a plain delete of a locked object is refused, unlike S3's own answer.
    arguments: [
      '--port',
      `127.0.0.1:${port}`,
      '--region',
      region,
      'posix',
      '--versioning-dir',
      versions ?? '',
      objects ?? '',
    ],
    // The keys go by environment: arguments can be read by every user of the machine.
    environment: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  });
  onServer(server);
  const storage = { endpoint: `http://127.0.0.1:${port}`, region, accessKeyId, secretAccessKey, bucket };
  await untilReady(host, server, () => createBucket(storage));
  return storage;
}

async function createBucket(storage: ObjectStorageEndpoint): Promise<boolean> {
  const { accessKeyId, secretAccessKey, endpoint } = storage;
  const client = new S3Client({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey },
    forcePathStyle: true,
    maxAttempts: 1,
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: bucket, ObjectLockEnabledForBucket: true }));
    return true;
  } finally {
    client.destroy();
  }
}
