import type { BackupRef } from '../../contracts/recovery.ts';
import type { Target } from '../../contracts/target.ts';
import { readBackupKeys, readPublicKeys } from '../backups/keys.ts';
import { readBack } from '../backups/verify.ts';
import { failure } from '../failures.ts';
import { policyOfBackups, withStores, type RecoveryDependencies } from './source.ts';

/**
 * Reads the whole backup back before anything of it is used: every signature, hash and archive. Reading only, so it may
 * run any number of times. @throws BackupRefused with what is wrong, StorageUnavailable
 */
export async function verifyChosen(
  dependencies: RecoveryDependencies,
  target: Target,
  backup: BackupRef,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<{ objects: number; bytes: number }> {
  const { keys } = policyOfBackups(target);
  const publicKeys = await readPublicKeys(dependencies.targetsFolder, keys);
  const privateKeys = await readBackupKeys(dependencies.gatewayFor(target), target, 'online', signal);
  return await withStores(dependencies, target, backup.location, async ([store]) => {
    if (store === undefined) throw failure('InvalidRequest', `there is no location ${backup.location}`);
    const { backupId, manifestSha256 } = backup;
    const opening = { privateKeys, signers: publicKeys.signing };
    const asked = { target: target.profile.target, backupId };
    const { opened, objects, bytes, findings } = await readBack(store, asked, opening, signal, say);
    if (findings.length > 0) throw failure('BackupRefused', `backup ${backupId}: ${findings.join('; ')}`);
    if (opened?.manifestSha256 !== manifestSha256)
      throw failure('BackupRefused', `backup ${backupId}: its manifest was exchanged since it was chosen`);
    return { objects, bytes };
  });
}
