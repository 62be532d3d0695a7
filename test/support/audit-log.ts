import { createHash } from 'node:crypto';
import { createObjectStorage } from '../../src/clients/object-storage.ts';
import { auditFolder, readEntry, type ReadEntry } from '../../src/domain/audit.ts';
import { stack } from './stack.ts';

/** Every entry of a target's audit log below a prefix of the bucket, in the order of their names. */
export async function readAuditLog(target: string, prefix = ''): Promise<ReadEntry[]> {
  const { bucket, endpoint, region } = stack().s3;
  const storage = createObjectStorage({ bucket, endpoint, region, prefix });
  try {
    const keys: string[] = [];
    for await (const key of storage.list(auditFolder(target))) keys.push(key);
    return await Promise.all(
      keys.sort().map(async (key) => {
        const object = await storage.read(key);
        if (object === undefined) throw new Error(`${key} was removed`);
        return readEntry(target, { key, bytes: object.bytes }, sha256);
      }),
    );
  } finally {
    storage.close();
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
