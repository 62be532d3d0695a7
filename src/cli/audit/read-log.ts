import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  createObjectStorage,
  nameOfStorageError,
  readInOrder,
  type ObjectStorage,
} from '../../clients/object-storage.ts';
import { readConfig, type Config } from '../../config.ts';
import { auditFolder, readEntry, type ReadEntry } from '../../domain/audit.ts';
import { messageOf } from '../../local/wait.ts';
import { preferLocalStack } from '../environment.ts';
import { UsageError } from '../exit-codes.ts';

/** Where a log is read from: the bucket, or a folder with a copy of it. */
export interface LogSource {
  /** For people. */
  place: string;
  storage: Pick<ObjectStorage, 'list' | 'read'>;
  close: () => void;
}

/** Opens the folder, or else the bucket of the configuration. Nothing is read yet. @throws UsageError */
export function openSource(target: string, folder: string | undefined): LogSource {
  if (folder !== undefined)
    return {
      place: join(folder, auditFolder(target)),
      storage: folderStorage(folder),
      close: () => undefined,
    };
  // Someone's own bucket must not meet the addresses of the local stack.
  if (process.env.RUNBOOK_STORAGE_BUCKET === undefined)
    preferLocalStack((line) => {
      console.error(line);
    });
  const options = readOptions();
  if (options === undefined)
    throw new UsageError(
      'no bucket is configured: set RUNBOOK_STORAGE_BUCKET (and RUNBOOK_STORAGE_ENDPOINT), or name a copy of it with --folder',
    );
  const storage = createObjectStorage(options);
  return {
    place: storage.locationOf(auditFolder(target)),
    storage,
    close: () => {
      storage.close();
    },
  };
}

/** @throws UsageError: with a fault in the configuration nothing was looked at */
function readOptions(): Config['storage'] {
  try {
    return readConfig(process.env).storage;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}

/** A copy of the bucket, as `aws s3 sync` makes one. */
function folderStorage(folder: string): LogSource['storage'] {
  return {
    async *list(prefix) {
      const names = await readdir(join(folder, prefix));
      for (const name of names.sort()) yield `${prefix}${name}`;
    },
    async read(key) {
      const [bytes, { mtime }] = await Promise.all([readFile(join(folder, key)), stat(join(folder, key))]);
      return { bytes, storedAt: mtime };
    },
  };
}

const newsEveryMilliseconds = 2000;

/** Every object of a log, in the order of the names. Says how far it is when it takes long. */
export async function* readLog(
  target: string,
  { storage, place }: LogSource,
  say: (line: string) => void,
): AsyncGenerator<ReadEntry, void, undefined> {
  let done = 0;
  const keys: string[] = [];
  const news = setInterval(() => {
    say(done === 0 ? `found ${keys.length} entries at ${place}` : `read ${done} of ${keys.length} entries`);
  }, newsEveryMilliseconds);
  try {
    for await (const key of storage.list(auditFolder(target))) keys.push(key);
    keys.sort();
    for await (const { key, object } of readInOrder(storage, keys)) {
      done += 1;
      // What was there a moment ago and is gone now is missing.
      if (object !== undefined) yield readEntry(target, { key, bytes: object.bytes }, sha256);
    }
  } catch (error) {
    const name = nameOfStorageError(error);
    // A folder or bucket without a log of this target has none: that is an answer.
    if (name === 'ENOENT' && done === 0) return;
    throw new Error(`${place} cannot be read: ${name}`, { cause: error });
  } finally {
    clearInterval(news);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
