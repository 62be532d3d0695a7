import {
  decryptKey,
  enums,
  readKeys,
  readPrivateKeys,
  type Key,
  type PartialConfig,
  type PrivateKey,
} from 'openpgp';

/** A key that cannot be used. Its message says why, and never quotes the key. */
export class KeyUnusable extends Error {
  override readonly name = 'KeyUnusable';
}

/** A key that many others signed takes some ten thousand. */
export const mostKeyCharacters = 256 * 1024;

/** How far ahead the clock of a signer may be. */
export const clockToleranceMilliseconds = 5 * 60_000;

/** Nothing that is read here has a reason to be compressed: a few bytes could stand for gigabytes. */
export const config: PartialConfig = { maxDecompressedMessageSize: 16 * 1024 };

/** Signatures over these prove nothing any more. */
export const weakHashes = [enums.hash.md5, enums.hash.sha1, enums.hash.ripemd, enums.hash.sha224];

/** Whether a private key is locked with a passphrase. @throws KeyUnusable when it is none */
export async function needsPassphrase(armoredPrivateKey: string): Promise<boolean> {
  return !(await readOnePrivateKey(armoredPrivateKey)).isDecrypted();
}

/** What a public key says of itself, without a judgement. */
export interface PublicKeyFacts {
  fingerprint: string;
  userIds: string[];
  algorithm: string;
  madeAt: Date;
  expiresAt?: Date;
  revoked: boolean;
}

/** @throws KeyUnusable when the text is not one public key */
export async function readPublicKey(armored: string): Promise<PublicKeyFacts> {
  return await factsOf(await readOneKey(armored));
}

/** What a private key says of its public part. Nothing of it is opened. @throws KeyUnusable when the text is none */
export async function readPrivateKeyFacts(armored: string): Promise<PublicKeyFacts> {
  return await factsOf(await readOnePrivateKey(armored));
}

async function factsOf(key: Key): Promise<PublicKeyFacts> {
  const expires = await key.getExpirationTime();
  return {
    ...fingerprintOf(key),
    userIds: key.getUserIDs(),
    algorithm: key.getAlgorithmInfo().algorithm,
    madeAt: key.getCreationTime(),
    ...(typeof expires === 'object' && expires !== null ? { expiresAt: expires } : {}),
    revoked: await key.isRevoked(),
  };
}

/**
 * When a public key stops being able to sign; undefined: never. @throws KeyUnusable when it cannot at that time, such as a
 * revoked or expired one
 */
export async function requireSigningKey(armored: string, at: Date): Promise<{ expiresAt?: Date }> {
  const key = await readOneKey(armored);
  try {
    const signer = await key.getSigningKey(undefined, at);
    const ends = await Promise.all([key.getExpirationTime(), signer.getExpirationTime()]);
    const times = ends.flatMap((end) => (end instanceof Date ? [end.getTime()] : []));
    return times.length === 0 ? {} : { expiresAt: new Date(Math.min(...times)) };
  } catch (error) {
    throw new KeyUnusable(`key ${fingerprintOf(key).fingerprint} is ${faultOf(error)}`);
  }
}

/** @throws KeyUnusable when the text is not one public key */
export async function readOneKey(armored: string): Promise<Key> {
  refuseTooLong(armored);
  if (blocksIn(armored).some((block) => block.startsWith('PRIVATE')))
    throw new KeyUnusable(
      'it is a private key, which belongs nowhere but to its owner; the public one is needed',
    );
  return onlyKey(await readKeys({ armoredKeys: armored, config }).catch(() => []), armored, 'public');
}

/** @throws KeyUnusable when the text is not one private key */
export async function readOnePrivateKey(armored: string): Promise<PrivateKey> {
  refuseTooLong(armored);
  return onlyKey(await readPrivateKeys({ armoredKeys: armored, config }).catch(() => []), armored, 'private');
}

function refuseTooLong(armored: string): void {
  if (armored.length > mostKeyCharacters)
    throw new KeyUnusable(`it has more than ${mostKeyCharacters} characters, which no key has`);
}

function onlyKey<K extends Key>(keys: K[], armored: string, kind: 'public' | 'private'): K {
  const [key] = keys;
  const name = kind === 'public' ? '--export' : '--export-secret-keys';
  if (key === undefined)
    throw new KeyUnusable(
      `it is no ${kind} key in text form; make one with: gpg --armor ${name} FINGERPRINT`,
    );
  if (keys.length > 1 || blocksIn(armored).length > 1)
    throw new KeyUnusable(`it holds more than one key; take one with: gpg --armor ${name} FINGERPRINT`);
  return key;
}

/** @throws KeyUnusable when the key is locked and the passphrase does not open it */
export async function unlock(privateKey: PrivateKey, passphrase: string | undefined): Promise<PrivateKey> {
  if (privateKey.isDecrypted()) return privateKey;
  if (passphrase === undefined) throw new KeyUnusable('the key is locked; its passphrase is needed');
  try {
    return await decryptKey({ privateKey, passphrase, config });
  } catch {
    throw new KeyUnusable('the passphrase does not open the key');
  }
}

/** What the library says against a key, in our words. */
export function faultOf(error: unknown, otherwise = 'not allowed to sign'): string {
  const text = messageOf(error);
  if (/revoked/.test(text)) return 'revoked';
  if (/expired/.test(text)) return 'expired';
  if (/in the future|newer/.test(text)) return 'not valid yet';
  if (/too weak|shorter|Insecure|disabled/.test(text)) return 'too weak';
  return otherwise;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : '';
}

/** The kinds of the armored blocks in a text. */
export function blocksIn(text: string): string[] {
  return [...text.matchAll(/^-----BEGIN PGP ([A-Z ]+)-----\s*$/gm)].map(([, kind = '']) => kind);
}

/** Of the primary key, in capitals. */
export function fingerprintOf(key: Key): { fingerprint: string } {
  return { fingerprint: key.getFingerprint().toUpperCase() };
}
