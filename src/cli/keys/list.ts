import { readPublicKeyFile } from '../../activities/key-file.ts';
import { listTargets } from '../../activities/targets/profiles.ts';
import { loadNamedTarget } from '../named-target.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Config } from '../../config.ts';
import { auditNames } from '../../contracts/audit.ts';
import { backupKeyNames, type BackupKeyKind } from '../../contracts/backup-keys.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { sentenceOf } from '../doctor/answers.ts';
import { openCluster } from '../doctor/cluster.ts';
import { messageOf } from '../../local/wait.ts';
import { judgeKey, type KeyRow, type PrivatePart } from './judge.ts';
import { readKeySecret, textIn, type KeySecret } from './private-secret.ts';

/** How the keys of some targets stand. */
export interface KeyList {
  keys: KeyRow[];
  /** Profiles that could not be looked at, as sentences. */
  faults: string[];
}

/**
 * Every key of each profile, of its backups and of the audit log of its cluster. Private parts are read to see whether
 * they fit, and nothing of them comes out. @throws NotFound when there is no such target
 */
export async function listKeys(config: Config, only: string | undefined, now: Date): Promise<KeyList> {
  const names = only === undefined ? await listTargets(config.targetsFolder) : [only];
  const found: KeyList = { keys: [], faults: [] };
  const clusters = new Set<string>();
  for (const name of names) {
    const profile = await profileOf(config, name, only !== undefined);
    if (typeof profile === 'string') {
      found.faults.push(profile);
      continue;
    }
    const cluster = profile.cluster?.context ?? '';
    found.keys.push(...(await keysOf(config, profile, now, !clusters.has(cluster))));
    clusters.add(cluster);
  }
  return found;
}

/** One broken profile must not hide the keys of the others. */
async function profileOf(config: Config, name: string, strictly: boolean): Promise<TargetProfile | string> {
  try {
    return (await loadNamedTarget(config.targetsFolder, name, undefined)).profile;
  } catch (error) {
    if (strictly) throw error;
    return messageOf(error);
  }
}

async function keysOf(
  config: Config,
  profile: TargetProfile,
  now: Date,
  withAudit: boolean,
): Promise<KeyRow[]> {
  const { gateway, finding } = openCluster(config, profile);
  try {
    const secrets = (name: string): Promise<KeySecret | string> =>
      gateway === undefined ? Promise.resolve(finding.found) : readSecret(gateway, name);
    const backup = await backupKeys(config, profile, now, secrets);
    return withAudit ? [...backup, await auditKey(profile, now, secrets)] : backup;
  } finally {
    await gateway?.close();
  }
}

/** A Secret, or the sentence why it could not be read. */
async function readSecret(gateway: KubernetesGateway, name: string): Promise<KeySecret | string> {
  try {
    return await readKeySecret(gateway, name);
  } catch (error) {
    return sentenceOf(error);
  }
}

type ReadSecret = (name: string) => Promise<KeySecret | string>;

async function backupKeys(
  { targetsFolder }: Config,
  { target, backup }: TargetProfile,
  now: Date,
  secrets: ReadSecret,
): Promise<KeyRow[]> {
  if (backup === undefined) return [];
  const secret = await secrets(backupKeyNames.secret(target));
  const inFile = async (kind: BackupKeyKind, path: string, privatePart: PrivatePart): Promise<KeyRow> =>
    await judgeKey(
      { target, kind, publicAt: `${targetsFolder}/${path}`, use: kind === 'signing' ? 'sign' : 'decrypt' },
      () => readPublicKeyFile(targetsFolder, path),
      privatePart,
      now,
    );
  const signing = backup.keys.signing.map((path, index) =>
    inFile('signing', path, index === 0 ? partIn(secret, 'signing') : { state: 'not kept' }),
  );
  return [
    ...(await Promise.all(signing)),
    await inFile('online', backup.keys.online, partIn(secret, 'online')),
    await inFile('escrow', backup.keys.escrow, { state: 'offline' }),
    ...(await formerKeys(target, secret, now)),
  ];
}

function partIn(secret: KeySecret | string, name: string): PrivatePart {
  if (typeof secret === 'string') return { state: 'unknown', why: secret };
  const at = `${secret.name}, ${name}.asc`;
  const armored = textIn(secret, `${name}.asc`);
  const passphrase = textIn(secret, `${name}.passphrase`)?.replace(/\r?\n$/, '');
  if (armored === undefined) return { state: 'missing', at };
  return { state: 'there', at, key: { armored, ...(passphrase === undefined ? {} : { passphrase }) } };
}

/** Former online keys have no file of their own: the Secret alone has them. */
async function formerKeys(target: string, secret: KeySecret | string, now: Date): Promise<KeyRow[]> {
  if (typeof secret === 'string') return [];
  const names = backupKeyNames.formerPrivateKeys(Object.keys(secret.data));
  return await Promise.all(
    names.map((name) =>
      judgeKey(
        { target, kind: 'former online', publicAt: 'no file', use: 'decrypt' },
        undefined,
        partIn(secret, name.replace(/\.asc$/, '')),
        now,
      ),
    ),
  );
}

async function auditKey({ target }: TargetProfile, now: Date, secrets: ReadSecret): Promise<KeyRow> {
  const secret = await secrets(auditNames.keySecret);
  const publicKey = typeof secret === 'string' ? undefined : textIn(secret, 'public.asc');
  const where = typeof secret === 'string' ? auditNames.keySecret : secret.name;
  const privatePart = partIn(secret, 'private');
  const passphrase = typeof secret === 'string' ? undefined : textIn(secret, 'passphrase');
  if (privatePart.state === 'there' && passphrase !== undefined) privatePart.key.passphrase = passphrase;
  return await judgeKey(
    { target, kind: 'audit', publicAt: `${where}, public.asc`, use: 'sign' },
    publicKey ?? (typeof secret === 'string' ? undefined : ''),
    privatePart,
    now,
  );
}
