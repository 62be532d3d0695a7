import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Config } from '../../config.ts';
import { backupKeyNames, type BackupKeyKind, type ClusterKey } from '../../contracts/backup-keys.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { makeKeyPair } from '../../encryption/key-pairs.ts';
import { askSecret } from '../ask-secret.ts';
import { openCluster } from '../doctor/cluster.ts';
import { UsageError } from '../exit-codes.ts';
import { readKeySecret, writePrivateKey, type KeySecret } from './private-secret.ts';
import { liesBelow, publicFileOf, removePublicFile, writeNew, writePublicFile } from './public-files.ts';

/** How a key is made, as it was typed. */
export interface CreateOptions {
  validDays?: string;
  rotate?: boolean;
  /** File for the private part of an escrow key. */
  out?: string;
  passphraseFile?: string;
}

/** A key that was made. Nothing of its private part is in here. */
export interface CreatedKey {
  target: string;
  kind: BackupKeyKind;
  fingerprint: string;
  validDays: number;
  /** Below the folder of profiles, as the profile names it. */
  publicFile: string;
  /** Where the private part is. */
  privatePart: string;
  /** Where the private part of the key before is kept. */
  former?: string;
}

type Ask = (question: string) => Promise<string>;

/** Two years: long enough to be planned for, short enough that people still know how. */
const normalDays = 730;
const mostDays = 36_500;

/** A key for decades that somebody may find: guessing has to be hopeless. */
const fewestPassphraseCharacters = 12;
const mostPassphraseBytes = 4096;

/**
 * Makes a key of a target's backups: the public part becomes a file beside the profiles, the private one goes into the
 * target's cluster or, of an escrow key, into a file. Nothing that is there is overwritten.
 * @throws UsageError; KubernetesError when the cluster refuses
 */
export async function createBackupKey(
  config: Config,
  profile: TargetProfile,
  kind: BackupKeyKind,
  options: CreateOptions,
  ask: Ask = askSecret,
): Promise<CreatedKey> {
  const validDays = daysOf(options.validDays) ?? normalDays;
  const publicFile = chooseFile(config, profile.target, kind, options);
  const made = { target: profile.target, kind, validDays, publicFile };
  if (kind === 'escrow') return { ...made, ...(await createEscrow(config, profile, made, options, ask)) };
  if (options.out !== undefined || options.passphraseFile !== undefined)
    throw new UsageError(
      `--out and --passphrase-file are for escrow keys; the private part of ${kind} goes into the cluster`,
    );
  const { gateway, finding } = openCluster(config, profile);
  if (gateway === undefined) throw new UsageError(`${finding.found}. ${finding.mend ?? ''}`);
  try {
    return { ...made, ...(await createInCluster(gateway, config, made, kind, options.rotate === true)) };
  } finally {
    await gateway.close();
  }
}

/** The days of `--valid-days`. @throws UsageError */
export function daysOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const days = /^[1-9]\d{0,5}$/.test(text) ? Number(text) : 0;
  if (days >= 1 && days <= mostDays) return days;
  throw new UsageError(`--valid-days takes a whole number of days from 1 to ${mostDays}`);
}

function chooseFile(
  { targetsFolder }: Config,
  target: string,
  kind: BackupKeyKind,
  { rotate = false }: CreateOptions,
): string {
  const first = publicFileOf(target, kind, false, new Date());
  if (!existsSync(join(targetsFolder, first))) return first;
  if (!rotate)
    throw new UsageError(
      `there is a key already, ${join(targetsFolder, first)}; add --rotate for another one in its place`,
    );
  const next = publicFileOf(target, kind, true, new Date());
  if (existsSync(join(targetsFolder, next)))
    throw new UsageError(`${join(targetsFolder, next)} is there already: one rotation a day is enough`);
  return next;
}

/** The part of a key that differs by where its private part goes. */
type Made = Pick<CreatedKey, 'fingerprint' | 'privatePart' | 'former'>;
type Wanted = Pick<CreatedKey, 'target' | 'kind' | 'validDays' | 'publicFile'>;

async function createInCluster(
  gateway: KubernetesGateway,
  { targetsFolder }: Config,
  wanted: Wanted,
  which: ClusterKey,
  rotate: boolean,
): Promise<Made> {
  const secret = await readKeySecret(gateway, backupKeyNames.secret(wanted.target));
  refuseExisting(secret, which, rotate);
  const pair = await makeKeyPair({ ...wishFor(wanted), encrypts: which === 'online' });
  await writePublicFile(targetsFolder, wanted.publicFile, pair.publicKey);
  try {
    const former = await writePrivateKey(gateway, wanted.target, secret, which, pair.privateKey);
    return {
      fingerprint: pair.fingerprint,
      privatePart: `${secret.name}, ${backupKeyNames.privateKey(which)}`,
      ...(former === undefined ? {} : { former: `${secret.name}, ${former}` }),
    };
  } catch (error) {
    // A public key without its other half would make backups that nobody can open.
    await removePublicFile(targetsFolder, wanted.publicFile);
    throw error;
  }
}

function refuseExisting(secret: KeySecret, which: ClusterKey, rotate: boolean): void {
  const dataKey = backupKeyNames.privateKey(which);
  if (rotate || secret.data[dataKey] === undefined) return;
  throw new UsageError(`${secret.name} has ${dataKey} already; add --rotate for another key in its place`);
}

async function createEscrow(
  { targetsFolder }: Config,
  { target }: TargetProfile,
  wanted: Wanted,
  { out, passphraseFile }: CreateOptions,
  ask: Ask,
): Promise<Made> {
  if (out === undefined)
    throw new UsageError('an escrow key needs --out FILE: its private part goes there and nowhere else');
  const path = resolve(out);
  if (await liesBelow(dirname(path), targetsFolder))
    throw new UsageError(
      `--out ${out}: that is the folder of profiles, which every worker reads; take the file to where it stays offline`,
    );
  if (existsSync(path)) throw new UsageError(`--out ${out} is there already; nothing is overwritten`);
  const passphrase =
    passphraseFile === undefined ? await askTwice(target, ask) : await readPassphrase(passphraseFile);
  const pair = await makeKeyPair({ ...wishFor(wanted), encrypts: true, passphrase });
  await writePublicFile(targetsFolder, wanted.publicFile, pair.publicKey);
  try {
    await writeNew(path, pair.privateKey, 0o600);
  } catch (error) {
    await removePublicFile(targetsFolder, wanted.publicFile);
    throw error;
  }
  return { fingerprint: pair.fingerprint, privatePart: path };
}

async function askTwice(target: string, ask: Ask): Promise<string> {
  const passphrase = await ask(`Passphrase for the escrow key of ${target}: `);
  refuseWeak(passphrase);
  if ((await ask('The same once more: ')) === passphrase) return passphrase;
  throw new UsageError('the two passphrases differ; nothing was made');
}

async function readPassphrase(file: string): Promise<string> {
  try {
    const text = await readFile(file, 'utf8');
    // An editor ends the line; a passphrase does not.
    const passphrase = text.replace(/\r?\n$/, '');
    refuseWeak(passphrase);
    return passphrase;
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(
      `--passphrase-file ${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    );
  }
}

function refuseWeak(passphrase: string): void {
  if (passphrase.length < fewestPassphraseCharacters)
    throw new UsageError(
      `a passphrase of at least ${fewestPassphraseCharacters} characters is needed, such as six words; nothing was made`,
    );
  if (/[\r\n]/.test(passphrase) || Buffer.byteLength(passphrase) > mostPassphraseBytes)
    throw new UsageError('the passphrase has to be one line of reasonable length; nothing was made');
}

function wishFor({ target, kind, validDays }: Wanted): { owner: { name: string }; validDays: number } {
  return { owner: { name: `runbook ${kind} key, backups of ${target}` }, validDays };
}

/** The lines of the profile that name a new key, beside those that it has. */
export function profileLines({ backup, target }: TargetProfile, created: CreatedKey): string[] {
  const keys = {
    signing: backup?.keys.signing ?? [backupKeyNames.publicFile(target, 'signing')],
    online: backup?.keys.online ?? backupKeyNames.publicFile(target, 'online'),
    escrow: backup?.keys.escrow ?? backupKeyNames.publicFile(target, 'escrow'),
  };
  const { kind, publicFile } = created;
  const signing =
    kind === 'signing' ? [publicFile, ...keys.signing.filter((file) => file !== publicFile)] : keys.signing;
  // Whoever makes two keys before touching the profile must not paste the second answer over the first.
  const mark = (line: BackupKeyKind): string => (line === kind ? '  # new' : '');
  return [
    'backup:',
    '  keys:',
    `    signing: [${signing.join(', ')}]${mark('signing')}`,
    `    online: ${kind === 'online' ? publicFile : keys.online}${mark('online')}`,
    `    escrow: ${kind === 'escrow' ? publicFile : keys.escrow}${mark('escrow')}`,
  ];
}
