import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { backupKeyNames, type BackupKeyKind, type ClusterKey } from '../../contracts/backup-keys.ts';
import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import { lockNamespace } from '../../contracts/names.ts';
import type { Target } from '../../contracts/target.ts';
import { fitsPublicKey } from '../../encryption/key-pairs.ts';
import { KeyUnusable } from '../../encryption/keys.ts';
import { openSealer, type PrivateKeyText, type Sealer, type SealingKeys } from '../../encryption/messages.ts';
import { describeKeyState, keyStateOf } from '../../domain/backups/key-state.ts';
import { failure } from '../failures.ts';
import { readPublicKeyFile, type PublicKeyFile } from '../key-file.ts';

/**
 * The private keys that a worker has for a target's backups: the current one first, then, of online keys, those that
 * were rotated away. They are used inside one activity and leave it never. Reads only, so it may run any number of times.
 * @throws NotFound, Forbidden: the Secret or the key in it; KubernetesError for everything else
 */
export async function readBackupKeys(
  gateway: KubernetesGateway,
  target: Target,
  which: ClusterKey,
  signal: AbortSignal,
): Promise<PrivateKeyText[]> {
  const name = backupKeyNames.secret(target.profile.target);
  const data = await readSecret(gateway, target, name, signal);
  const current = keyIn(data, backupKeyNames.privateKey(which), backupKeyNames.passphrase(which));
  if (current === undefined)
    throw failure(
      'NotFound',
      `Secret ${lockNamespace}/${name} has no ${backupKeyNames.privateKey(which)}; ${howToMake(which, target)}`,
    );
  if (which === 'signing') return [current];
  const former = backupKeyNames
    .formerPrivateKeys(Object.keys(data))
    .map((file) => keyIn(data, file, file.replace(/\.asc$/, '.passphrase')));
  return [current, ...former.filter((key) => key !== undefined)];
}

/** The public keys of a target's backups, as the files beside its profile have them. */
export interface BackupPublicKeys {
  /** Armored; any of them may have signed a backup, the first one signs new ones. */
  signing: string[];
  /** Armored: what a backup is encrypted to. */
  recipients: string[];
  fingerprints: { signing: string[]; online: string; escrow: string };
  /** Those without which new backups end within the month, and what is to be said of each. */
  expiring: { kind: BackupKeyKind; state: string }[];
}

/**
 * Reads the public keys that the profile names. Nothing else is trusted, least of all what lies beside a backup.
 * @throws InvalidProfile: a file that is missing, leads outside the folder or holds no public key; one key as both recipients
 */
export async function readPublicKeys(
  targetsFolder: string,
  keys: BackupPolicy['keys'],
): Promise<BackupPublicKeys> {
  const [online, escrow] = await Promise.all([
    readNamed(targetsFolder, 'online', keys.online),
    readNamed(targetsFolder, 'escrow', keys.escrow),
  ]);
  const signing = await Promise.all(
    keys.signing.map((path, index) => readNamed(targetsFolder, `signing[${index}]`, path)),
  );
  if (online.fingerprint === escrow.fingerprint)
    throw failure(
      'InvalidProfile',
      'backup.keys.escrow: is the online key; workers would hold the key that is for the day when they are lost',
    );
  return {
    signing: signing.map(({ armored }) => armored),
    recipients: [online.armored, escrow.armored],
    fingerprints: {
      signing: signing.map(({ fingerprint }) => fingerprint),
      online: online.fingerprint,
      escrow: escrow.fingerprint,
    },
    expiring: [
      ...(signing[0] === undefined ? [] : expiring('signing', signing[0])),
      ...expiring('online', online),
      ...expiring('escrow', escrow),
    ],
  };
}

/** Soon, or by now: what has expired is refused where it is used. */
function expiring(
  kind: BackupKeyKind,
  { fingerprint, ...facts }: PublicKeyFile,
): BackupPublicKeys['expiring'] {
  const state = keyStateOf(facts, new Date());
  if (state !== 'expiring') return [];
  return [{ kind, state: `${fingerprint} ${describeKeyState(state, facts.expiresAt) ?? ''}` }];
}

/** What people have to do about keys that expire soon, in a sentence each. */
export function describeExpiring({ expiring }: BackupPublicKeys, target: Target): string[] {
  return expiring.map(
    ({ kind, state }) => `make another ${kind} key (${commandFor(kind, target)} --rotate): ${state}`,
  );
}

/** What a new backup is sealed with. */
export interface BackupSealing {
  publicKeys: BackupPublicKeys;
  sealer: Sealer;
}

/**
 * The keys for a new backup, tried out: nothing may be stored that nobody could verify or open later.
 * @throws InvalidProfile: as `readPublicKeys`; a key that expired or was revoked; a signing key that is not the first
 * of the profile. As `readBackupKeys`
 */
export async function readSealingKeys(
  gateway: KubernetesGateway,
  targetsFolder: string,
  target: Target,
  { keys }: Pick<BackupPolicy, 'keys'>,
  signal: AbortSignal,
): Promise<BackupSealing> {
  const publicKeys = await readPublicKeys(targetsFolder, keys);
  const [signingKey] = await readBackupKeys(gateway, target, 'signing', signal);
  if (signingKey === undefined) throw failure('NotFound', howToMake('signing', target));
  const sealer = await opened({ recipients: publicKeys.recipients, signingKey });
  const { signer } = sealer;
  const [expected] = publicKeys.fingerprints.signing;
  if (signer === expected) return { publicKeys, sealer };
  throw failure(
    'InvalidProfile',
    `backup.keys.signing: the first key is ${expected ?? 'none'}, but workers sign with ${signer}; put the public file of that one first, as runbook keys create said`,
  );
}

/**
 * A backup that the worker could not open again is none to rely on: verification, recovery and drills would all fail.
 * @throws InvalidProfile: the private online key is not that of the profile. As `readBackupKeys`
 */
export async function checkOnlineKey(
  gateway: KubernetesGateway,
  target: Target,
  [online = '']: BackupPublicKeys['recipients'],
  signal: AbortSignal,
): Promise<void> {
  const [key] = await readBackupKeys(gateway, target, 'online', signal);
  if (key !== undefined && (await fits(key, online))) return;
  throw failure(
    'InvalidProfile',
    `backup.keys.online: the private key in Secret ${lockNamespace}/${backupKeyNames.secret(target.profile.target)} does not fit the file, so no worker could open the backup; name the file that runbook keys create online has printed (runbook keys list shows the keys)`,
  );
}

async function fits(key: PrivateKeyText, publicKey: string): Promise<boolean> {
  try {
    return await fitsPublicKey(key, publicKey, 'decrypt');
  } catch (error) {
    if (error instanceof KeyUnusable) return false;
    throw error;
  }
}

async function opened(keys: SealingKeys): Promise<Sealer> {
  try {
    return await openSealer(keys);
  } catch (error) {
    if (!(error instanceof KeyUnusable)) throw error;
    throw failure(
      'InvalidProfile',
      `backup.keys: ${error.message}; runbook keys list tells how each key stands`,
    );
  }
}

async function readNamed(folder: string, field: string, path: string): Promise<PublicKeyFile> {
  try {
    return await readPublicKeyFile(folder, path);
  } catch (error) {
    if (!(error instanceof KeyUnusable)) throw error;
    throw failure('InvalidProfile', `backup.keys.${field}: ${path} ${error.message}`);
  }
}

async function readSecret(
  gateway: KubernetesGateway,
  target: Target,
  name: string,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const secret = `Secret ${lockNamespace}/${name}`;
  try {
    const { data } = await gateway.get(
      { apiVersion: 'v1', kind: 'Secret', namespace: lockNamespace, name },
      { signal },
    );
    return typeof data === 'object' && data !== null ? { ...data } : {};
  } catch (error) {
    const status = error instanceof KubernetesError ? error.status : undefined;
    if (status === 404)
      throw failure(
        'NotFound',
        `there is no ${secret} in the target's cluster; ${howToMake('signing', target)} and ${commandFor('online', target)}`,
      );
    if (status === 403)
      throw failure(
        'Forbidden',
        `the worker may not read ${secret}; grant it the role of deploy/kubernetes/backup.yaml`,
      );
    throw error;
  }
}

function keyIn(data: Record<string, unknown>, file: string, lock: string): PrivateKeyText | undefined {
  const armored = decoded(data[file]);
  // An editor ends the line; a passphrase does not.
  const passphrase = decoded(data[lock])?.replace(/\r?\n$/, '');
  if (armored === undefined) return undefined;
  return { armored, ...(passphrase === undefined ? {} : { passphrase }) };
}

function decoded(value: unknown): string | undefined {
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined;
}

function howToMake(which: ClusterKey, target: Target): string {
  return `make it with: ${commandFor(which, target)}`;
}

function commandFor(which: BackupKeyKind, { profile }: Target): string {
  return `runbook keys create ${which} --target ${profile.target}`;
}
