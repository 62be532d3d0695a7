import { openBackupStores, type BackupStore } from '../../clients/backup-storage.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { ObjectStorageOptions } from '../../clients/object-storage.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import type { Json } from '../../contracts/json.ts';
import type { BackupRef } from '../../contracts/recovery.ts';
import type { Target } from '../../contracts/target.ts';
import { isJsonObject } from '../../domain/recovery/edit.ts';
import { kindKey } from '../../domain/recovery/kinds.ts';
import type { SealingKeys } from '../../encryption/messages.ts';
import { readBackupKeys, readPublicKeys } from '../backups/keys.ts';
import {
  openManifest,
  readPart,
  type OpenedBackup,
  type OpeningKeys,
  type ReadObject,
} from '../backups/open-backup.ts';
import { entriesByPart } from '../backups/verify.ts';
import { failure } from '../failures.ts';

/** What every activity of a recovery needs. */
export interface RecoveryDependencies {
  gatewayFor: (target: Target) => KubernetesGateway;
  loadTarget: (name: string | undefined) => Promise<Target>;
  targetsFolder: string;
  /** The worker's own bucket, for profiles without locations. */
  bucket?: ObjectStorageOptions | undefined;
}

/** A backup that is read, and the place where the run keeps its own files beside it. */
export interface Source {
  store: BackupStore;
  opened: OpenedBackup;
  keys: OpeningKeys;
  /** Entries by part, then by path. */
  parts: ReadonlyMap<string, ReadonlyMap<string, IndexEntry>>;
  /** Seals what this run keeps of the cluster's former state. */
  sealing: SealingKeys;
}

/** The backup section of a profile. @throws InvalidProfile when there is none */
export function policyOfBackups({ profile }: Target): BackupPolicy {
  if (profile.backup !== undefined) return profile.backup;
  throw failure(
    'InvalidProfile',
    `profile ${profile.target} has no section backup: there is nothing that says where its backups lie and whose signature they carry`,
  );
}

/** Opens the locations of a target for as long as `work` takes. @throws InvalidProfile, InvalidRequest */
export async function withStores<T>(
  { bucket }: RecoveryDependencies,
  target: Target,
  location: string | undefined,
  work: (stores: BackupStore[]) => Promise<T>,
): Promise<T> {
  const stores = openBackupStores(policyOfBackups(target), bucket);
  try {
    const wanted = location === undefined ? stores : stores.filter(({ name }) => name === location);
    if (wanted.length === 0)
      throw failure(
        'InvalidRequest',
        `location: target ${target.profile.target} has ${stores.map(({ name }) => name).join(', ') || 'no place for backups'}`,
      );
    return await work(wanted);
  } finally {
    for (const store of stores) store.close();
  }
}

/**
 * Opens the very backup that was agreed on, with its index. @throws BackupRefused: the manifest is another one than the
 * one that was verified, or not signed by a key of the profile
 */
export async function withSource<T>(
  dependencies: RecoveryDependencies,
  target: Target,
  backup: BackupRef,
  signal: AbortSignal,
  work: (source: Source) => Promise<T>,
): Promise<T> {
  const { keys } = policyOfBackups(target);
  const gateway = dependencies.gatewayFor(target);
  const publicKeys = await readPublicKeys(dependencies.targetsFolder, keys);
  const [privateKeys, [signingKey]] = await Promise.all([
    readBackupKeys(gateway, target, 'online', signal),
    readBackupKeys(gateway, target, 'signing', signal),
  ]);
  if (signingKey === undefined) throw failure('NotFound', 'there is no key that signs backups');
  return await withStores(dependencies, target, backup.location, async ([store]) => {
    if (store === undefined) throw failure('InvalidRequest', `there is no location ${backup.location}`);
    const { target: name } = target.profile;
    const opened = await openManifest(store, name, backup.backupId, publicKeys.signing, signal);
    if (opened.manifestSha256 !== backup.manifestSha256)
      throw failure(
        'BackupRefused',
        `the manifest of backup ${backup.backupId} in ${store.name} is another one than the one that was verified`,
      );
    const opening = { privateKeys, signers: publicKeys.signing };
    const parts = await entriesByPart(store, opened, opening, signal, slim);
    const sealing = { recipients: publicKeys.recipients, signingKey };
    return await work({ store, opened, keys: opening, parts, sealing });
  });
}

/**
 * The objects of those parts that hold something wanted, part after part, in an order that is the same at every attempt.
 * A part comes as a whole, when all its hashes are good: damage behind its first object must not be found after that
 * was written. @throws BackupRefused, StorageUnavailable
 */
export async function* partsOf(
  { store, opened, keys, parts }: Source,
  wanted: (entry: IndexEntry) => boolean,
  signal: AbortSignal,
): AsyncGenerator<ReadObject[], void, undefined> {
  for (const part of opened.manifest.parts) {
    const entries = parts.get(part.name) ?? new Map<string, IndexEntry>();
    if (![...entries.values()].some(wanted)) continue;
    const objects: ReadObject[] = [];
    for await (const one of readPart(store, opened, part, entries, keys, signal))
      if (wanted(one.entry)) objects.push(one);
    yield objects;
  }
}

/** Every entry of the index. */
export function* entriesOf({ parts }: Source): Generator<IndexEntry, void, undefined> {
  for (const entries of parts.values()) yield* entries.values();
}

/** Whether somebody applies the object on the server, or a scaler owns a part of it. */
export function isApplied(managedFields: Json | undefined): boolean {
  return (Array.isArray(managedFields) ? managedFields : [])
    .filter(isJsonObject)
    .some(({ operation, subresource }) => operation === 'Apply' || subresource === 'scale');
}

/** What rules and proofs need of an entry; with 50,000 objects the rest would fill the memory. */
function slim(entry: IndexEntry): IndexEntry {
  const { uid, ownerReferences, managedFields } = entry.dropped.metadata;
  const { status } = entry.dropped;
  const keepsFields = kindKey(entry) === 'Service' || isApplied(managedFields);
  return {
    ...entry,
    dropped: {
      metadata: {
        ...(uid === undefined ? {} : { uid }),
        ...(ownerReferences === undefined ? {} : { ownerReferences }),
        ...(keepsFields && managedFields !== undefined ? { managedFields } : {}),
      },
      ...(status === undefined || !['Job', 'Pod'].includes(entry.kind) ? {} : { status }),
    },
  };
}
