import type { BackupStore } from '../../clients/backup-storage.ts';
import type { ChosenBackup } from '../../contracts/verify-backup.ts';
import { timeOf } from '../../domain/backups/names.ts';
import { failure } from '../failures.ts';
import { listBackups } from './open-backup.ts';

/**
 * Which backup to look at in each location: the one that was asked for, or the newest there. Reading only.
 * @throws NotFound when no location has the one that was asked for; StorageUnavailable
 */
export async function chooseBackups(
  stores: BackupStore[],
  { target, backup = 'latest' }: { target: string; backup?: string | undefined },
  now: number,
  signal: AbortSignal,
): Promise<ChosenBackup[]> {
  const chosen = await Promise.all(
    stores.map(async (store): Promise<ChosenBackup> => {
      const ids = await listBackups(store, target, signal);
      const backupId = backup === 'latest' ? ids.at(-1) : ids.find((id) => id === backup);
      if (backupId === undefined) return { location: store.name };
      const begun = timeOf(backupId)?.getTime() ?? now;
      return { location: store.name, backupId, ageSeconds: Math.max(0, Math.round((now - begun) / 1000)) };
    }),
  );
  if (backup !== 'latest' && chosen.every(({ backupId }) => backupId === undefined))
    throw failure(
      'NotFound',
      `there is no backup ${backup} of target ${target}; see: runbook backups list --target ${target}`,
    );
  return chosen;
}
