import type { BackupStore } from '../../clients/backup-storage.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import { backupFiles, type VerificationRecord } from '../../contracts/backup-manifest.ts';
import type { Strange } from '../../contracts/prune-backups.ts';
import { timeOf } from '../../domain/backups/names.ts';
import { readBegun } from '../../domain/backups/begun.ts';
import { readVerification } from '../../domain/backups/manifest.ts';
import type { FoundBackups } from '../../domain/backups/pruning.ts';
import type { RetainedBackup } from '../../domain/backups/retention.ts';
import { excerpt } from '../../domain/text.ts';
import { MessageRefused, verifyClear } from '../../encryption/messages.ts';
import { isOurs } from '../failures.ts';
import { askAboutHolder } from '../locks/holder-state.ts';
import { storing } from '../backups/failures.ts';
import { openManifest, type OpenedBackup } from '../backups/open-backup.ts';
import { keyOf } from '../backups/seal.ts';

/** What is younger may still be written. */
export const abandonedMilliseconds = 24 * 3600 * 1000;

/** Manifests read at once. */
const readsAtOnce = 8;

const mostRunBytes = 64 * 1024;
const mostRecordBytes = 1024 * 1024;

/** Where to look, and what is trusted there. */
export interface Place {
  store: BackupStore;
  target: string;
  /** Armored public keys; a manifest has to be signed by one of them. */
  signers: string[];
}

/** A file in the folder of a backup; the name is below that folder. */
export interface FolderFile {
  name: string;
  bytes: number;
  storedAt: Date;
}

/** A backup that may be believed. */
export interface SurveyedBackup extends OpenedBackup {
  /** The newest record that may be believed. */
  verification?: VerificationRecord;
}

/**
 * Looks at everything below the folder of a target in one location. Reading only.
 * @throws StorageUnavailable
 */
export async function surveyLocation(
  place: Place,
  runs: Runs,
  now: number,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<FoundBackups> {
  const { store, target } = place;
  const folder = backupFiles.folder(target);
  const { folders, strange } = await listFolders(place, signal);
  const found: FoundBackups = {
    location: store.name,
    at: store.locationOf(folder),
    backups: [],
    orphans: [],
    uploads: await countUploads(place, now, signal),
    strange,
  };
  const waiting = [...folders];
  let looked = 0;
  await Promise.all(
    Array.from({ length: readsAtOnce }, async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const [name, files] = next;
        add(found, name, await judgeFolder(place, name, files, { runs, now }, signal));
        looked += 1;
        say(`${looked} of ${folders.size} backups looked at in ${store.name}`);
      }
    }),
  );
  found.strange.sort((a, b) => (a.what < b.what ? -1 : 1));
  return found;
}

/** What the folder of a backup turned out to be. */
type Judgement =
  | ({ state: 'backup' } & Omit<RetainedBackup, 'backupId'>)
  | { state: 'orphan' | 'underWay' }
  | { state: 'strange'; why: string };

function add(found: FoundBackups, name: string, judgement: Judgement): void {
  switch (judgement.state) {
    case 'backup':
      found.backups.push({ backupId: name, complete: judgement.complete, verified: judgement.verified });
      return;
    case 'orphan':
      found.orphans.push(name);
      return;
    case 'strange':
      found.strange.push({ what: shown(`${name}/`), why: judgement.why });
      return;
    case 'underWay':
  }
}

/** Files by the folder that they lie in. What lies beside the folders is none of ours. */
async function listFolders(
  { store, target }: Place,
  signal: AbortSignal,
): Promise<{ folders: Map<string, FolderFile[]>; strange: Strange[] }> {
  const folder = backupFiles.folder(target);
  const folders = new Map<string, FolderFile[]>();
  const strange: Strange[] = [];
  await storing(signal, `list ${store.locationOf(folder)}`, async () => {
    for await (const found of store.list(folder, {}, signal)) {
      if (!('key' in found)) continue;
      const [, name, file] = /^([^/]+)\/(.+)$/s.exec(found.key.slice(folder.length)) ?? [];
      if (name === undefined || file === undefined)
        strange.push({
          what: shown(found.key.slice(folder.length)),
          why: 'it lies in the folder of no backup',
        });
      else
        folders.set(name, [
          ...(folders.get(name) ?? []),
          { name: file, bytes: found.bytes, storedAt: found.storedAt },
        ]);
    }
  });
  return { folders, strange };
}

async function judgeFolder(
  place: Place,
  name: string,
  files: FolderFile[],
  { runs, now }: { runs: Runs; now: number },
  signal: AbortSignal,
): Promise<Judgement> {
  if (timeOf(name) === undefined) return { state: 'strange', why: 'its name is not the id of a backup' };
  if (files.some((file) => file.name === backupFiles.manifest))
    return await judgeBackup(place, name, files, signal);
  const young = files.some(({ storedAt }) => now - storedAt.getTime() <= abandonedMilliseconds);
  return young ? { state: 'underWay' } : await judgeUnfinished(place, name, runs, signal);
}

async function judgeBackup(
  place: Place,
  backupId: string,
  files: FolderFile[],
  signal: AbortSignal,
): Promise<Judgement> {
  const found = await surveyBackup(place, backupId, files, signal);
  if (typeof found === 'string') return { state: 'strange', why: found };
  const { manifest, verification } = found;
  if (verification?.verdict === 'fail')
    return {
      state: 'strange',
      why: `its verification at ${verification.at} found it damaged; remove it by hand when it is of no use any more`,
    };
  const complete = manifest.missing.length === 0;
  return { state: 'backup', complete, verified: verification !== undefined };
}

/** Manifest and newest verification of one backup; a sentence says why it cannot be believed. @throws StorageUnavailable */
export async function surveyBackup(
  place: Place,
  backupId: string,
  files: readonly Pick<FolderFile, 'name'>[],
  signal: AbortSignal,
): Promise<SurveyedBackup | string> {
  const { store, target, signers } = place;
  try {
    const opened = await openManifest(store, target, backupId, signers, signal);
    const verification = await newestVerification(place, opened, files, signal);
    return verification === undefined ? opened : { ...opened, verification };
  } catch (error) {
    if (!isOurs(error) || (error as { type?: unknown }).type !== 'BackupRefused') throw error;
    return (error as Error).message;
  }
}

/** Records that cannot be believed, or speak of another manifest, count as none. */
async function newestVerification(
  { store, target, signers }: Place,
  { manifest: { backupId }, manifestSha256 }: OpenedBackup,
  files: readonly Pick<FolderFile, 'name'>[],
  signal: AbortSignal,
): Promise<VerificationRecord | undefined> {
  const names = files.map(({ name }) => name).filter(isVerification);
  for (const name of names.sort().toReversed()) {
    const key = keyOf({ target, backupId }, name);
    const file = await storing(signal, `read ${store.locationOf(key)}`, () =>
      store.read(key, signal, mostRecordBytes),
    );
    if (file === undefined) continue;
    const text = await verifiedText(file, signers);
    const record =
      text === undefined ? undefined : readVerification(text, { target, backupId, location: store.name });
    if (record?.manifestSha256 === manifestSha256) return record;
  }
  return undefined;
}

/** Whether a file in the folder of a backup is the record of a verification, by its name. */
export function isVerification(name: string): boolean {
  return /^verified-[0-9TZ]+\.asc$/.test(name);
}

async function verifiedText(file: Uint8Array, signers: string[]): Promise<string | undefined> {
  try {
    return (await verifyClear(file, signers)).text;
  } catch (error) {
    if (error instanceof MessageRefused) return undefined;
    throw error;
  }
}

/** A folder without a manifest whose files are all old. Only the word of Temporal makes it an orphan. */
export async function judgeUnfinished(
  { store, target }: Place,
  backupId: string,
  runs: Runs,
  signal: AbortSignal,
): Promise<Judgement> {
  const key = keyOf({ target, backupId }, backupFiles.run);
  const file = await storing(signal, `read ${store.locationOf(key)}`, () =>
    store.read(key, signal, mostRunBytes),
  );
  const begun = file === undefined ? undefined : readBegun(Buffer.from(file).toString());
  if (begun === undefined)
    return {
      state: 'strange',
      why: `it has no manifest, and no ${backupFiles.run} that says which run made it`,
    };
  const { run, ...temporal } = begun;
  const { state } = await askAboutHolder(runs, { ...run, ...temporal });
  switch (state) {
    case 'closed':
      return { state: 'orphan' };
    case 'running':
      return { state: 'underWay' };
    case 'foreign':
    case 'unknown':
      return {
        state: 'strange',
        why: `it has no manifest, and this Temporal does not know whether run ${excerpt(run.workflowId)} has ended`,
      };
  }
}

/** Uploads of large files that nobody can be working on any more. */
async function countUploads({ store, target }: Place, now: number, signal: AbortSignal): Promise<number> {
  let count = 0;
  const folder = backupFiles.folder(target);
  await storing(signal, `list the uploads below ${store.locationOf(folder)}`, async () => {
    for await (const { startedAt } of store.openUploads(folder, signal))
      if (now - startedAt.getTime() > abandonedMilliseconds) count += 1;
  });
  return count;
}

function shown(name: string): string {
  return excerpt(name, 100);
}
