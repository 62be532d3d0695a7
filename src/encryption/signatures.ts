import {
  createMessage,
  enums,
  readCleartextMessage,
  readSignature,
  sign,
  SignaturePacket,
  verify,
  type CleartextMessage,
  type Key,
  type Signature,
  type VerifyMessageResult,
} from 'openpgp';
import {
  blocksIn,
  clockToleranceMilliseconds,
  config,
  faultOf,
  fingerprintOf,
  KeyUnusable,
  messageOf,
  readOneKey,
  readOnePrivateKey,
  unlock,
  weakHashes,
} from './keys.ts';

/** A signature that is not taken. Its message is a sentence for whoever signed: what is wrong, and what to do. */
export class SignatureRefused extends Error {
  override readonly name = 'SignatureRefused';
}

/** Who signed, and when they say that they did. */
export interface Signed {
  /** Of the primary key, in capitals, also when a subkey signed. */
  fingerprint: string;
  signedAt: Date;
}

/** A statement that someone says they have signed. */
export interface StatementToVerify {
  /** The texts that may have been signed. Nothing but one of these can come out. */
  candidates: string[];
  /** As it was pasted: one base64 line, an armored detached signature, or a clear-signed message. */
  signature: string;
  /** Armored, of the one who should have signed. */
  publicKey: string;
  now: Date;
}

/** What was pasted, read but not believed. A clear-signed message carries its own text. */
type Pasted = { signature: Signature } | { message: CleartextMessage };

/** A real signature takes a few hundred characters, with a clear-signed statement around it some thousand. */
const mostSignatureCharacters = 16 * 1024;

const signAgain = 'sign again with: gpg --digest-algo SHA512 --detach-sign';
const several = 'there is more than one signature in it; send one decision for each person';

/**
 * Verifies that one of the candidate texts was signed by the key, or by a subkey of it that may sign. The key has to be
 * valid when it signed, and now; the signer's clock may be five minutes ahead. Reads only what it is given, so it may run
 * any number of times. @throws SignatureRefused; KeyUnusable when it is the public key that cannot be read
 */
export async function verifyStatement(asked: StatementToVerify): Promise<Signed & { text: string }> {
  const { now } = asked;
  const key = await readOneKey(asked.publicKey);
  const pasted = await readPasted(asked.signature);
  const packet = await onlyPacket(pasted);
  const signedAt = madeAt(packet);
  refuseFuture(signedAt, now);
  await refuseUnfitKey(key, packet, signedAt > now ? signedAt : now, 'now');
  await refuseUnfitKey(key, packet, signedAt, 'then');
  for (const text of asked.candidates)
    if (await fits(text, pasted, key, signedAt)) {
      refuseExpired(packet, now);
      return { ...fingerprintOf(key), signedAt, text };
    }
  throw new SignatureRefused(
    'what was signed is not the statement that this run asks for: another run, gate, plan, decision or reason, or a changed text. Sign the statement exactly as the run shows it, and send the decision and the reason that stand in it',
  );
}

/**
 * Verifies a detached signature over a text, whenever it was made: the key had to be valid then. A key that was
 * revoked as compromised later counts for nothing. @throws SignatureRefused; KeyUnusable for the public key
 */
export async function verifyDetached(text: string, signature: string, publicKey: string): Promise<Signed> {
  const key = await readOneKey(publicKey);
  const pasted = await readPasted(signature);
  const packet = await onlyPacket(pasted);
  const signedAt = madeAt(packet);
  await refuseUnfitKey(key, packet, signedAt, 'then');
  if ('signature' in pasted && (await fits(text, pasted, key, signedAt)))
    return { ...fingerprintOf(key), signedAt };
  throw new SignatureRefused('the signature does not fit the text: one of them was changed');
}

/**
 * Signs a text; returns the detached signature as one base64 line. Signing twice gives two different signatures, both
 * good. @throws KeyUnusable: no private key, one that is locked, or one that may not sign
 */
export async function signDetached(
  text: string,
  armoredPrivateKey: string,
  passphrase?: string,
): Promise<string> {
  const key = await unlock(await readOnePrivateKey(armoredPrivateKey), passphrase);
  const message = await createMessage({ binary: Buffer.from(text) });
  try {
    const signature: unknown = await sign({
      message,
      signingKeys: key,
      detached: true,
      format: 'binary',
      config,
    });
    return Buffer.from(signature as Uint8Array).toString('base64');
  } catch (error) {
    throw new KeyUnusable(`the key is ${faultOf(error)}`);
  }
}

async function readPasted(given: string): Promise<Pasted> {
  if (given.length > mostSignatureCharacters)
    throw new SignatureRefused(
      `the signature has more than ${mostSignatureCharacters} characters; make a detached one with: gpg --detach-sign`,
    );
  const text = given.replace(/\r\n?/g, '\n');
  const blocks = blocksIn(text);
  try {
    if (blocks.length === 0) return { signature: await readBase64(text) };
    if (blocks.join() === 'SIGNATURE')
      return { signature: await readSignature({ armoredSignature: text, config }) };
    if (blocks.join() === 'SIGNED MESSAGE,SIGNATURE')
      return { message: await readCleartextMessage({ cleartextMessage: text, config }) };
  } catch (error) {
    if (error instanceof SignatureRefused) throw error;
    throw new SignatureRefused(
      'this is no OpenPGP signature, or it was cut or changed on its way; copy the whole of it once more',
    );
  }
  if (blocks.includes('SIGNATURE')) throw new SignatureRefused(several);
  throw new SignatureRefused('this is not a signature but another kind of PGP block; use: gpg --detach-sign');
}

async function readBase64(text: string): Promise<Signature> {
  const line = text.replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(line))
    throw new SignatureRefused(
      'a signature is one base64 line, or a text with its line breaks that begins with -----BEGIN PGP',
    );
  return await readSignature({ binarySignature: Buffer.from(line, 'base64'), config });
}

/** The one signature in what was pasted, of a kind and strength that counts. */
async function onlyPacket(pasted: Pasted): Promise<SignaturePacket> {
  const count = ('message' in pasted ? pasted.message : pasted.signature).getSigningKeyIDs().length;
  if (count > 1) throw new SignatureRefused(several);
  const packet = 'message' in pasted ? await packetOf(pasted.message) : pasted.signature.packets[0];
  if (!(packet instanceof SignaturePacket) || packet.hashAlgorithm === null)
    throw new SignatureRefused(`there is no signature in it that can be read; ${signAgain}`);
  const { signatureType, hashAlgorithm } = packet;
  if (signatureType !== enums.signature.binary && signatureType !== enums.signature.text)
    throw new SignatureRefused(`the signature is not over a text; ${signAgain}`);
  if (weakHashes.includes(hashAlgorithm))
    throw new SignatureRefused(`the signature uses a hash that is too weak; ${signAgain}`);
  return packet;
}

async function packetOf(message: CleartextMessage): Promise<SignaturePacket | undefined> {
  const { signatures } = await verify({ message, verificationKeys: [], config });
  return (await signatures[0]?.signature)?.packets[0];
}

function madeAt({ created }: SignaturePacket): Date {
  if (created === null)
    throw new SignatureRefused(`the signature does not say when it was made; ${signAgain}`);
  return created;
}

function refuseFuture(signedAt: Date, now: Date): void {
  const ahead = signedAt.getTime() - now.getTime();
  if (ahead <= clockToleranceMilliseconds) return;
  throw new SignatureRefused(
    `the signature says it was made at ${signedAt.toISOString()}, ${Math.round(ahead / 60_000)} minutes from now: set your clock, then sign again`,
  );
}

function refuseExpired(packet: SignaturePacket, now: Date): void {
  const ends = packet.getExpirationTime();
  if (typeof ends === 'object' && ends <= now)
    throw new SignatureRefused(`the signature itself expired at ${ends.toISOString()}; sign again`);
}

/** Refuses a key or subkey that may not sign at that time. */
async function refuseUnfitKey(
  key: Key,
  { issuerKeyID }: SignaturePacket,
  at: Date,
  when: 'now' | 'then',
): Promise<void> {
  const { fingerprint } = fingerprintOf(key);
  const [signer] = key.getKeys(issuerKeyID);
  if (signer === undefined)
    throw new SignatureRefused(
      `key ${issuerKeyID.toHex().toUpperCase()} made the signature, which is no part of this person's key ${fingerprint}; sign with that one: gpg --local-user ${fingerprint} --detach-sign`,
    );
  try {
    await key.getSigningKey(issuerKeyID, at);
  } catch (error) {
    const what = signer === key ? `key ${fingerprint}` : `subkey ${signer.getFingerprint().toUpperCase()}`;
    const state = when === 'now' ? `is ${faultOf(error)}` : `was ${faultOf(error)} when it signed`;
    throw new SignatureRefused(
      `${what} ${state}; sign with a valid one, and see that the target profile has its newest public key`,
    );
  }
}

/** Whether this text is what was signed. Only what `verify` returns counts, never the pasted text itself. */
async function fits(text: string, pasted: Pasted, key: Key, signedAt: Date): Promise<boolean> {
  const asked = { verificationKeys: key, date: signedAt, config };
  const result: VerifyMessageResult =
    'message' in pasted
      ? await verify({ ...asked, message: pasted.message })
      : await verify({
          ...asked,
          message: await createMessage({ binary: Buffer.from(text) }),
          signature: pasted.signature,
        });
  if ('message' in pasted && !isSameText(result.data, text)) return false;
  try {
    return (await result.signatures[0]?.verified) === true;
  } catch (error) {
    if (!/critical/.test(messageOf(error))) return false;
    throw new SignatureRefused(`the signature has a critical extension that is not known here; ${signAgain}`);
  }
}

/** A clear-signed text does not say whether it ended with a line feed. */
function isSameText(signed: unknown, text: string): boolean {
  const bare = (one: string): string => one.replace(/\n+$/, '');
  return typeof signed === 'string' && bare(signed) === bare(text);
}
