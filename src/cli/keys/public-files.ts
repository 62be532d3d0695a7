import { mkdir, open, realpath, rm } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative } from 'node:path';
import { backupKeyNames, type BackupKeyKind } from '../../contracts/backup-keys.ts';
import { UsageError } from '../exit-codes.ts';

/**
 * The file of a new public key, as the profile names it: below the folder of profiles. A key that replaces another one
 * gets a name with its date, since backups from before are still verified with the old file.
 */
export function publicFileOf(target: string, kind: BackupKeyKind, rotated: boolean, now: Date): string {
  const file = backupKeyNames.publicFile(target, kind);
  const date = now.toISOString().slice(0, 10).replaceAll('-', '');
  return rotated ? file.replace(/\.asc$/, `-${date}.asc`) : file;
}

/** Writes a public key below the folder of profiles. @throws UsageError when the file is there, or would lie elsewhere */
export async function writePublicFile(folder: string, file: string, armored: string): Promise<void> {
  const path = join(folder, file);
  await makeFolder(folder, dirname(path));
  await writeNew(path, armored, 0o644);
}

/** Takes back what `writePublicFile` wrote, when the private part could not be kept. */
export async function removePublicFile(folder: string, file: string): Promise<void> {
  await rm(join(folder, file), { force: true });
}

/** Writes a file that is not there yet, and through no link. @throws UsageError with what is in the way */
export async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    const file = await open(path, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new UsageError(`${path} is there already; nothing is overwritten`);
    throw new UsageError(`${path} cannot be written (${code ?? 'unknown'})`);
  }
}

/** Whether a folder is another one or lies below it, links resolved. @throws UsageError when one of them is not there */
export async function liesBelow(inner: string, outer: string): Promise<boolean> {
  const [one, other] = await Promise.all([resolved(inner), resolved(outer)]);
  const way = relative(other, one);
  return !(way.startsWith('..') || isAbsolute(way));
}

async function makeFolder(folder: string, wanted: string): Promise<void> {
  try {
    await mkdir(wanted, { recursive: true });
  } catch (error) {
    throw new UsageError(`${wanted} cannot be made (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  if (!(await liesBelow(wanted, folder)))
    throw new UsageError(`${wanted} leads out of the folder of profiles; a worker would not read keys there`);
}

async function resolved(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UsageError(`the folder ${path} is not there; make it first`);
    throw new UsageError(`${path} cannot be read (${code ?? 'unknown'})`);
  }
}
