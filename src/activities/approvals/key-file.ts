import type { TargetProfile } from '../../contracts/target.ts';
import { KeyUnusable } from '../../encryption/keys.ts';
import { failure } from '../failures.ts';
import { readPublicKeyFile } from '../key-file.ts';

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
    const found = await readPublicKeyFile(folder, path);
    if (found.fingerprint === fingerprint) return found.armored;
    throw fault(`publicKey: ${path} has the key ${found.fingerprint}, but the profile names ${fingerprint}`);
  } catch (error) {
    if (error instanceof KeyUnusable) throw fault(`publicKey: ${path} ${error.message}`);
    throw error;
  }
}
