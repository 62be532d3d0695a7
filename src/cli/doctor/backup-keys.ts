import { readPublicKeyFile } from '../../activities/key-file.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { backupKeyNames, type BackupKeyKind } from '../../contracts/backup-keys.ts';
import { lockNamespace } from '../../contracts/names.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { describeKeyState, keyStateOf } from '../../domain/backups/key-state.ts';
import { KeyUnusable } from '../../encryption/keys.ts';
import { sentenceOf, statusOf } from './answers.ts';
import { failed, passed, questionSeconds, unknown, type Finding } from './finding.ts';

/** The public keys of a target's backups: can each be read, and is it still good. */
export async function checkBackupKeys(
  targetsFolder: string,
  { target, backup }: TargetProfile,
  now: Date,
): Promise<Finding[]> {
  if (backup === undefined) return [];
  const { signing, online, escrow } = backup.keys;
  const files: [BackupKeyKind, string][] = [
    ...signing.map((file): [BackupKeyKind, string] => ['signing', file]),
    ['online', online],
    ['escrow', escrow],
  ];
  const check = `target ${target}, backup keys`;
  const found = await Promise.all(
    files.map(async ([kind, file], index) => {
      // Older signing keys only verify, which they do for ever.
      const verifiesOnly = kind === 'signing' && index > 0;
      return await checkFile(check, targetsFolder, { target, kind, file, verifiesOnly }, now);
    }),
  );
  const faults = found.filter((one) => one !== undefined);
  return faults.length > 0 ? faults : [passed(check, `all ${files.length} are good`)];
}

/** What is wrong with one file; undefined when nothing is. */
async function checkFile(
  check: string,
  folder: string,
  key: { target: string; kind: BackupKeyKind; file: string; verifiesOnly: boolean },
  now: Date,
): Promise<Finding | undefined> {
  const { target, kind, file, verifiesOnly } = key;
  const command = `runbook keys create ${kind} --target ${target}`;
  try {
    const facts = await readPublicKeyFile(folder, file);
    const state = keyStateOf(facts, now);
    if (state === 'ok' || verifiesOnly) return undefined;
    const found = `${kind}: ${file} ${describeKeyState(state, facts.expiresAt) ?? ''}`;
    const mend = `Make another one, and name it in the profile as the command says: ${command} --rotate`;
    return state === 'expiring' ? unknown(check, found, mend) : failed(check, found, mend);
  } catch (error) {
    if (!(error instanceof KeyUnusable)) throw error;
    const mend = `Correct backup.keys in the profile, or make the key: ${command}`;
    return failed(check, `${kind}: ${file} ${error.message}`, mend);
  }
}

/** Whether the Secret with the private keys is there; its values never leave the server. */
export async function checkBackupSecret(
  gateway: KubernetesGateway,
  { target, backup }: TargetProfile,
): Promise<Finding[]> {
  if (backup === undefined) return [];
  const name = backupKeyNames.secret(target);
  const check = `target ${target}, private backup keys`;
  try {
    const ref = { apiVersion: 'v1', kind: 'Secret', namespace: lockNamespace, name };
    await gateway.getMetadata(ref, { timeoutSeconds: questionSeconds });
    return [passed(check, `Secret ${name} is there; whether it fits tells: runbook keys list`)];
  } catch (error) {
    if (statusOf(error) === 404) {
      const found = `there is no Secret ${name} in namespace ${lockNamespace}, so no backup can be signed or opened`;
      const mend = `Run: runbook keys create signing --target ${target}; and the same for online`;
      return [failed(check, found, mend)];
    }
    const mend = 'Add what is missing under permissions, then run doctor again.';
    return [unknown(check, sentenceOf(error), mend)];
  }
}
