import { beforeAll, describe, expect, test } from '@jest/globals';
import { createCleartextMessage, enums, readPrivateKey, sign, SignaturePacket } from 'openpgp';
import { MessageRefused, signClear, verifyClear } from '../../src/encryption/messages.ts';
import { makeKeyPair, type KeyPair } from './support/keys.ts';

const text = '{"objects":3,"target":"shop 🚒"}\n';
let ours: KeyPair;
let other: KeyPair;
let file: string;

beforeAll(async () => {
  [ours, other] = await Promise.all([makeKeyPair('ours'), makeKeyPair('other')]);
  file = await signClear(text, { armored: ours.privateKey });
});

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof MessageRefused) return error.message;
    throw error;
  }
  throw new Error('expected a refusal, but it was taken');
}

describe('a clear-signed file', () => {
  test('gives back its text, as bytes and as text, of any of several signers', async () => {
    for (const one of [file, Buffer.from(file)])
      expect(await verifyClear(one, [other.publicKey, ours.publicKey])).toEqual({
        text,
        signedBy: ours.fingerprint,
        signedAt: expect.any(Date) as unknown,
      });
  });

  test.each([
    'x',
    'no line feed at the end',
    'two\nlines\n',
    '\n\n- dashes\n-----BEGIN PGP SIGNATURE-----\n',
    '\n',
  ])('keeps the text %j to the letter', async (one) => {
    const signed = await signClear(one, { armored: ours.privateKey });
    expect((await verifyClear(signed, [ours.publicKey])).text).toBe(one);
    expect(signed).not.toContain('\r');
  });

  test.each(['blank \n', 'tab\t', 'carriage\r\nreturn'])(
    'cannot be made of %j, which would change',
    async (one) => {
      await expect(signClear(one, { armored: ours.privateKey })).rejects.toBeInstanceOf(TypeError);
    },
  );

  test('is refused whatever byte of it is changed: text, headers, base64, checksum, lines', async () => {
    const bytes = Buffer.from(file);
    for (let index = 0; index < bytes.length; index++)
      for (const flip of [0x01, 0x20, 0x80]) {
        const changed = Buffer.from(bytes);
        changed[index] = (changed[index] ?? 0) ^ flip;
        const answer = await verifyClear(changed, [ours.publicKey]).catch((error: unknown) => error);
        expect([index, flip, answer instanceof MessageRefused]).toEqual([index, flip, true]);
      }
  }, 60_000);

  test('is refused when it is cut, at whatever length', async () => {
    for (let length = 0; length < file.length; length++)
      await expect(verifyClear(file.slice(0, length), [ours.publicKey])).rejects.toBeInstanceOf(
        MessageRefused,
      );
  });

  test('is refused with anything more or less than it was written with', async () => {
    const changes: ((whole: string) => string)[] = [
      (whole) => `${whole}\n`,
      (whole) => `\n${whole}`,
      (whole) => `\uFEFF${whole}`,
      (whole) => `canary\n${whole}`,
      (whole) => `${whole}canary`,
      (whole) => whole + whole,
      (whole) => whole.replaceAll('\n', '\r\n'),
      (whole) => whole.replace('}\n', '} \n'),
      (whole) => whole.replace('}\n', '}\r\n'),
      (whole) => whole.replace('-----BEGIN PGP SIGNATURE-----\n', '$&Comment: canary\n'),
      (whole) => whole.replace('-----BEGIN PGP SIGNATURE-----\n', '$&Version: 1\n'),
      (whole) => whole.replace('Hash: SHA512\n', ''),
      (whole) => whole.replace('SHA512', 'sha512'),
      (whole) => whole.replace('SHA512', 'SHA512,SHA256'),
      (whole) => whole.replace(/=[A-Za-z0-9+/]{4}\n/, ''),
      (whole) => whole.trimEnd(),
    ];
    for (const [index, change] of changes.entries()) {
      const changed = change(file);
      expect([index, changed === file]).toEqual([index, false]);
      const sentence = await refusalOf(verifyClear(changed, [ours.publicKey]));
      expect(sentence).not.toContain('canary');
    }
  });

  test('is refused of anybody else, and names who may', async () => {
    expect(await refusalOf(verifyClear(file, [other.publicKey]))).toMatch(
      new RegExp(`^key [0-9A-F]{16} signed it, which is none of those that may: ${other.fingerprint}$`),
    );
  });

  test('is refused with two signatures, even of the same key', async () => {
    const keys = [ours, other].map(({ privateKey }) => readPrivateKey({ armoredKey: privateKey }));
    const [first, second] = await Promise.all(keys);
    if (first === undefined || second === undefined) throw new Error('no keys');
    for (const signingKeys of [
      [first, second],
      [first, first],
    ]) {
      const message = await createCleartextMessage({ text });
      const twice = (await sign({ message, signingKeys })).replaceAll('\r\n', '\n');
      expect(await refusalOf(verifyClear(twice, [ours.publicKey, other.publicKey]))).toBe(
        'there is more than one signature in it',
      );
    }
  });

  test('is refused when its signature has parts that anybody could have put there', async () => {
    const message = await createCleartextMessage({ text });
    const signingKeys = await readPrivateKey({ armoredKey: ours.privateKey });
    const signed = await sign({
      message,
      signingKeys,
      format: 'object',
      config: { preferredHashAlgorithm: enums.hash.sha512 },
    });
    const intact = signed.armor().replaceAll('\r\n', '\n');
    expect((await verifyClear(intact, [ours.publicKey])).text).toBe(text);
    const packets = (signed as unknown as { signature: { packets: unknown[] } }).signature.packets;
    const [packet] = packets;
    if (!(packet instanceof SignaturePacket)) throw new Error('no signature');
    packet.unhashedSubpackets.push({ type: 101, critical: false, body: Buffer.from('canary') });
    const stuffed = signed.armor().replaceAll('\r\n', '\n');
    expect(await refusalOf(verifyClear(stuffed, [ours.publicKey]))).toBe(
      'its signature has parts that are not signed themselves',
    );
  });

  test('is refused when it is no text, or no signed file', async () => {
    for (const one of ['', 'x', ours.publicKey, '{"a":1}'])
      expect(await refusalOf(verifyClear(one, [ours.publicKey]))).toMatch(/^it is no clear-signed file/);
    expect(await refusalOf(verifyClear(Uint8Array.of(0xff, 0xfe), [ours.publicKey]))).toMatch(
      /not text in UTF-8/,
    );
  });
});
