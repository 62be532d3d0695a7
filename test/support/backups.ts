import { generateKey } from 'openpgp';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { backupKeyNames } from '../../src/contracts/backup-keys.ts';
import { fieldManager, lockNamespace } from '../../src/contracts/names.ts';
import type { SealingKeys } from '../../src/encryption/messages.ts';
import { openGateway } from './stack.ts';

/** An OpenPGP key, armored. */
export interface TestKey {
  privateKey: string;
  publicKey: string;
}

/** The three keys of a target's backups. */
export interface TestKeys {
  signing: TestKey;
  online: TestKey;
  escrow: TestKey;
}

/** A key that GnuPG 2.2 reads; one that encrypts has a subkey for it. */
export async function aKey(name: string): Promise<TestKey> {
  const { privateKey, publicKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: { name, email: `${name}@example.org` },
    format: 'armored',
  });
  return { privateKey, publicKey };
}

export async function makeKeys(): Promise<TestKeys> {
  const [signing, online, escrow] = await Promise.all(['signing', 'online', 'escrow'].map(aKey));
  if (signing === undefined || online === undefined || escrow === undefined) throw new Error('no keys');
  return { signing, online, escrow };
}

/** What a worker seals with. */
export function sealingKeysOf({ signing, online, escrow }: TestKeys): SealingKeys {
  return {
    recipients: [online.publicKey, escrow.publicKey],
    signingKey: { armored: signing.privateKey },
  };
}

/** The section `backup` of a profile with these keys, whose public parts are put where it says. */
export function backupSection(
  targetsFolder: string,
  target: string,
  keys: TestKeys,
  change: Record<string, unknown> = {},
): Record<string, unknown> {
  mkdirSync(join(targetsFolder, 'keys'), { recursive: true });
  for (const kind of ['signing', 'online', 'escrow'] as const)
    writeFileSync(join(targetsFolder, backupKeyNames.publicFile(target, kind)), keys[kind].publicKey);
  const fileOf = (kind: 'signing' | 'online' | 'escrow'): string => backupKeyNames.publicFile(target, kind);
  return {
    keys: { signing: [fileOf('signing')], online: fileOf('online'), escrow: fileOf('escrow') },
    ...change,
  };
}

/** Puts the private parts where the worker looks for them. */
export async function storePrivateKeys(target: string, { signing, online }: TestKeys): Promise<void> {
  const gateway = openGateway();
  try {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lockNamespace } };
    await gateway.create(namespace, { fieldManager }).catch(() => undefined);
    const stringData = {
      [backupKeyNames.privateKey('signing')]: signing.privateKey,
      [backupKeyNames.privateKey('online')]: online.privateKey,
    };
    const metadata = { name: backupKeyNames.secret(target), namespace: lockNamespace };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', stringData };
    await gateway.apply(secret, { fieldManager: 'test', force: true });
  } finally {
    await gateway.close();
  }
}

/** Takes them away again. */
export async function removePrivateKeys(target: string): Promise<void> {
  const gateway = openGateway();
  try {
    const name = backupKeyNames.secret(target);
    const ref = { apiVersion: 'v1', kind: 'Secret', namespace: lockNamespace, name };
    const { metadata } = await gateway.get(ref);
    await gateway.delete(ref, { preconditions: { uid: metadata.uid ?? '' } });
  } finally {
    await gateway.close();
  }
}
