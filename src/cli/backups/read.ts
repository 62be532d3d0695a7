import { readPublicKeys } from '../../activities/backups/keys.ts';
import { listBackups } from '../../activities/backups/open-backup.ts';
import { bytesOf } from '../../activities/backups/commit.ts';
import { surveyBackup, type SurveyedBackup } from '../../activities/pruning/survey.ts';
import { loadNamedTarget } from '../named-target.ts';
import { openBackupStores, type BackupStore } from '../../clients/backup-storage.ts';
import type { Config } from '../../config.ts';
import { backupFiles, type BackupManifest } from '../../contracts/backup-manifest.ts';
import { timeOf } from '../../domain/backups/names.ts';
import { UsageError } from '../exit-codes.ts';

/** One backup in one location, as its signed manifest tells. */
export interface ListedBackup {
  location: string;
  backupId: string;
  ageSeconds: number;
  /** `refused`: the manifest cannot be believed; `why` says it. */
  state: 'complete' | 'PARTIAL' | 'refused';
  why?: string;
  objects?: number;
  bytes?: number;
  consistency?: BackupManifest['consistency'];
  verification?: { verdict: 'pass' | 'fail'; at: string };
}

/** The locations of one target, and whose signature counts. */
export interface OpenedLocations {
  target: string;
  stores: BackupStore[];
  signers: string[];
}

const { signal } = new AbortController();

/** Opens the locations of a target by its profile: needs their credentials, no cluster and no Temporal. */
export async function withLocations<T>(
  config: Config,
  asked: { target?: string; location?: string },
  work: (opened: OpenedLocations) => Promise<T>,
): Promise<T> {
  const { profile } = await loadNamedTarget(config.targetsFolder, asked.target, config.defaultTarget);
  if (profile.backup === undefined)
    throw new UsageError(`profile ${profile.target} has no section backup; docs/runbooks/backup.md has one`);
  const all = openBackupStores(profile.backup, config.storage);
  try {
    const stores = all.filter(({ name }) => asked.location === undefined || name === asked.location);
    if (stores.length === 0)
      throw new UsageError(
        all.length === 0
          ? `profile ${profile.target} names no location and RUNBOOK_STORAGE_BUCKET is not set`
          : `--location takes one of: ${all.map(({ name }) => name).join(', ')}`,
      );
    const { signing } = await readPublicKeys(config.targetsFolder, profile.backup.keys);
    return await work({ target: profile.target, stores, signers: signing });
  } finally {
    for (const store of all) store.close();
  }
}

/** Every backup of a target, the newest first. */
export async function listAll(
  { target, stores, signers }: OpenedLocations,
  now: number,
): Promise<ListedBackup[]> {
  const listed: ListedBackup[] = [];
  for (const store of stores)
    for (const backupId of (await listBackups(store, target, signal)).toReversed()) {
      const found = await readOne({ target, stores, signers }, store, backupId);
      listed.push(rowOf(store.name, backupId, found, now));
    }
  return listed;
}

/** Manifest and newest verification of one backup; a sentence says why it cannot be believed. */
export async function readOne(
  { target, signers }: OpenedLocations,
  store: BackupStore,
  backupId: string,
): Promise<SurveyedBackup | string> {
  const folder = `${backupFiles.folder(target)}${backupId}/`;
  const files: { name: string }[] = [];
  for await (const one of store.list(folder, {}, signal))
    if ('key' in one) files.push({ name: one.key.slice(folder.length) });
  return await surveyBackup({ store, target, signers }, backupId, files, signal);
}

function rowOf(
  location: string,
  backupId: string,
  found: SurveyedBackup | string,
  now: number,
): ListedBackup {
  const ageSeconds = Math.max(0, Math.round((now - (timeOf(backupId)?.getTime() ?? now)) / 1000));
  const of = { location, backupId, ageSeconds };
  if (typeof found === 'string') return { ...of, state: 'refused', why: found };
  const { manifest, verification } = found;
  return {
    ...of,
    state: manifest.missing.length === 0 ? 'complete' : 'PARTIAL',
    objects: manifest.objects,
    bytes: bytesOf(manifest),
    consistency: manifest.consistency,
    ...(verification === undefined
      ? {}
      : { verification: { verdict: verification.verdict, at: verification.at } }),
  };
}
