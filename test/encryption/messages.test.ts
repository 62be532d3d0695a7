import { beforeAll, describe, expect, test } from '@jest/globals';
import {
  createMessage,
  encrypt,
  enums,
  generateKey,
  readKey,
  readPrivateKey,
  reformatKey,
  revokeKey,
  type Message,
  type PublicKey,
} from 'openpgp';
import { KeyUnusable } from '../../src/encryption/keys.ts';
import {
  MessageRefused,
  openMessage,
  openSealer,
  type PrivateKeyText,
} from '../../src/encryption/messages.ts';
import { makeKeyPair, type KeyPair } from './support/keys.ts';

const day = 86_400_000;
const plain = Buffer.from('canary-4711: what a part holds');
let online: KeyPair;
let escrow: KeyPair;
let signing: KeyPair;
let sealed: Uint8Array;

beforeAll(async () => {
  [online, escrow, signing] = await Promise.all([
    makeKeyPair('online'),
    makeKeyPair('escrow'),
    makeKeyPair('signing'),
  ]);
  sealed = await sealing(plain);
});

async function sealing(bytes: Uint8Array, { recipients = [online, escrow], signer = signing } = {}) {
  const { seal } = await openSealer({
    recipients: recipients.map(({ publicKey }) => publicKey),
    signingKey: { armored: signer.privateKey },
  });
  return await seal(bytes);
}

async function opening(
  bytes: Uint8Array,
  { by = online, signers = [signing.publicKey], maxBytes = 1_000_000 } = {},
) {
  return await openMessage(bytes, { privateKey: { armored: by.privateKey }, signers }, maxBytes);
}

/** The sentence of a refusal, which never quotes what is inside. */
async function refusalOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof MessageRefused) && !(error instanceof KeyUnusable)) throw error;
    expect(error.message).not.toMatch(/canary|BEGIN PGP/);
    return error.message;
  }
  throw new Error('expected a refusal, but it was taken');
}

async function onlineKey(): Promise<PublicKey> {
  return (await readKey({ armoredKey: online.publicKey })).toPublic();
}

/** What others can make with the library itself. */
async function encryptedTo(message: Message<Uint8Array>): Promise<Uint8Array> {
  const all = await message.encrypt([await onlineKey()]);
  return all.write() as Uint8Array;
}

async function signedMessage(bytes: Uint8Array, ...signers: KeyPair[]): Promise<Message<Uint8Array>> {
  const message = await createMessage({ binary: bytes });
  const keys = signers.map(async ({ privateKey }) => await readPrivateKey({ armoredKey: privateKey }));
  return signers.length === 0 ? message : await message.sign(await Promise.all(keys));
}

describe('a sealed message', () => {
  test.each([0, 1, 65_535, 65_536, 65_537, 300_000])('of %d bytes opens with either key', async (length) => {
    const bytes = Buffer.alloc(length, 'abc');
    const both = await sealing(bytes);
    for (const by of [online, escrow]) {
      const opened = await opening(both, { by, maxBytes: length });
      expect(Buffer.compare(opened.plain, bytes)).toBe(0);
      expect(opened.signedBy).toBe(signing.fingerprint);
      expect(Math.abs(opened.signedAt.getTime() - Date.now())).toBeLessThan(60_000);
    }
  });

  test('is taken of any of several signers', async () => {
    const signers = [escrow.publicKey, signing.publicKey];
    expect((await opening(sealed, { signers })).signedBy).toBe(signing.fingerprint);
  });

  test.each([
    ['exactly', plain.length, true],
    ['one byte over', plain.length - 1, false],
    ['far over', 1, false],
  ])('with %s the bytes that it may hold: taken is %s', async (_case, maxBytes, taken) => {
    const answer = opening(sealed, { maxBytes });
    if (taken) expect((await answer).plain).toHaveLength(plain.length);
    else expect(await refusalOf(answer)).toBe(`it holds more than the ${maxBytes} bytes that it may`);
  });

  test('is refused with another key, and says to which keys it is encrypted', async () => {
    expect(await refusalOf(opening(sealed, { by: signing }))).toMatch(
      new RegExp(`^it is not encrypted to key ${signing.fingerprint} but to [0-9A-F]{16}, [0-9A-F]{16}$`),
    );
  });

  test('is refused when somebody else signed it', async () => {
    expect(await refusalOf(opening(sealed, { signers: [online.publicKey, escrow.publicKey] }))).toMatch(
      new RegExp(`which is none of those that may: ${online.fingerprint}, ${escrow.fingerprint}$`),
    );
  });

  test('is refused without a signature, and with two', async () => {
    expect(await refusalOf(opening(await encryptedTo(await signedMessage(plain))))).toBe(
      'there is no signature in it',
    );
    const two = await encryptedTo(await signedMessage(plain, signing, escrow));
    const signers = [signing.publicKey, escrow.publicKey];
    expect(await refusalOf(opening(two, { signers }))).toBe('there is more than one signature in it');
    expect(await refusalOf(opening(two))).toBe('there is more than one signature in it');
  });

  test('is refused whatever byte of it is changed, except what only another recipient reads', async () => {
    const other = recipientPacketOf(sealed, 1);
    for (let index = 0; index < sealed.length; index++)
      for (const flip of [0x01, 0x80]) {
        const changed = Uint8Array.from(sealed);
        changed[index] = (changed[index] ?? 0) ^ flip;
        const answer = await opening(changed).catch((error: unknown) => error);
        if (answer instanceof MessageRefused) continue;
        // Nothing signed can have changed, and only bytes of session keys may have.
        expect(answer).toMatchObject({ plain, signedBy: signing.fingerprint });
        expect(index).toBeLessThan(other.end);
        expect([index, isIgnored(index) || index >= other.start]).toEqual([index, true]);
      }
  }, 120_000);

  test('is refused when it is cut, at whatever length', async () => {
    for (let length = 0; length < sealed.length; length++)
      expect([length, await refusalOf(opening(sealed.subarray(0, length)))]).toEqual([
        length,
        expect.stringMatching(/cut|changed/),
      ]);
  }, 120_000);

  test('is refused with anything before or behind it', async () => {
    const marker = Buffer.from([0xca, 3, 0x50, 0x47, 0x50]);
    const padding = Buffer.from([0xd5, 2, 0, 0]);
    const unknown = Buffer.from([0xfc, 1, 0]);
    const literal = (await createMessage({ binary: plain })).write() as Uint8Array;
    for (const extra of [Buffer.from([0]), Buffer.from('\n'), marker, padding, unknown, literal, sealed]) {
      await expect(opening(Buffer.concat([sealed, extra]))).rejects.toBeInstanceOf(MessageRefused);
      await expect(opening(Buffer.concat([extra, sealed]))).rejects.toBeInstanceOf(MessageRefused);
    }
  });

  test('is refused with more inside than one signed text', async () => {
    const other = await createMessage({ binary: Buffer.from('more') });
    const behind = await signedMessage(plain, signing);
    behind.packets.push(...other.packets);
    const before = await signedMessage(plain, signing);
    before.packets.unshift(...other.packets);
    const nested = await encrypt({
      message: await createMessage({ binary: plain }),
      encryptionKeys: await onlineKey(),
      signingKeys: await readPrivateKey({ armoredKey: signing.privateKey }),
      format: 'object',
    });
    for (const message of [behind, before, nested])
      expect(await refusalOf(opening(await encryptedTo(message)))).toMatch(
        /^(it cannot be opened|there is no signature)/,
      );
  });

  test('is refused when it is something else', async () => {
    const signed = (await signedMessage(plain, signing)).write() as Uint8Array;
    const literal = (await createMessage({ binary: plain })).write() as Uint8Array;
    const byPassword: unknown = await encrypt({
      message: await createMessage({ binary: plain }),
      passwords: 'open sesame',
      signingKeys: await readPrivateKey({ armoredKey: signing.privateKey }),
      format: 'binary',
    });
    const armored = Buffer.from(signing.publicKey);
    const cases = [signed, literal, byPassword as Uint8Array, armored, Buffer.alloc(0), Buffer.alloc(1000)];
    for (const [index, bytes] of cases.entries())
      expect([index, await refusalOf(opening(bytes))]).toEqual([
        index,
        expect.stringMatching(/^it is not one (whole OpenPGP|encrypted) message/),
      ]);
  });
});

describe('a signing key', () => {
  const made = new Date(Date.now() - 100 * day);

  async function oldKey(keyExpirationTime = 0) {
    return await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: { name: 'old' },
      date: made,
      keyExpirationTime,
      format: 'object',
    });
  }

  async function sealedAt(date: Date, key: Awaited<ReturnType<typeof oldKey>>): Promise<Uint8Array> {
    const answer: unknown = await encrypt({
      message: await createMessage({ binary: plain, date }),
      encryptionKeys: await onlineKey(),
      signingKeys: key.privateKey,
      format: 'binary',
      date,
      config: { preferredHashAlgorithm: enums.hash.sha512 },
    });
    return answer as Uint8Array;
  }

  // The recipient's key has to be there when something is encrypted to it.
  beforeAll(async () => {
    const key = await generateKey({
      type: 'ecc',
      curve: 'curve25519Legacy',
      userIDs: { name: 'online' },
      date: made,
      format: 'object',
    });
    online = {
      privateKey: key.privateKey.armor(),
      publicKey: key.publicKey.armor(),
      fingerprint: key.publicKey.getFingerprint().toUpperCase(),
    };
  });

  test('that has expired since proves what it signed before, and signs nothing new', async () => {
    const key = await oldKey((50 * day) / 1000);
    const old = await sealedAt(new Date(made.getTime() + 10 * day), key);
    const signers = [key.publicKey.armor()];
    expect((await opening(old, { signers })).plain).toEqual(plain);
    const text: PrivateKeyText = { armored: key.privateKey.armor() };
    expect(await refusalOf(openSealer({ recipients: [online.publicKey], signingKey: text }))).toBe(
      `the signing key ${key.publicKey.getFingerprint().toUpperCase()} is expired`,
    );
  });

  test('that had expired when it signed proves nothing', async () => {
    const key = await oldKey();
    const late = await sealedAt(new Date(made.getTime() + 60 * day), key);
    expect((await opening(late, { signers: [key.publicKey.armor()] })).plain).toEqual(plain);
    const shortened = await reformatKey({
      privateKey: key.privateKey,
      userIDs: { name: 'old' },
      keyExpirationTime: (50 * day) / 1000,
      date: made,
      format: 'object',
    });
    expect(await refusalOf(opening(late, { signers: [shortened.publicKey.armor()] }))).toMatch(
      /^key [0-9A-F]{40} was expired when it signed, at /,
    );
  });

  test('that was superseded proves what it signed before; one that was compromised proves nothing', async () => {
    const key = await oldKey();
    const before = await sealedAt(new Date(made.getTime() + 10 * day), key);
    const after = await sealedAt(new Date(made.getTime() + 30 * day), key);
    const revokedAs = async (flag: enums.reasonForRevocation): Promise<string[]> => {
      const { publicKey } = await revokeKey({
        key: key.privateKey,
        reasonForRevocation: { flag },
        date: new Date(made.getTime() + 20 * day),
        format: 'object',
      });
      return [publicKey.armor()];
    };
    const superseded = await revokedAs(enums.reasonForRevocation.keySuperseded);
    expect((await opening(before, { signers: superseded })).plain).toEqual(plain);
    expect(await refusalOf(opening(after, { signers: superseded }))).toMatch(/was revoked when it signed/);
    const compromised = await revokedAs(enums.reasonForRevocation.keyCompromised);
    expect(await refusalOf(opening(before, { signers: compromised }))).toMatch(/was revoked when it signed/);
    // Whoever has it twice, once from before, does not believe it either.
    const both = [key.publicKey.armor(), ...compromised];
    expect(await refusalOf(opening(before, { signers: both }))).toMatch(/was revoked when it signed/);
  });

  test('whose clock is ahead by more than five minutes is not believed', async () => {
    const key = await oldKey();
    const signers = [key.publicKey.armor()];
    const ahead = (milliseconds: number) => sealedAt(new Date(Date.now() + milliseconds), key);
    expect((await opening(await ahead(4 * 60_000), { signers })).plain).toEqual(plain);
    expect(await refusalOf(opening(await ahead(6 * 60_000), { signers }))).toMatch(
      /^its signature says that it was made at .*Z, which is still to come: set the clock of this machine$/,
    );
  });
});

describe('keys that cannot be used', () => {
  test('to seal are named with what is wrong, and quoted nowhere', async () => {
    const signOnly = await generateKey({
      type: 'ecc',
      curve: 'ed25519Legacy',
      userIDs: { name: 'canary' },
      subkeys: [],
    });
    const expired = await generateKey({
      type: 'ecc',
      curve: 'curve25519Legacy',
      userIDs: { name: 'canary' },
      date: new Date(Date.now() - 10 * day),
      keyExpirationTime: day / 1000,
    });
    const text = { armored: signing.privateKey };
    const recipients = [online.publicKey];
    const cases: [Parameters<typeof openSealer>[0], RegExp][] = [
      [{ recipients: [], signingKey: text }, /^no key of a recipient was given$/],
      [
        { recipients: [...recipients, signOnly.publicKey], signingKey: text },
        /is none that can be encrypted to$/,
      ],
      [
        { recipients: [...recipients, expired.publicKey], signingKey: text },
        /^the recipient's key [0-9A-F]{40} is expired$/,
      ],
      [{ recipients: [online.privateKey], signingKey: text }, /^it is a private key/],
      [{ recipients: ['canary'], signingKey: text }, /^it is no public key/],
      [{ recipients, signingKey: { armored: signing.publicKey } }, /^it is no private key/],
      [
        { recipients, signingKey: { armored: expired.privateKey } },
        /^the signing key [0-9A-F]{40} is expired$/,
      ],
    ];
    for (const [keys, sentence] of cases) expect(await refusalOf(openSealer(keys))).toMatch(sentence);
  });

  test('to open are named with what is wrong; a passphrase opens a locked one', async () => {
    const locked = await generateKey({
      type: 'ecc',
      curve: 'curve25519Legacy',
      userIDs: { name: 'locked' },
      passphrase: 'open sesame',
      format: 'object',
    });
    const pair = { ...online, publicKey: locked.publicKey.armor() };
    const message = await sealing(plain, { recipients: [pair] });
    const armored = locked.privateKey.armor();
    const signers = [signing.publicKey];
    const open = (privateKey: PrivateKeyText) => openMessage(message, { privateKey, signers }, 100);
    expect((await open({ armored, passphrase: 'open sesame' })).plain).toEqual(plain);
    expect(await refusalOf(open({ armored }))).toBe('the key is locked; its passphrase is needed');
    expect(await refusalOf(open({ armored, passphrase: 'canary' }))).toBe(
      'the passphrase does not open the key',
    );
    expect(await refusalOf(opening(sealed, { signers: [] }))).toBe('no key of a signer was given');
    expect(await refusalOf(opening(sealed, { signers: [signing.privateKey] }))).toMatch(
      /^it is a private key/,
    );
  });
});

/** Where the session key for that recipient lies; each packet here is shorter than 192 bytes. */
function recipientPacketOf(bytes: Uint8Array, wanted: number): { start: number; end: number } {
  let start = 0;
  for (let index = 0; index < wanted; index++) start += 2 + (bytes[start + 1] ?? 0);
  return { start, end: start + 2 + (bytes[start + 1] ?? 0) };
}

/**
 * In the first packet: how many bits its number has, of which readers take the bytes, and the byte with the bit that
 * the curve does not use.
 */
function isIgnored(index: number): boolean {
  return [12, 13, 46].includes(index);
}
