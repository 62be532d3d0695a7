import {
  createCleartextMessage,
  createMessage,
  decrypt,
  encrypt,
  enums,
  readCleartextMessage,
  readMessage,
  sign,
  SignaturePacket,
  verify,
  type CleartextMessage,
  type Message,
  type PartialConfig,
  type PrivateKey,
  type PublicKey,
  type VerifyMessageResult,
} from 'openpgp';
import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import {
  clockToleranceMilliseconds,
  config as readingConfig,
  faultOf,
  fingerprintOf,
  KeyUnusable,
  messageOf,
  readOneKey,
  readOnePrivateKey,
  unlock,
  weakHashes,
} from './keys.ts';
import { packetTag, packetTags } from './packet-frames.ts';

/** A message or a signed file that is not believed. Its message is a sentence that quotes nothing of the content. */
export class MessageRefused extends Error {
  override readonly name = 'MessageRefused';
}

/** A private key as it is kept. */
export interface PrivateKeyText {
  armored: string;
  passphrase?: string;
}

/** What a message is sealed with. */
export interface SealingKeys {
  /** Armored public keys, each of which opens it. */
  recipients: string[];
  signingKey: PrivateKeyText;
}

/** Who signed, and when. */
export interface SignedBy {
  /** Fingerprint of the primary key, in capitals, also when a subkey signed. */
  signedBy: string;
  signedAt: Date;
}

/** What GnuPG 2.2 reads, at its strongest. Content comes here compressed, if it is to be. */
const writing: PartialConfig = {
  aeadProtect: false,
  s2kType: enums.s2k.iterated,
  preferredCompressionAlgorithm: enums.compression.uncompressed,
  preferredSymmetricAlgorithm: enums.symmetric.aes256,
  preferredHashAlgorithm: enums.hash.sha512,
};

/** What stands instead of a key id where the sender hides the recipient. */
const hiddenRecipient = '0'.repeat(16);

/** Pieces in which bytes go through the library: with them it holds no copies of the whole. */
const chunkBytes = 64 * 1024;

/** Headers of packets, and the signature. */
const mostPacketBytes = 64 * 1024;

/** Keys that were read, unlocked and tried once, which takes longer than to seal a small file. */
export interface Sealer {
  /** Fingerprint of the key that signs. */
  signer: string;
  /**
   * Encrypted to every recipient and signed, in one binary message. Sealing twice gives two different messages, both
   * good. Holds the plaintext and the sealed message in memory, and no third copy.
   */
  seal: (plain: Uint8Array) => Promise<Uint8Array>;
  /** As {@link signClear}. */
  sign: (text: string) => Promise<string>;
}

/**
 * Opens keys for one activity, which lets go of them at its end.
 * @throws KeyUnusable: one that cannot be read or opened, that expired, was revoked, or may not do what it should
 */
export async function openSealer({ recipients, signingKey }: SealingKeys): Promise<Sealer> {
  const signingKeys = await signingKeyOf(signingKey);
  const encryptionKeys = await readAll(recipients, 'recipient');
  for (const key of encryptionKeys) await refuseUnfitRecipient(key);
  return {
    signer: fingerprintOf(signingKeys).fingerprint,
    seal: (plain) => seal(plain, signingKeys, encryptionKeys),
    sign: (text) => signText(text, signingKeys),
  };
}

async function seal(
  plain: Uint8Array,
  signingKeys: PrivateKey,
  encryptionKeys: PublicKey[],
): Promise<Uint8Array> {
  const message = await createMessage({ binary: streamOf(plain) });
  const sealed: unknown = await encrypt({
    message,
    encryptionKeys,
    signingKeys,
    // Else what the recipients prefer would decide, down to a weaker cipher.
    sessionKey: { data: randomBytes(32), algorithm: 'aes256' },
    format: 'binary',
    config: writing,
  });
  return await collect(sealed as AsyncIterable<Uint8Array>, sealedBytes(plain.length));
}

/**
 * Decrypts and verifies one whole binary message: exactly one good signature of one of `signers`, whose key was valid
 * when it signed. `maxBytes` bounds the plaintext, also of compressed messages. What the message holds for *other*
 * recipients is not covered by the signature: compare a hash for that.
 * @throws MessageRefused; KeyUnusable for a key that cannot be read or opened
 */
export async function openMessage(
  sealed: Uint8Array,
  keys: { privateKey: PrivateKeyText; signers: string[] },
  maxBytes: number,
): Promise<SignedBy & { plain: Uint8Array }> {
  const signers = await readAll(keys.signers, 'signer');
  const decryptionKey = await openKey(keys.privateKey);
  refuseForeignPackets(sealed);
  try {
    const message = await readMessage({ binaryMessage: sealed, config: readingConfig });
    refuseOtherRecipients(message, decryptionKey);
    // As one piece and not as a stream: so nothing inside is looked at before the whole is known to be unchanged.
    const opened = await decrypt({
      message,
      decryptionKeys: decryptionKey,
      verificationKeys: signers,
      date: latestTime(),
      format: 'binary',
      config: { maxDecompressedMessageSize: maxBytes + mostPacketBytes },
    });
    const data: unknown = opened.data;
    const plain = data as Uint8Array;
    if (plain.length > maxBytes) throw tooLarge(maxBytes);
    return { plain, ...(await onlySigner(opened.signatures, signers)) };
  } catch (error) {
    if (error instanceof MessageRefused) throw error;
    if (/decompressed (message )?size/i.test(messageOf(error))) throw tooLarge(maxBytes);
    throw new MessageRefused(
      `it cannot be opened with key ${fingerprintOf(decryptionKey).fingerprint}: it was changed or cut, or it was made for another key`,
    );
  }
}

/**
 * Clear-signs a text. Signing twice gives two different files, both good.
 * @throws KeyUnusable; TypeError for a text that would not survive: blanks at the end of a line, carriage returns, or none
 */
export async function signClear(text: string, key: PrivateKeyText): Promise<string> {
  return await signText(text, await signingKeyOf(key));
}

async function signText(text: string, signingKeys: PrivateKey): Promise<string> {
  const message = await createCleartextMessage({ text });
  if (message.getText() !== text)
    throw new TypeError('a text with blanks at the end of a line cannot be clear-signed');
  return writtenOut(await sign({ message, signingKeys, format: 'object', config: writing }));
}

/**
 * Verifies a clear-signed file. It is valid only if it equals, byte for byte, its own parsed form written again, with
 * one signature of one of `signers`, whose key was valid when it signed. A key that was revoked as compromised later
 * counts for nothing. @throws MessageRefused; KeyUnusable for a signer's key that cannot be read
 */
export async function verifyClear(
  file: Uint8Array | string,
  signers: string[],
): Promise<SignedBy & { text: string }> {
  const keys = await readAll(signers, 'signer');
  const text = typeof file === 'string' ? file : decodeText(file);
  const { message, written } = await readClear(text);
  if (written !== text)
    throw new MessageRefused(
      'the file is not written as a signed file is: something was added, left out or changed in it',
    );
  const { data, signatures } = await verify({
    message,
    verificationKeys: keys,
    date: latestTime(),
    config: readingConfig,
  });
  return { text: data, ...(await onlySigner(signatures, keys, 'nothing unsigned')) };
}

/** The one signature, when it is good; with `nothing unsigned`, nothing in it may lie outside of what was signed. */
async function onlySigner(
  signatures: VerifyMessageResult['signatures'],
  signers: PublicKey[],
  strictly?: 'nothing unsigned',
): Promise<SignedBy> {
  const [result] = signatures;
  if (result === undefined) throw new MessageRefused('there is no signature in it');
  if (signatures.length > 1) throw new MessageRefused('there is more than one signature in it');
  const packet = (await result.signature).packets[0];
  if (!(packet instanceof SignaturePacket) || packet.hashAlgorithm === null || packet.created === null)
    throw new MessageRefused('there is no signature in it that can be read');
  if (weakHashes.includes(packet.hashAlgorithm))
    throw new MessageRefused('its signature uses a hash that is too weak');
  if (strictly !== undefined && (packet.version !== 4 || packet.unhashedSubpackets.length > 0))
    throw new MessageRefused('its signature has parts that are not signed themselves');
  const signedAt = packet.created;
  const signedBy = await signerOf(packet, signedAt, signers);
  try {
    await result.verified;
  } catch (error) {
    throw new MessageRefused(unverified(error, signedAt));
  }
  return { signedBy, signedAt };
}

/** Fingerprint of the key that made the signature. Every signer's key of that id has to have been valid then. */
async function signerOf({ issuerKeyID }: SignaturePacket, at: Date, signers: PublicKey[]): Promise<string> {
  const [signer, ...same] = signers.filter((key) => key.getKeys(issuerKeyID).length > 0);
  if (signer === undefined)
    throw new MessageRefused(
      `key ${issuerKeyID.toHex().toUpperCase()} signed it, which is none of those that may: ${signers.map((key) => fingerprintOf(key).fingerprint).join(', ')}`,
    );
  for (const key of [signer, ...same])
    try {
      await key.getSigningKey(issuerKeyID, at);
    } catch (error) {
      throw new MessageRefused(
        `key ${fingerprintOf(key).fingerprint} was ${faultOf(error)} when it signed, at ${at.toISOString()}`,
      );
    }
  return fingerprintOf(signer).fingerprint;
}

function unverified(error: unknown, signedAt: Date): string {
  if (signedAt > latestTime())
    return `its signature says that it was made at ${signedAt.toISOString()}, which is still to come: set the clock of this machine`;
  if (/expired/.test(messageOf(error))) return 'its signature itself has expired';
  return 'its signature does not fit it: one of them was changed';
}

/** The clock of the one who signed may be ahead by so much. */
function latestTime(): Date {
  return new Date(Date.now() + clockToleranceMilliseconds);
}

/** One encrypted message has the session key for each recipient, then the encrypted packet, then nothing. */
function refuseForeignPackets(sealed: Uint8Array): void {
  const tags = packetTags(sealed);
  if (tags === undefined || tags.length === 0)
    throw new MessageRefused(
      'it is not one whole OpenPGP message: it was cut or changed, or is something else',
    );
  const recipients = tags.slice(0, -1);
  const isMessage =
    tags.at(-1) === packetTag.encrypted &&
    recipients.length > 0 &&
    recipients.every((tag) => tag === packetTag.sessionKey);
  if (!isMessage)
    throw new MessageRefused(
      'it is not one encrypted message: it is something else, it was cut, or something was put before or behind it',
    );
}

function refuseOtherRecipients(message: Message<Uint8Array>, key: PrivateKey): void {
  const asked = message.getEncryptionKeyIDs();
  const ours = key.getKeyIDs();
  if (asked.some((id) => id.toHex() === hiddenRecipient || ours.some((own) => own.equals(id)))) return;
  throw new MessageRefused(
    `it is not encrypted to key ${fingerprintOf(key).fingerprint} but to ${asked.map((id) => id.toHex().toUpperCase()).join(', ')}`,
  );
}

async function refuseUnfitRecipient(key: PublicKey): Promise<void> {
  try {
    await key.getEncryptionKey();
  } catch (error) {
    throw new KeyUnusable(
      `the recipient's key ${fingerprintOf(key).fingerprint} is ${faultOf(error, 'none that can be encrypted to')}`,
    );
  }
}

async function readAll(armored: string[], what: 'recipient' | 'signer'): Promise<PublicKey[]> {
  if (armored.length === 0) throw new KeyUnusable(`no key of a ${what} was given`);
  return await Promise.all(armored.map(async (text) => (await readOneKey(text)).toPublic()));
}

async function signingKeyOf(text: PrivateKeyText): Promise<PrivateKey> {
  const key = await openKey(text);
  try {
    await key.getSigningKey();
    return key;
  } catch (error) {
    throw new KeyUnusable(`the signing key ${fingerprintOf(key).fingerprint} is ${faultOf(error)}`);
  }
}

async function openKey({ armored, passphrase }: PrivateKeyText): Promise<PrivateKey> {
  return await unlock(await readOnePrivateKey(armored), passphrase);
}

async function readClear(text: string): Promise<{ message: CleartextMessage; written: string }> {
  try {
    const message = await readCleartextMessage({ cleartextMessage: text, config: readingConfig });
    return { message, written: writtenOut(message) };
  } catch {
    throw new MessageRefused('it is no clear-signed file, or it was cut or changed');
  }
}

/** The library ends the lines of the text as the signature counts them, and those around it as files do. */
function writtenOut(message: CleartextMessage): string {
  return message.armor().replaceAll('\r\n', '\n');
}

function decodeText(file: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file);
  } catch {
    throw new MessageRefused('it is no clear-signed file: it is not text in UTF-8');
  }
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream(
    {
      async pull(controller) {
        // The library never lets go of the thread by itself: a large message would hold up everything else.
        await setImmediate();
        if (at >= bytes.length) {
          controller.close();
          return;
        }
        controller.enqueue(bytes.subarray(at, at + chunkBytes));
        at += chunkBytes;
      },
    },
    { highWaterMark: 0 },
  );
}

/** Everything that comes, in one piece. Room is made for `expected` bytes at once. */
async function collect(stream: AsyncIterable<Uint8Array>, expected: number): Promise<Uint8Array> {
  let room = Buffer.allocUnsafe(expected);
  let length = 0;
  for await (const chunk of stream) {
    const end = length + chunk.length;
    if (end > room.length) room = Buffer.concat([room.subarray(0, length)], 2 * end);
    room.set(chunk, length);
    length = end;
  }
  return room.subarray(0, length);
}

function tooLarge(maxBytes: number): MessageRefused {
  return new MessageRefused(`it holds more than the ${maxBytes} bytes that it may`);
}

/** Enough for what sealing adds: a header for each piece, and keys and signature. */
function sealedBytes(plainBytes: number): number {
  return plainBytes + Math.ceil(plainBytes / 64) + mostPacketBytes;
}
