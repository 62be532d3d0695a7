import { entriesByPart, readBack } from '../../../src/activities/backups/verify.ts';
import { listBackups } from '../../../src/activities/backups/open-backup.ts';
import { openBackupStores, type BackupStore } from '../../../src/clients/backup-storage.ts';
import { backupPolicySchema } from '../../../src/contracts/backup-policy.ts';
import { backupSection, type TestKeys } from '../../support/backups.ts';
import { stack } from '../../support/stack.ts';
import { scratch } from './scratch.ts';

const { signal } = new AbortController();

/** How many results drills of a target have kept. */
export async function resultsLeft(target: string, keys: TestKeys): Promise<string[]> {
  const store = openStore(target, keys);
  try {
    const results: string[] = [];
    for await (const found of store.list(`drills/${target}/`))
      if ('key' in found && found.key.endsWith('.json')) results.push(found.key);
    return [`${results.length} results of drills`];
  } finally {
    store.close();
  }
}

/** What the backups of a target hold, read back as a whole, object by object. @throws when one is damaged */
export async function backupsLeft(target: string, keys: TestKeys): Promise<string[]> {
  const store = openStore(target, keys);
  const opening = { privateKeys: [{ armored: keys.online.privateKey }], signers: [keys.signing.publicKey] };
  try {
    const left: string[] = [];
    for (const [index, backupId] of (await listBackups(store, target, signal)).entries()) {
      const { opened, findings } = await readBack(
        store,
        { target, backupId },
        opening,
        signal,
        () => undefined,
      );
      if (opened === undefined || findings.length > 0)
        throw new Error(`a backup is damaged: ${findings.join('; ')}`);
      const byPart = await entriesByPart(store, opened, opening, signal);
      const paths = [...byPart.values()].flatMap((entries) => [...entries.keys()]);
      const missing = opened.manifest.missing.map(({ what }) => `missing ${what}`);
      left.push(...[...paths, ...missing].map((path) => `backup ${index + 1}: ${path}`).sort());
    }
    return left;
  } finally {
    store.close();
  }
}

function openStore(target: string, keys: TestKeys): BackupStore {
  const { bucket, endpoint, region } = stack().s3;
  const policy = backupPolicySchema.parse(backupSection(scratch('keys'), target, keys));
  const [store] = openBackupStores(policy, { bucket, endpoint, region, prefix: '' });
  if (store === undefined) throw new Error('no bucket');
  return store;
}
