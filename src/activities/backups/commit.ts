import { backupFiles, type BackupManifest, type Missing } from '../../contracts/backup-manifest.ts';
import type { CollectedLogs, CommittedBackup, HookOutcome, Transferred } from '../../contracts/backup.ts';
import type { RunRef } from '../../contracts/run-ref.ts';
import type { Target } from '../../contracts/target.ts';
import { renderSigned } from '../../domain/backups/manifest.ts';
import type { BackupStore } from '../../clients/backup-storage.ts';
import { failure } from '../failures.ts';
import { storing } from './failures.ts';
import { openManifest } from './open-backup.ts';
import { keyOf, sha256Of, type BackupTarget } from './seal.ts';
import type { Snapshot } from './read/snapshot.ts';

/** Everything that a backup turned out to be. */
export interface BackupContent {
  run: RunRef;
  target: Target;
  server: string;
  startedAt: string;
  completedAt: string;
  snapshot: Pick<Snapshot, 'resourceVersion' | 'serverVersion' | 'missing'>;
  transferred: Transferred[];
  logs: CollectedLogs;
  hooks: HookOutcome[];
}

/** Whom the files are encrypted to, and who signs them, by fingerprint. */
export interface KeyNames {
  recipients: string[];
  signer: string;
}

/**
 * Writes the signed manifest to every location, once: from then on the backup is there. Idempotent: an attempt that finds
 * a manifest verifies that it is the one of this run with the same parts. @throws StorageUnavailable, BackupRefused
 */
export async function commitBackup(
  place: BackupTarget,
  names: KeyNames,
  signers: string[],
  content: BackupContent,
  signal: AbortSignal,
): Promise<CommittedBackup> {
  const manifest = manifestOf(place, names, content);
  const file = await place.sealer.sign(renderSigned(manifest));
  const key = keyOf(place, backupFiles.manifest);
  for (const store of place.stores) {
    const result = await storing(signal, `write the manifest to ${store.name}`, () =>
      store.putOnce(key, file, 'text/plain; charset=utf-8', signal),
    );
    if (result === 'exists') await refuseOther(store, place, signers, manifest, signal);
  }
  const { objects, consistency, locations, missing } = manifest;
  return {
    backupId: place.backupId,
    objects,
    bytes: bytesOf(manifest),
    complete: missing.length === 0,
    consistency,
    manifestSha256: sha256Of(file),
    locations,
    notes: place.stores.flatMap(noteOf),
  };
}

/** Sizes of all files, as they lie in each location. */
export function bytesOf({ parts, indexes, logs }: BackupManifest): number {
  return [...parts, ...indexes, ...logs].reduce((sum, { bytes }) => sum + bytes, 0);
}

function manifestOf(place: BackupTarget, names: KeyNames, content: BackupContent): BackupManifest {
  const { run, target, server, startedAt, completedAt, snapshot, transferred, logs, hooks } = content;
  const { profile, digest } = target;
  const kinds = transferred.flatMap((one) => one.kinds).filter(({ objects }) => objects > 0);
  const parts = transferred.flatMap((one) => one.parts);
  return {
    format: 'runbook-backup/1',
    backupId: place.backupId,
    target: profile.target,
    namespace: profile.namespace,
    profileDigest: digest,
    run,
    startedAt,
    completedAt,
    cluster: { version: snapshot.serverVersion, server },
    consistency: kinds.every(({ consistency }) => consistency === 'snapshot') ? 'snapshot' : 'perKind',
    resourceVersion: snapshot.resourceVersion,
    kinds: sortedBy(kinds, ({ apiVersion, plural }) => `${apiVersion} ${plural}`),
    objects: kinds.reduce((sum, { objects }) => sum + objects, 0),
    parts: sortedBy(parts, ({ name }) => name),
    indexes: sortedBy(
      transferred.flatMap((one) => one.indexes),
      ({ name }) => name,
    ),
    logs: logs.logs,
    missing: allMissing(snapshot.missing, transferred, logs),
    hooks: hooks.map(({ name, when, outcome }) => ({ name, when, outcome })),
    encryptedTo: names.recipients,
    signedBy: names.signer,
    locations: place.stores.map((store) => ({
      name: store.name,
      at: store.locationOf(keyOf(place, '')),
    })),
    versions: { runbook: productVersion, node: process.versions.node },
  };
}

/** The version of what is written, not of who writes it: two versions of the product may write the same. */
const productVersion = '1';

function allMissing(first: Missing[], transferred: Transferred[], logs: CollectedLogs): Missing[] {
  return [...first, ...transferred.flatMap(({ missing }) => missing), ...logs.missing];
}

function sortedBy<T>(items: T[], keyOfItem: (item: T) => string): T[] {
  return [...items].sort((left, right) => (keyOfItem(left) < keyOfItem(right) ? -1 : 1));
}

/**
 * @throws BackupRefused unless the manifest that is there says the same as this one. The time of an earlier attempt is
 * another one, and a worker elsewhere may know the API server by another address.
 */
async function refuseOther(
  store: BackupStore,
  place: BackupTarget,
  signers: string[],
  mine: BackupManifest,
  signal: AbortSignal,
): Promise<void> {
  const { manifest } = await openManifest(store, place.target, place.backupId, signers, signal);
  const { completedAt, cluster, versions } = mine;
  if (renderSigned({ ...manifest, completedAt, cluster, versions }) === renderSigned(mine)) return;
  throw failure(
    'BackupRefused',
    `${store.locationOf(keyOf(place, backupFiles.manifest))} is there already and is another one than this run would write`,
  );
}

function noteOf(store: BackupStore): string[] {
  if (store.writeOnce !== 'none') return [];
  return [
    `${store.name} cannot be told never to overwrite: the manifest was looked for before it was written, and read back after it`,
  ];
}
