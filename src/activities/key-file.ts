import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { KeyUnusable, mostKeyCharacters, readPublicKey, type PublicKeyFacts } from '../encryption/keys.ts';

/** A public key in a file, and what it says of itself. */
export interface PublicKeyFile extends PublicKeyFacts {
  armored: string;
}

/**
 * The public key in a file below the folder of profiles. Links inside the folder are fine (a mounted ConfigMap is full
 * of them), links that lead out of it are not. @throws KeyUnusable with a sentence that fits behind the file's name
 */
export async function readPublicKeyFile(folder: string, path: string): Promise<PublicKeyFile> {
  try {
    const armored = await readBelow(folder, path);
    return { armored, ...(await readPublicKey(armored)) };
  } catch (error) {
    if (error instanceof KeyUnusable) throw new KeyUnusable(`cannot be used: ${error.message}`);
    const { code } = error as NodeJS.ErrnoException;
    throw new KeyUnusable(`cannot be read (${code ?? 'unknown'})`);
  }
}

async function readBelow(folder: string, path: string): Promise<string> {
  const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, path))]);
  if (!file.startsWith(root + sep)) throw new KeyUnusable('it lies outside the folder of profiles');
  const found = await stat(file);
  if (!found.isFile()) throw new KeyUnusable('it is no file');
  if (found.size > mostKeyCharacters) throw new KeyUnusable(`it is larger than ${mostKeyCharacters} bytes`);
  return await readFile(file, 'utf8');
}
