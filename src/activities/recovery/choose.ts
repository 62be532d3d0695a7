import type { BackupStore } from '../../clients/backup-storage.ts';
import type { VerificationRecord } from '../../contracts/backup-manifest.ts';
import type { BackupRef } from '../../contracts/recovery.ts';
import type { Target } from '../../contracts/target.ts';
import { MessageRefused, verifyClear } from '../../encryption/messages.ts';
import { storing } from '../backups/failures.ts';
import { readPublicKeys } from '../backups/keys.ts';
import { listBackups, openManifest } from '../backups/open-backup.ts';
import { keyOf } from '../backups/seal.ts';
import { failure } from '../failures.ts';
import { policyOfBackups, withStores, type RecoveryDependencies } from './source.ts';

/** A record says a few sentences. */
const mostRecordBytes = 1024 * 1024;

/**
 * Finds the backup that was asked for: by id, the newest of a day (UTC), or the newest that has a valid record of a
 * verification that passed. Of several locations the first that has it. Reading only.
 * @throws NotFound, BackupRefused, StorageUnavailable
 */
export async function chooseRecovery(
  dependencies: RecoveryDependencies,
  { target, backup, location }: { target: Target; backup: string; location?: string | undefined },
  signal: AbortSignal,
): Promise<BackupRef> {
  const { signing } = await readPublicKeys(dependencies.targetsFolder, policyOfBackups(target).keys);
  const name = target.profile.target;
  return await withStores(dependencies, target, location, async (stores) => {
    for (const store of stores) {
      const backupId = await findIn(store, name, backup, signing, signal);
      if (backupId === undefined) continue;
      const { manifest, manifestSha256 } = await openManifest(store, name, backupId, signing, signal);
      return {
        location: store.name,
        backupId,
        manifestSha256,
        from: manifest.namespace,
        completedAt: manifest.completedAt,
        serverVersion: manifest.cluster.version,
        partial: manifest.missing.length > 0,
      };
    }
    const places = stores.map((store) => store.name).join(', ');
    throw failure(
      'NotFound',
      `backup: there is no ${described(backup)} of target ${name} in ${places}; see: runbook backups list --target ${name}`,
    );
  });
}

function described(backup: string): string {
  if (backup === 'latest-verified') return 'backup with a verification that passed';
  return /^\d{4}-/.test(backup) ? `backup of ${backup}` : `backup ${backup}`;
}

async function findIn(
  store: BackupStore,
  target: string,
  backup: string,
  signers: string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const ids = await listBackups(store, target, signal);
  if (backup === 'latest-verified') {
    for (const id of ids.toReversed()) if (await isVerified(store, target, id, signers, signal)) return id;
    return undefined;
  }
  const day = /^\d{4}-\d{2}-\d{2}$/.test(backup) ? backup.replaceAll('-', '') : undefined;
  return day === undefined ? ids.find((id) => id === backup) : ids.findLast((id) => id.startsWith(`${day}-`));
}

/** The last record counts: a backup that was damaged since its first verification is none to recover from. */
async function isVerified(
  store: BackupStore,
  target: string,
  backupId: string,
  signers: string[],
  signal: AbortSignal,
): Promise<boolean> {
  const prefix = keyOf({ target, backupId }, 'verified-');
  const keys: string[] = [];
  await storing(signal, `list the verifications in ${store.name}`, async () => {
    for await (const found of store.list(prefix, {}, signal)) if ('key' in found) keys.push(found.key);
  });
  const { manifestSha256 } = await openManifest(store, target, backupId, signers, signal);
  for (const key of keys.sort().reverse()) {
    const record = await readRecord(store, key, signers, signal);
    if (record?.backupId !== backupId || record.target !== target) continue;
    return record.verdict === 'pass' && record.manifestSha256 === manifestSha256;
  }
  return false;
}

/** What carries no good signature says nothing. */
async function readRecord(
  store: BackupStore,
  key: string,
  signers: string[],
  signal: AbortSignal,
): Promise<VerificationRecord | undefined> {
  const file = await storing(signal, `read ${store.locationOf(key)}`, () =>
    store.read(key, signal, mostRecordBytes),
  );
  if (file === undefined || !key.endsWith('.asc')) return undefined;
  try {
    return JSON.parse((await verifyClear(file, signers)).text) as VerificationRecord;
  } catch (error) {
    if (error instanceof MessageRefused || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
