import { gunzipSync, gzipSync } from 'node:zlib';
import type { BackupStore } from '../../clients/backup-storage.ts';
import type { PlannedObject, StoredDetails } from '../../contracts/recovery.ts';
import { openSealer } from '../../encryption/messages.ts';
import { storing } from '../backups/failures.ts';
import { sha256Of } from '../backups/seal.ts';
import { failure } from '../failures.ts';
import type { Source } from './source.ts';

/** A plan of a million objects has less. */
const mostPlanBytes = 512 * 1024 * 1024;

/** Where a run keeps its files: beside the backups, `recoveries/<target>/<first run id>/`. */
export function runFolder(target: string, firstRunId: string): string {
  return `recoveries/${target}/${firstRunId}`;
}

/**
 * Stores a plan, object by object, and its page for people. Idempotent: the names follow from the content.
 * @throws StorageUnavailable
 */
export async function storePlan(
  store: BackupStore,
  folder: string,
  objects: readonly PlannedObject[],
  page: string,
  signal: AbortSignal,
): Promise<{ stored: StoredDetails; pageAt: string }> {
  const plain = objects.map((object) => `${JSON.stringify(object)}\n`).join('');
  const bytes = gzipSync(plain, { level: 1 });
  const sha256 = sha256Of(bytes);
  const key = `${folder}/plan-${sha256.slice(0, 16)}.ndjson.gz`;
  const pageKey = `${folder}/plan-${sha256.slice(0, 16)}.md`;
  await storing(signal, `write the plan to ${store.name}`, async () => {
    await store.putOnce(key, bytes, 'application/gzip', signal);
    await store.putOnce(pageKey, page, 'text/markdown; charset=utf-8', signal);
  });
  return { stored: { key, sha256 }, pageAt: store.locationOf(pageKey) };
}

/** Reads the very plan that people agreed to. @throws BackupRefused when the store gives another one; StorageUnavailable */
export async function readPlan(
  store: BackupStore,
  { key, sha256 }: StoredDetails,
  signal: AbortSignal,
): Promise<PlannedObject[]> {
  const bytes = await storing(signal, `read the plan from ${store.name}`, () =>
    store.read(key, signal, mostPlanBytes),
  );
  if (bytes === undefined || sha256Of(bytes) !== sha256)
    throw failure(
      'BackupRefused',
      `the plan ${store.locationOf(key)} is gone or was changed since it was made`,
    );
  return gunzipSync(bytes, { maxOutputLength: mostPlanBytes })
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as PlannedObject);
}

/** Lines of a journal, under a name that no attempt uses twice. @throws StorageUnavailable */
export async function storeJournal(
  store: BackupStore,
  key: string,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await storing(signal, `write the journal to ${store.name}`, () =>
    store.putOnce(
      key,
      gzipSync(lines.map((line) => `${line}\n`).join(''), { level: 1 }),
      'application/gzip',
      signal,
    ),
  );
}

/** Objects as they were before this run wrote them, encrypted and signed as backups are. @throws StorageUnavailable */
export async function storeFormer(
  { store, sealing }: Pick<Source, 'store' | 'sealing'>,
  key: string,
  lines: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const { seal } = await openSealer(sealing);
  const sealed = await seal(gzipSync(lines.map((line) => `${line}\n`).join('')));
  await storing(signal, `write the former state to ${store.name}`, () =>
    store.putOnce(key, sealed, 'application/pgp-encrypted', signal),
  );
}
