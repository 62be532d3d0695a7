import { openBackupStores, type BackupStore } from '../../clients/backup-storage.ts';
import type { ObjectStorageOptions } from '../../clients/object-storage.ts';
import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import type { Target } from '../../contracts/target.ts';
import { failure } from '../failures.ts';

/** What the profile says about backups. @throws InvalidProfile when it says nothing */
export function policyOf({ profile }: Target): BackupPolicy {
  if (profile.backup !== undefined) return profile.backup;
  throw failure(
    'InvalidProfile',
    `profile ${profile.target} has no section backup, so there is nothing that says where backups go and who can read them; docs/runbooks/backup.md has one to begin with`,
  );
}

/**
 * Opens the locations of a target, or the one that is named, and closes them after the work.
 * @throws InvalidProfile: no section backup, or no location at all; InvalidRequest: no location of that name
 */
export async function withStores<T>(
  {
    target,
    location,
    bucket,
  }: { target: Target; location?: string | undefined; bucket: ObjectStorageOptions | undefined },
  work: (stores: BackupStore[], policy: BackupPolicy) => Promise<T>,
): Promise<T> {
  const policy = policyOf(target);
  const stores = openBackupStores(policy, bucket);
  try {
    const wanted = location === undefined ? stores : stores.filter(({ name }) => name === location);
    if (wanted.length === 0) throw noStore(target, location, stores);
    return await work(wanted, policy);
  } finally {
    for (const store of stores) store.close();
  }
}

/** The same for the one location of that name. */
export async function withStore<T>(
  asked: { target: Target; location: string; bucket: ObjectStorageOptions | undefined },
  work: (store: BackupStore, policy: BackupPolicy) => Promise<T>,
): Promise<T> {
  return await withStores(asked, async ([store], policy) => {
    if (store === undefined) throw noStore(asked.target, asked.location, []);
    return await work(store, policy);
  });
}

function noStore(target: Target, location: string | undefined, stores: BackupStore[]): Error {
  const { target: name } = target.profile;
  if (location === undefined || stores.length === 0)
    return failure(
      'InvalidProfile',
      `profile ${name} names no location for backups and the worker has no bucket: set backup.locations or RUNBOOK_STORAGE_BUCKET`,
    );
  const known = stores.map((store) => store.name).join(', ');
  return failure('InvalidRequest', `location: ${location} is none of target ${name}; it has ${known}`);
}
