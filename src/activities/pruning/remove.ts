import { backupFiles } from '../../contracts/backup-manifest.ts';
import type { Removal } from '../../contracts/prune-backups.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import { timeOf } from '../../domain/backups/names.ts';
import { addRemovals } from '../../domain/backups/pruning.ts';
import { storing } from '../backups/failures.ts';
import { keyOf } from '../backups/seal.ts';
import {
  abandonedMilliseconds,
  isVerification,
  judgeUnfinished,
  type FolderFile,
  type Place,
} from './survey.ts';

const nothing: Removal = { backups: 0, objects: 0, bytes: 0, locked: [], uploads: 0 };

/** Removals at once, of one backup. */
const removalsAtOnce = 8;

/**
 * Removes backups. Repeated, it finds what an earlier attempt left: manifest and records go first, so that what is half
 * removed is no backup, and who made it last, so that the rest is still known for an orphan. @throws StorageUnavailable
 */
export async function removeBackups(
  place: Place,
  backupIds: string[],
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Removal> {
  const removals: Removal[] = [];
  for (const [index, backupId] of backupIds.entries()) {
    removals.push(await removeFolder(place, backupId, signal));
    say(`${index + 1} of ${backupIds.length} backups removed from ${place.store.name}`);
  }
  return addRemovals(removals);
}

/**
 * Removes what was never finished, and aborts interrupted uploads of more than a day ago. Each folder is judged anew
 * right before: a manifest, a young file or a run that goes on keeps it. Safe to repeat. @throws StorageUnavailable
 */
export async function pruneLeftovers(
  place: Place,
  names: string[],
  { runs, now }: { runs: Runs; now: number },
  signal: AbortSignal,
): Promise<Removal> {
  const removals: Removal[] = [];
  for (const name of names) {
    const files = await filesOf(place, name, signal);
    if (!(await isAbandoned(place, name, files, { runs, now }, signal))) continue;
    const { objects, bytes, locked } = await removeFiles(place, name, files, signal);
    removals.push({ ...nothing, objects, bytes, locked: locked > 0 ? [name] : [] });
  }
  removals.push({ ...nothing, uploads: await abortUploads(place, now, signal) });
  return addRemovals(removals);
}

async function isAbandoned(
  place: Place,
  name: string,
  files: FolderFile[],
  { runs, now }: { runs: Runs; now: number },
  signal: AbortSignal,
): Promise<boolean> {
  if (files.some((file) => file.name === backupFiles.manifest)) return false;
  if (files.some(({ storedAt }) => now - storedAt.getTime() <= abandonedMilliseconds)) return false;
  return (await judgeUnfinished(place, name, runs, signal)).state === 'orphan';
}

async function removeFolder(place: Place, backupId: string, signal: AbortSignal): Promise<Removal> {
  const files = await filesOf(place, backupId, signal);
  if (files.length === 0) return { ...nothing, gone: 1 };
  const { objects, bytes, locked } = await removeFiles(place, backupId, files, signal);
  return { backups: locked > 0 ? 0 : 1, objects, bytes, locked: locked > 0 ? [backupId] : [], uploads: 0 };
}

/** A locked manifest keeps the whole backup; any other lock keeps that file, and the one that says who made it. */
async function removeFiles(
  place: Place,
  backupId: string,
  files: FolderFile[],
  signal: AbortSignal,
): Promise<{ objects: number; bytes: number; locked: number }> {
  const isFirst = ({ name }: FolderFile): boolean => name === backupFiles.manifest;
  const isLast = ({ name }: FolderFile): boolean => name === backupFiles.run;
  const rest = files.filter((file) => !isFirst(file) && !isLast(file) && !isVerification(file.name));
  const waves = [
    files.filter(isFirst),
    files.filter(({ name }) => isVerification(name)),
    rest,
    files.filter(isLast),
  ];
  const done = { objects: 0, bytes: 0, locked: 0 };
  for (const [index, wave] of waves.entries()) {
    if (done.locked > 0 && (index === 1 || index === waves.length - 1)) break;
    await Promise.all(
      Array.from({ length: removalsAtOnce }, async () => {
        for (let file = wave.pop(); file !== undefined; file = wave.pop()) {
          const state = await removeFile(place, backupId, file, signal);
          if (state === 'locked') done.locked += 1;
          if (state !== 'removed') continue;
          done.objects += 1;
          done.bytes += file.bytes;
        }
      }),
    );
  }
  return done;
}

async function removeFile(
  { store, target }: Place,
  backupId: string,
  { name }: FolderFile,
  signal: AbortSignal,
): Promise<'removed' | 'locked' | 'absent'> {
  const key = keyOf({ target, backupId }, name);
  return await storing(signal, `remove ${store.locationOf(key)}`, () => store.remove(key, signal));
}

async function filesOf(
  { store, target }: Place,
  backupId: string,
  signal: AbortSignal,
): Promise<FolderFile[]> {
  // Anything else would be a way out of the folder of the target.
  if (timeOf(backupId) === undefined) return [];
  const folder = keyOf({ target, backupId }, '');
  const files: FolderFile[] = [];
  await storing(signal, `list ${store.locationOf(folder)}`, async () => {
    for await (const found of store.list(folder, {}, signal))
      if ('key' in found)
        files.push({ name: found.key.slice(folder.length), bytes: found.bytes, storedAt: found.storedAt });
  });
  return files;
}

async function abortUploads({ store, target }: Place, now: number, signal: AbortSignal): Promise<number> {
  const folder = backupFiles.folder(target);
  return await storing(signal, `abort uploads below ${store.locationOf(folder)}`, async () => {
    const old: { key: string; uploadId: string }[] = [];
    for await (const { key, uploadId, startedAt } of store.openUploads(folder, signal))
      if (now - startedAt.getTime() > abandonedMilliseconds) old.push({ key, uploadId });
    for (const { key, uploadId } of old) await store.abortUpload(key, uploadId, signal);
    return old.length;
  });
}
