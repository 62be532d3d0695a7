import {
  createCleartextMessage,
  createMessage,
  generateKey,
  readCleartextMessage,
  sign,
  verify,
  type PrivateKey,
  type PublicKey,
} from 'openpgp';
import { fingerprintOf, readOneKey, readOnePrivateKey, unlock } from './keys.ts';
import type { PrivateKeyText } from './messages.ts';

/** A new key, armored. */
export interface KeyPair {
  privateKey: string;
  publicKey: string;
  fingerprint: string;
}

/** What a new key is to be. */
export interface KeyWish {
  owner: { name: string; email?: string };
  /** What others encrypt to; without it the key only signs. */
  encrypts?: boolean;
  /** Without it the key does not expire. */
  validDays?: number;
  passphrase?: string;
}

const secondsOfDay = 86_400;

/** Makes a key of the kind that GnuPG 2.2 reads, too. */
export async function makeKeyPair(wish: KeyWish): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKey({
    type: 'ecc',
    curve: wish.encrypts === true ? 'curve25519Legacy' : 'ed25519Legacy',
    userIDs: wish.owner,
    ...(wish.encrypts === true ? {} : { subkeys: [] }),
    ...(wish.validDays === undefined ? {} : { keyExpirationTime: wish.validDays * secondsOfDay }),
    ...(wish.passphrase === undefined ? {} : { passphrase: wish.passphrase }),
    format: 'object',
  });
  return { privateKey: privateKey.armor(), publicKey: publicKey.armor(), ...fingerprintOf(publicKey) };
}

/** Makes a key that can only sign and does not expire. */
export async function generateSigningKey(owner: KeyWish['owner'], passphrase?: string): Promise<KeyPair> {
  return await makeKeyPair({ owner, ...(passphrase === undefined ? {} : { passphrase }) });
}

/**
 * Whether a private key is the other half of a public one: tried with a text, not read from names. An expired or
 * revoked key still fits. @throws KeyUnusable: one that cannot be read or opened
 */
export async function fitsPublicKey(
  text: PrivateKeyText,
  armoredPublicKey: string,
  use: 'sign' | 'decrypt',
): Promise<boolean> {
  const publicKey = (await readOneKey(armoredPublicKey)).toPublic();
  const privateKey = await unlock(await readOnePrivateKey(text.armored), text.passphrase);
  if (fingerprintOf(publicKey).fingerprint !== fingerprintOf(privateKey).fingerprint) return false;
  try {
    return await (use === 'sign' ? signs(privateKey, publicKey) : decrypts(privateKey, publicKey));
  } catch {
    return false;
  }
}

async function signs(signingKeys: PrivateKey, verificationKeys: PublicKey): Promise<boolean> {
  // When it was made it was neither expired nor revoked.
  const date = verificationKeys.getCreationTime();
  const signed = await sign({ message: await createCleartextMessage({ text: probe }), signingKeys, date });
  const message = await readCleartextMessage({ cleartextMessage: signed });
  const { signatures } = await verify({ message, verificationKeys, date });
  return (await signatures[0]?.verified) === true;
}

async function decrypts(privateKey: PrivateKey, publicKey: PublicKey): Promise<boolean> {
  const date = publicKey.getCreationTime();
  const message = await createMessage({ text: probe, date });
  const sealed = await message.encrypt([publicKey], undefined, undefined, undefined, undefined, date);
  return (await sealed.decrypt([privateKey], undefined, undefined, date)).getText() === probe;
}

const probe = 'Do these two keys fit?';
