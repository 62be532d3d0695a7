import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  MessageRefused,
  openMessage,
  openSealer,
  signClear,
  verifyClear,
} from '../../src/encryption/messages.ts';
import { GnuPg, hasGnuPg } from './support/gnupg.ts';
import { makeKeyPair, type KeyPair } from './support/keys.ts';

const day = 86_400_000;
const describeWithGnuPg = hasGnuPg ? describe : describe.skip;

describeWithGnuPg('the same messages with GnuPG', () => {
  let sender: GnuPg;
  let online: KeyPair;
  let escrow: KeyPair;
  let signing: KeyPair;
  const rings: GnuPg[] = [];

  beforeAll(async () => {
    [online, escrow, signing] = await Promise.all([
      makeKeyPair('online'),
      makeKeyPair('escrow'),
      makeKeyPair('signing'),
    ]);
    sender = ring();
    const longAgo = new Date(Date.now() - 30 * day);
    for (const [name, algorithm] of [
      ['ed', 'ed25519'],
      ['rsa', 'rsa3072'],
    ] as const) {
      const key = sender.makeKey(name, { algorithm, at: longAgo });
      sender.addEncryptionSubkey(key, algorithm === 'rsa3072' ? 'rsa3072' : 'cv25519', longAgo);
    }
    sender.run(['--import'], online.publicKey);
  }, 60_000);
  afterAll(() => {
    for (const one of rings) one.close();
  });

  function ring(): GnuPg {
    const made = new GnuPg();
    rings.push(made);
    return made;
  }

  test.each(['online', 'escrow'] as const)(
    'gpg opens what was sealed here with the %s key alone, and calls the signature good',
    async (name) => {
      const plain = randomBytes(200_000);
      const { seal } = await openSealer({
        recipients: [online.publicKey, escrow.publicKey],
        signingKey: { armored: signing.privateKey },
      });
      const sealed = await seal(plain);
      const gpg = ring();
      gpg.run(['--import'], { online, escrow }[name].privateKey);
      gpg.run(['--import'], signing.publicKey);
      const file = join(gpg.home, 'part.gpg');
      const out = join(gpg.home, 'part');
      writeFileSync(file, sealed);
      const status = gpg.run(['--status-fd', '1', '--output', out, '--decrypt', file]).toString();
      expect(status).toMatch(new RegExp(`VALIDSIG ${signing.fingerprint}`));
      // Cipher 9 is AES256, hash 10 is SHA512.
      expect(status).toMatch(/GOODMDC/);
      expect(status).toMatch(/DECRYPTION_INFO 2 9/);
      expect(status).toMatch(/VALIDSIG( \S+){7} 10 /);
      expect(execFileSync('cmp', [out, '-'], { input: plain }).toString()).toBe('');
    },
  );

  test.each(['ed', 'rsa'])('gpg opens what was sealed to and signed by its own %s key', async (name) => {
    const key = { armored: sender.privateKey(name) };
    const { seal } = await openSealer({ recipients: [sender.publicKey(name)], signingKey: key });
    const sealed = await seal(Buffer.from('for gpg'));
    expect(sender.run(['--decrypt'], Buffer.from(sealed)).toString()).toBe('for gpg');
    const opened = await openMessage(sealed, { privateKey: key, signers: [sender.publicKey(name)] }, 100);
    expect(Buffer.from(opened.plain).toString()).toBe('for gpg');
  });

  test.each([
    ['ed', []],
    ['rsa', []],
    ['ed', ['--compress-algo', 'none']],
    ['ed', ['--compress-algo', 'zip']],
    ['ed', ['--compress-algo', 'zlib']],
    ['ed', ['--compress-algo', 'bzip2']],
    ['ed', ['--textmode']],
    ['ed', ['--hidden-recipient', 'online']],
  ])('what gpg signed as %s and encrypted is opened here (%j)', async (name, more) => {
    const text = 'a line\n'.repeat(20_000);
    const by = ['--local-user', name, '--trust-model', 'always', '--recipient', 'online'];
    const sealed = sender.run([...by, ...more, '--sign', '--encrypt'], text);
    const opened = await openMessage(
      sealed,
      {
        privateKey: { armored: online.privateKey },
        signers: [sender.publicKey('ed'), sender.publicKey('rsa')],
      },
      1_000_000,
    );
    expect(Buffer.from(opened.plain).toString().replaceAll('\r\n', '\n')).toBe(text);
    expect(opened.signedBy).toBe(sender.fingerprintOf(name));
    expect(Math.abs(opened.signedAt.getTime() - Date.now())).toBeLessThan(60_000);
  });

  test.each(['zip', 'bzip2'])(
    'a few bytes that unpack to far more than is expected are refused (%s)',
    async (algorithm) => {
      const bomb = sender.run(
        [
          '--local-user',
          'ed',
          '--trust-model',
          'always',
          '--recipient',
          'online',
          '--compress-algo',
          algorithm,
        ].concat(['--sign', '--encrypt']),
        Buffer.alloc(16 * 1024 * 1024),
      );
      expect(bomb.length).toBeLessThan(200_000);
      const keys = { privateKey: { armored: online.privateKey }, signers: [sender.publicKey('ed')] };
      await expect(openMessage(bomb, keys, 1_000_000)).rejects.toThrow(
        new MessageRefused('it holds more than the 1000000 bytes that it may'),
      );
    },
    60_000,
  );

  test('what gpg signed with a weak hash is refused', async () => {
    const by = ['--local-user', 'rsa', '--trust-model', 'always', '--recipient', 'online'];
    const sealed = sender.run([...by, '--digest-algo', 'SHA1', '--sign', '--encrypt'], 'text');
    const keys = { privateKey: { armored: online.privateKey }, signers: [sender.publicKey('rsa')] };
    await expect(openMessage(sealed, keys, 100)).rejects.toThrow(
      new MessageRefused('its signature uses a hash that is too weak'),
    );
  });

  test('gpg verifies a file that was clear-signed here, and shows the same text', async () => {
    const text = '{"a":"- x\\n","b":1}\n-----BEGIN\nFrom here\n';
    const file = join(sender.home, 'manifest.asc');
    writeFileSync(file, await signClear(text, { armored: signing.privateKey }));
    sender.run(['--import'], signing.publicKey);
    expect(sender.run(['--status-fd', '1', '--verify', file]).toString()).toMatch(
      new RegExp(`VALIDSIG ${signing.fingerprint}`),
    );
    expect(sender.run(['--decrypt', file]).toString().trimEnd()).toBe(text.trimEnd());
  });

  test.each(['ed', 'rsa'])('a file is clear-signed with the %s key that gpg made', async (name) => {
    const signed = await signClear('{"a":1}\n', { armored: sender.privateKey(name) });
    expect(await verifyClear(signed, [sender.publicKey(name)])).toMatchObject({
      text: '{"a":1}\n',
      signedBy: sender.fingerprintOf(name),
    });
    expect(sender.run(['--status-fd', '1', '--verify'], Buffer.from(signed)).toString()).toMatch(
      new RegExp(`VALIDSIG ${sender.fingerprintOf(name)}`),
    );
  });
});
