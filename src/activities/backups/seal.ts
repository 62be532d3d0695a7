import { hash } from 'node:crypto';
import type { BackupStore } from '../../clients/backup-storage.ts';
import { backupFiles, type StoredFile } from '../../contracts/backup-manifest.ts';
import type { Sealer } from '../../encryption/messages.ts';
import { failure } from '../failures.ts';
import { storing } from './failures.ts';

/** Where the files of one backup go, and what they are sealed with. */
export interface BackupTarget {
  target: string;
  backupId: string;
  stores: BackupStore[];
  sealer: Sealer;
}

/** So many attempts of one transfer are no accident: somebody writes into the folder. */
const mostAttempts = 100;

export function sha256Of(bytes: Uint8Array | string): string {
  return hash('sha256', bytes, 'hex');
}

/** The key of a file of a backup. */
export function keyOf({ target, backupId }: { target: string; backupId: string }, name: string): string {
  return `${backupFiles.folder(target)}${backupId}/${name}`;
}

/**
 * Encrypts, signs and writes one file to every location. `nameOf` gives its name at each attempt: a name that is taken,
 * by an earlier attempt that may still be writing, is never used again. @throws StorageUnavailable
 */
export async function storeSealed(
  place: BackupTarget,
  plain: Uint8Array,
  nameOf: (attempt: number) => string,
  attempt: number,
  signal: AbortSignal,
): Promise<StoredFile> {
  const sealed = await place.sealer.seal(plain);
  signal.throwIfAborted();
  for (let number = attempt; number < attempt + mostAttempts; number++) {
    const name = nameOf(number);
    const results = await Promise.all(
      place.stores.map((store) =>
        storing(signal, `write ${name} to ${store.name}`, () =>
          store.putOnce(keyOf(place, name), sealed, 'application/pgp-encrypted', signal),
        ),
      ),
    );
    if (results.every((result) => result === 'written'))
      return { name, bytes: sealed.length, sha256: sha256Of(sealed) };
  }
  throw failure(
    'Refused',
    `no free name for a file of backup ${place.backupId}: ${nameOf(attempt)} and the next ${mostAttempts - 1} are taken`,
  );
}
