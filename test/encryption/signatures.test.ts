import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { signingCommand, statementOf } from '../../src/domain/statement.ts';
import { generateSigningKey } from '../../src/encryption/key-pairs.ts';
import { KeyUnusable, needsPassphrase, readPublicKey, requireSigningKey } from '../../src/encryption/keys.ts';
import {
  signDetached,
  SignatureRefused,
  verifyDetached,
  verifyStatement,
} from '../../src/encryption/signatures.ts';
import { GnuPg, hasGnuPg } from './support/gnupg.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const fields = {
  workflowId: 'update-1',
  runId: 'run-2',
  gate: 'gate-1',
  planHash: 'a'.repeat(64),
  decision: 'approve',
  reason: 'the fix for #42 🚒',
} as const;
const statement = statementOf(fields);
const former = statementOf({ ...fields, runId: 'run-1' });
const describeWithGnuPg = hasGnuPg ? describe : describe.skip;

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SignatureRefused || error instanceof KeyUnusable) return error.message;
    throw error;
  }
  throw new Error('expected a refusal, but it was taken');
}

describeWithGnuPg('a statement signed with GnuPG', () => {
  let gpg: GnuPg;
  let ann = '';
  const publicKeys = new Map<string, string>();

  beforeAll(() => {
    gpg = new GnuPg();
    const longAgo = new Date(Date.now() - 400 * day);
    ann = gpg.makeKey('ann', { at: longAgo });
    gpg.makeKey('rsa', { algorithm: 'rsa3072', at: longAgo });
    gpg.makeKey('eve', { at: longAgo });
  }, 60_000);
  afterAll(() => {
    gpg.close();
  });

  const keyOf = (name: string): string => {
    const known = publicKeys.get(name) ?? gpg.publicKey(name);
    publicKeys.set(name, known);
    return known;
  };
  const verifying = (signature: string, { key = keyOf('ann'), now = new Date() } = {}) =>
    verifyStatement({ candidates: [statement, former], signature, publicKey: key, now });

  test.each(['ann', 'rsa'])('as one base64 line is taken, with the key of %s', async (name) => {
    const signed = await verifying(gpg.signLine(statement, { by: name }), { key: keyOf(name) });
    expect(signed.text).toBe(statement);
    expect(signed.fingerprint).toBe((await readPublicKey(keyOf(name))).fingerprint);
    expect(Math.abs(signed.signedAt.getTime() - Date.now())).toBeLessThan(minute);
  });

  test('by the very command that the gate shows is taken', async () => {
    const printed = execFileSync('sh', ['-c', signingCommand(fields)], {
      encoding: 'utf8',
      env: { ...gpg.environment(), LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect((await verifying(printed)).text).toBe(statement);
  });

  test('names the run that it was signed for', async () => {
    expect((await verifying(gpg.signLine(former, { by: 'ann' }))).text).toBe(former);
  });

  test('in any form that gpg makes of a signature is taken', async () => {
    const clear = gpg.sign(statement, { by: 'ann', form: '--clearsign' }).toString();
    const forms = {
      'with white space': ` ${gpg.signLine(statement, { by: 'ann' }).replace(/(.{30})/g, '$1\r\n\t')}\n`,
      armored: gpg.sign(statement, { by: 'ann', more: ['--armor'] }).toString(),
      'as text': gpg.signLine(statement, { by: 'ann', more: ['--textmode'] }),
      'clear-signed': clear,
      'clear-signed, with CRLF': clear.replaceAll('\n', '\r\n'),
      'clear-signed, between other text': `Hello,\n\n${clear}\n--\nAnn\n`,
      'clear-signed, without the last line feed': gpg
        .sign(statement.trimEnd(), { by: 'ann', form: '--clearsign' })
        .toString(),
      'clear-signed, with one more': gpg
        .sign(`${statement}\n`, { by: 'ann', form: '--clearsign' })
        .toString(),
    };
    for (const [form, signature] of Object.entries(forms))
      expect([form, (await verifying(signature)).text]).toEqual([form, statement]);
  });

  test('counts only what the signature of a clear-signed message covers', async () => {
    const clear = gpg.sign(statement, { by: 'ann', form: '--clearsign' }).toString();
    const other = gpg
      .sign(statement.replace('gate-1', 'gate-2'), { by: 'ann', form: '--clearsign' })
      .toString();
    const mismatch = /not the statement that this run asks for/;
    expect(await refusalOf(verifying(clear.replace('approve', 'reject')))).toMatch(mismatch);
    expect(await refusalOf(verifying(clear.replace('gate: gate-1', 'gate: gate-1x')))).toMatch(mismatch);
    expect(await refusalOf(verifying(`${statement}\n${other}\n${statement}`))).toMatch(mismatch);
    // The right text above a signature for another one.
    expect(await refusalOf(verifying(other.replace('gate-2', 'gate-1')))).toMatch(mismatch);
  });

  test('another plan, decision, reason or run is refused', async () => {
    const others = [
      { ...fields, planHash: 'b'.repeat(64) },
      { ...fields, decision: 'reject' as const },
      { ...fields, reason: 'another' },
      { ...fields, runId: 'run-3' },
    ];
    for (const other of others)
      expect(await refusalOf(verifying(gpg.signLine(statementOf(other), { by: 'ann' })))).toMatch(
        /^what was signed is not the statement.*Sign the statement exactly as the run shows it/,
      );
  });

  test("someone else's key is named, and the one to sign with", async () => {
    expect(await refusalOf(verifying(gpg.signLine(statement, { by: 'eve' })))).toMatch(
      new RegExp(
        `^key [0-9A-F]{16} made the signature, which is no part of this person's key ${ann}; .*--local-user ${ann}`,
      ),
    );
  });

  test('two signatures in one are refused, in every form', async () => {
    const two = { by: ['ann', 'eve'] };
    const armored = gpg.sign(statement, { by: 'ann', more: ['--armor'] }).toString();
    const twice = [
      gpg.signLine(statement, two),
      gpg.sign(statement, { ...two, more: ['--armor'] }).toString(),
      gpg.sign(statement, { ...two, form: '--clearsign' }).toString(),
      armored + armored,
      gpg.sign(statement, { by: 'ann', form: '--clearsign' }).toString() + armored,
    ];
    for (const [index, signature] of twice.entries()) {
      expect([index, await refusalOf(verifying(signature))]).toEqual([
        index,
        expect.stringMatching(/more than one/),
      ]);
    }
  });

  test('a weak hash is refused', async () => {
    for (const form of ['--detach-sign', '--clearsign'] as const)
      expect(
        await refusalOf(
          verifying(
            gpg.sign(statement, { by: 'rsa', form, more: ['--digest-algo', 'SHA1', '--armor'] }).toString(),
            {
              key: keyOf('rsa'),
            },
          ),
        ),
      ).toMatch(/hash that is too weak; sign again with: gpg --digest-algo SHA512/);
  });

  test.each([
    ['under', 5 * minute - 2000, true],
    ['over', 5 * minute + 2000, false],
    ['an hour', hour, false],
  ])('a clock ahead by %s the five minutes', async (_case, ahead, taken) => {
    const now = new Date();
    const signature = gpg.signLine(statement, { by: 'ann', at: new Date(now.getTime() + ahead) });
    if (taken) expect((await verifying(signature, { now })).text).toBe(statement);
    else
      expect(await refusalOf(verifying(signature, { now }))).toMatch(
        /^the signature says it was made at .*Z, \d+ minutes from now: set your clock, then sign again$/,
      );
  });

  test('exactly five minutes ahead is taken, a millisecond more is not', async () => {
    const at = new Date(Math.floor(Date.now() / 1000) * 1000);
    const signature = gpg.signLine(statement, { by: 'ann', at });
    const { signedAt } = await verifying(signature);
    const earliest = signedAt.getTime() - 5 * minute;
    expect((await verifying(signature, { now: new Date(earliest) })).text).toBe(statement);
    expect(await refusalOf(verifying(signature, { now: new Date(earliest - 1) }))).toMatch(
      /5 minutes from now/,
    );
  });

  test('a signature with an end of its own is refused after it', async () => {
    const at = new Date(Date.now() - 3 * day);
    const signature = gpg.signLine(statement, { by: 'ann', at, more: ['--default-sig-expire', '1d'] });
    expect(await refusalOf(verifying(signature))).toMatch(/^the signature itself expired at .*; sign again$/);
  });

  test('an expired key is refused, whether it expired before or after it signed', async () => {
    const made = new Date(Date.now() - 10 * day);
    const key = gpg.makeKey('old', { at: made, expires: '7d' });
    const then = new Date(made.getTime() + day);
    const signature = gpg.signLine(statement, { by: 'old', at: then });
    expect(await refusalOf(verifying(signature, { key: keyOf('old') }))).toMatch(
      new RegExp(
        `^key ${key} is expired; sign with a valid one, and see that the target profile has its newest`,
      ),
    );
    expect((await verifying(signature, { key: keyOf('old'), now: then })).text).toBe(statement);
  });

  test('a key that was prolonged counts from its newest self-signature on', async () => {
    const made = new Date(Date.now() - 10 * day);
    const key = gpg.makeKey('longer', { at: made, expires: '7d' });
    gpg.run(['--quick-set-expire', key, '1y']);
    const signature = gpg.signLine(statement, { by: 'longer' });
    expect((await verifying(signature, { key: keyOf('longer') })).text).toBe(statement);
  });

  test('a revoked key is refused, also for what it signed before', async () => {
    const key = gpg.makeKey('gone', { at: new Date(Date.now() - 10 * day) });
    const signature = gpg.signLine(statement, { by: 'gone' });
    const before = gpg.publicKey('gone');
    expect((await verifying(signature, { key: before })).text).toBe(statement);
    gpg.revoke(key);
    expect(await refusalOf(verifying(signature, { key: keyOf('gone') }))).toMatch(
      new RegExp(`^key ${key} is revoked; sign with a valid one`),
    );
    expect(await refusalOf(verifyDetached(statement, signature, keyOf('gone')))).toMatch(
      new RegExp(`^key ${key} was revoked when it signed`),
    );
  });

  test('a subkey that may sign is taken for its owner; revoked or expired it is not', async () => {
    const longAgo = new Date(Date.now() - 10 * day);
    const key = gpg.makeKey('subs', { at: longAgo });
    const good = gpg.addSubkey(key, { at: longAgo });
    const bad = gpg.addSubkey(key, { at: longAgo });
    const short = gpg.addSubkey(key, { at: longAgo, expires: '7d' });
    const by = (subkey: string, at?: Date) =>
      gpg.signLine(statement, { by: `${subkey}!`, ...(at === undefined ? {} : { at }) });
    const signatures = { good: by(good), bad: by(bad), short: by(short, new Date(longAgo.getTime() + day)) };
    gpg.revokeSubkey(key, 2);
    expect(await verifying(signatures.good, { key: keyOf('subs') })).toMatchObject({
      fingerprint: key,
      text: statement,
    });
    expect(await refusalOf(verifying(signatures.bad, { key: keyOf('subs') }))).toMatch(
      new RegExp(`^subkey ${bad} is revoked`),
    );
    expect(await refusalOf(verifying(signatures.short, { key: keyOf('subs') }))).toMatch(
      new RegExp(`^subkey ${short} is expired`),
    );
  });

  test('a subkey that may not sign proves nobody', async () => {
    const key = gpg.makeKey('enc', { at: new Date(Date.now() - day) });
    gpg.run(['--quick-add-key', key, 'rsa3072', 'auth', 'never']);
    const subkey = /^fpr:+([0-9A-F]+):/gm;
    const listed = gpg.run(['--with-colons', '--list-keys', key]).toString();
    const last = [...listed.matchAll(subkey)].at(-1)?.[1] ?? '';
    const answer = (await readPublicKey(keyOf('enc'))).fingerprint;
    expect(answer).toBe(key);
    expect(last).not.toBe(key);
    // gpg refuses to sign with it, too; so its key id is put into a good signature.
    const bytes = gpg.sign(statement, { by: 'enc' });
    const forged = Buffer.from(
      bytes.toString('hex').replaceAll(key.slice(-16).toLowerCase(), last.slice(-16).toLowerCase()),
      'hex',
    );
    expect(await refusalOf(verifying(forged.toString('base64'), { key: keyOf('enc') }))).toMatch(
      new RegExp(`^subkey ${last} is not allowed to sign`),
    );
  });

  test('what is no detached signature says what to do', async () => {
    const inline = gpg.sign(statement, { by: 'ann', form: '--sign' });
    const junk: [string, RegExp][] = [
      ['', /one base64 line/],
      ['   ', /one base64 line/],
      ['yes!', /one base64 line/],
      ['AAAA', /no OpenPGP signature|no signature/],
      ['A', /no OpenPGP signature|no signature/],
      [Buffer.from(statement).toString('base64'), /no OpenPGP signature/],
      [inline.toString('base64'), /no OpenPGP signature/],
      [
        gpg.sign(statement, { by: 'ann', form: '--sign', more: ['--armor'] }).toString(),
        /another kind of PGP block/,
      ],
      [keyOf('ann'), /another kind of PGP block/],
      [
        '-----BEGIN PGP SIGNATURE-----\n\n!!!\n-----END PGP SIGNATURE-----',
        /no OpenPGP signature|no signature/,
      ],
      ['-----BEGIN PGP SIGNATURE-----', /no OpenPGP signature/],
      ['-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n', /another kind of PGP block/],
      [gpg.signLine(statement, { by: 'ann' }).slice(0, 60), /no OpenPGP signature/],
      [
        gpg
          .sign(statement, { by: 'ann', more: ['--armor'] })
          .toString()
          .replaceAll('\n', ' '),
        /its line breaks/,
      ],
    ];
    for (const [text, sentence] of junk)
      expect([text.slice(0, 40), await refusalOf(verifying(text))]).toEqual([
        text.slice(0, 40),
        expect.stringMatching(sentence),
      ]);
  });

  test.each([
    ['exactly', 16 * 1024, /one base64 line|no OpenPGP/],
    ['over', 16 * 1024 + 1, /more than 16384 characters/],
    ['a megabyte', 1024 * 1024, /more than 16384 characters/],
  ])('junk %s the limit gets a short answer at once', async (_case, length, sentence) => {
    const before = Date.now();
    const answer = await refusalOf(verifying('A'.repeat(length)));
    expect(answer).toMatch(sentence);
    expect(answer.length).toBeLessThan(300);
    expect(Date.now() - before).toBeLessThan(2000);
  });

  test('a good signature is taken with the limit filled up by white space', async () => {
    const line = gpg.signLine(statement, { by: 'ann' });
    expect((await verifying(line.padEnd(16 * 1024))).text).toBe(statement);
  });

  test('whatever byte of a signature is changed, it proves nothing', async () => {
    const bytes = gpg.sign(statement, { by: 'ann' });
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 0x11;
      const outcome = await verifying(changed.toString('base64')).catch((error: unknown) => error);
      // The unhashed part only tells readers where to look.
      if (outcome instanceof SignatureRefused) continue;
      expect(outcome).toMatchObject({ fingerprint: ann, text: statement });
    }
  });

  test('a key of a few bits is refused', async () => {
    gpg.makeKey('small', { algorithm: 'rsa1024' });
    const signature = gpg.signLine(statement, { by: 'small' });
    expect(await refusalOf(verifying(signature, { key: keyOf('small') }))).toMatch(
      /^key [0-9A-F]{40} is too weak/,
    );
  });

  describe('and keys', () => {
    test('a public key is described', async () => {
      gpg.makeKey('ends', { expires: '1y' });
      const { expiresAt, ...known } = await readPublicKey(keyOf('ends'));
      expect(known).toMatchObject({ userIds: ['ends <ends@example.org>'], algorithm: 'eddsaLegacy' });
      expect((expiresAt?.getTime() ?? 0) - Date.now()).toBeGreaterThan(364 * day);
      expect(await readPublicKey(keyOf('rsa'))).toMatchObject({ algorithm: 'rsaEncryptSign' });
      expect(await readPublicKey(keyOf('rsa'))).not.toHaveProperty('expiresAt');
    });

    test('a key says until when it can sign, and is refused where it cannot', async () => {
      const [lasting, short] = [gpg.makeKey('lasting'), gpg.makeKey('short', { expires: '2d' })];
      const now = new Date();
      expect(await requireSigningKey(gpg.publicKey(lasting), now)).toEqual({});
      const { expiresAt } = await requireSigningKey(gpg.publicKey(short), now);
      expect(Math.round(((expiresAt?.getTime() ?? 0) - now.getTime()) / 86_400_000)).toBe(2);
      const later = new Date((expiresAt?.getTime() ?? 0) + 1000);
      await expect(requireSigningKey(gpg.publicKey(short), later)).rejects.toThrow(`key ${short} is expired`);
      gpg.revoke(lasting);
      await expect(requireSigningKey(gpg.publicKey(lasting), now)).rejects.toThrow(
        `key ${lasting} is revoked`,
      );
    });

    test('what is not one public key is refused without being quoted', async () => {
      const privateKey = gpg.privateKey('eve');
      const bad: [string, RegExp][] = [
        ['', /no public key in text form/],
        ['canary-4711', /no public key in text form/],
        [privateKey, /^it is a private key/],
        [gpg.publicKey('ann', 'eve'), /more than one key/],
        [keyOf('ann') + keyOf('eve'), /more than one key/],
        [keyOf('ann') + privateKey, /^it is a private key/],
        ['k'.repeat(300_000), /more than 262144 characters/],
      ];
      for (const [text, sentence] of bad) {
        const refusal = await refusalOf(readPublicKey(text));
        expect(refusal).toMatch(sentence);
        expect(refusal).not.toContain('canary');
        expect(refusal.length).toBeLessThan(300);
      }
    });

    // GnuPG makes guessing a passphrase slow, and a passphrase that is right takes as long.
    test('a private key that gpg exported signs here, locked or not', async () => {
      const open = await signDetached(statement, gpg.privateKey('ann'));
      expect(open).toMatch(/^[A-Za-z0-9+/]+=*$/);
      expect((await verifying(open)).text).toBe(statement);
      const key = generateLocked(gpg, 'locked', 'open sesame');
      expect(await needsPassphrase(key)).toBe(true);
      expect(await needsPassphrase(gpg.privateKey('ann'))).toBe(false);
      const signature = await signDetached(statement, key, 'open sesame');
      expect((await verifying(signature, { key: keyOf('locked') })).text).toBe(statement);
      expect(await refusalOf(signDetached(statement, key))).toBe(
        'the key is locked; its passphrase is needed',
      );
      expect(await refusalOf(signDetached(statement, key, 'canary'))).toBe(
        'the passphrase does not open the key',
      );
    }, 60_000);

    test('a key that may not sign, a public one, and two are refused', async () => {
      expect(await refusalOf(signDetached('x', keyOf('ann')))).toMatch(/no private key/);
      expect(await refusalOf(signDetached('x', gpg.privateKey('ann', 'eve')))).toMatch(/more than one key/);
      const made = new Date(Date.now() - 10 * day);
      gpg.makeKey('past', { at: made, expires: '7d' });
      expect(await refusalOf(signDetached('x', gpg.privateKey('past')))).toBe('the key is expired');
    });

    test('a key that was made here signs, and gpg verifies what it signed', async () => {
      for (const passphrase of [undefined, 'open sesame']) {
        const { privateKey, publicKey, fingerprint } = await generateSigningKey(
          { name: 'Audit log' },
          passphrase,
        );
        expect(fingerprint).toMatch(/^[0-9A-F]{40}$/);
        expect(await needsPassphrase(privateKey)).toBe(passphrase !== undefined);
        const signature = await signDetached('{"a":1}', privateKey, passphrase);
        expect(await verifyDetached('{"a":1}', signature, publicKey)).toMatchObject({ fingerprint });
        gpg.run(['--import'], publicKey);
        writeFileSync(join(gpg.home, 'text.sig'), Buffer.from(signature, 'base64'));
        const status = gpg.run(['--status-fd', '1', '--verify', join(gpg.home, 'text.sig'), '-'], '{"a":1}');
        expect(status.toString()).toMatch(new RegExp(`VALIDSIG ${fingerprint}`));
      }
    });
  });
});

describe('a detached signature over any text', () => {
  test('names its key; another text, another key and a text that was shortened are refused', async () => {
    const [ours, other] = await Promise.all([
      generateSigningKey({ name: 'Ours', email: 'ours@example.org' }),
      generateSigningKey({ name: 'Other' }),
    ]);
    const signature = await signDetached('a\r\nb ', ours.privateKey);
    expect(await verifyDetached('a\r\nb ', signature, ours.publicKey)).toMatchObject({
      fingerprint: ours.fingerprint,
    });
    for (const text of ['a\nb ', 'a\r\nb', '', 'a\r\nb \n'])
      expect(await refusalOf(verifyDetached(text, signature, ours.publicKey))).toMatch(
        /does not fit the text/,
      );
    expect(await refusalOf(verifyDetached('a\r\nb ', signature, other.publicKey))).toMatch(
      /no part of this person/,
    );
  });
});

/** A key that gpg itself locked. */
function generateLocked(gpg: GnuPg, name: string, passphrase: string): string {
  const locked = ['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', passphrase];
  const options = {
    env: gpg.environment(),
    stdio: ['ignore', 'pipe', 'ignore'] as ['ignore', 'pipe', 'ignore'],
  };
  execFileSync('gpg', [...locked, '--quick-generate-key', name, 'ed25519', 'sign'], options);
  return execFileSync('gpg', [...locked, '--armor', '--export-secret-keys', name], options).toString();
}
