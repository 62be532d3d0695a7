import { readFile, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { TargetProfile } from '../../contracts/target.ts';
import { KeyUnusable, mostKeyCharacters, readPublicKey } from '../../encryption/keys.ts';
import { failure, isOurs } from '../failures.ts';

/**
 * The armored public key of an approver. The profile pins its fingerprint, so whoever can write the key file alone
 * cannot become somebody else. @throws InvalidProfile: nothing at that path, something outside the folder, another key
 */
export async function readKeyFile(
  folder: string,
  person: string,
  { publicKey: path, fingerprint }: TargetProfile['approvers'][string],
): Promise<string> {
  const fault = (sentence: string): Error => failure('InvalidProfile', `approvers.${person}.${sentence}`);
  if (path === undefined) throw fault('publicKey: is missing; it is needed with approvals.identity: signed');
  if (fingerprint === undefined)
    throw fault('fingerprint: is missing; it is needed with approvals.identity: signed');
  try {
    const armored = await readBelow(folder, path);
    const found = (await readPublicKey(armored)).fingerprint;
    if (found === fingerprint) return armored;
    throw fault(`publicKey: ${path} has the key ${found}, but the profile names ${fingerprint}`);
  } catch (error) {
    if (isOurs(error)) throw error;
    if (error instanceof KeyUnusable) throw fault(`publicKey: ${path} cannot be used: ${error.message}`);
    const { code } = error as NodeJS.ErrnoException;
    throw fault(`publicKey: ${path} cannot be read (${code ?? 'unknown'})`);
  }
}

/** Links inside the folder are fine (a mounted ConfigMap is full of them), links that lead out of it are not. */
async function readBelow(folder: string, path: string): Promise<string> {
  const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, path))]);
  if (!file.startsWith(root + sep)) throw new KeyUnusable('it lies outside the folder of profiles');
  const found = await stat(file);
  if (!found.isFile()) throw new KeyUnusable('it is no file');
  if (found.size > mostKeyCharacters) throw new KeyUnusable(`it is larger than ${mostKeyCharacters} bytes`);
  return await readFile(file, 'utf8');
}
