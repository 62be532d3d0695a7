import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBackupKey, daysOf, profileLines, type CreateOptions } from '../../../src/cli/keys/create.ts';
import { UsageError } from '../../../src/cli/exit-codes.ts';
import { readConfig } from '../../../src/config.ts';
import { targetProfileSchema } from '../../../src/contracts/target.ts';
import { fitsPublicKey } from '../../../src/encryption/key-pairs.ts';
import { readPublicKey } from '../../../src/encryption/keys.ts';

const passphrase = 'canary horse battery staple';
const profile = targetProfileSchema.parse({
  target: 'shop',
  namespace: 'shop',
  workload: 'web',
  workloads: { web: { kind: 'Deployment', container: 'web' } },
  health: { via: 'url', url: 'http://web', path: '/health' },
});
let folder: string;
let elsewhere: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runbook-targets-'));
  elsewhere = mkdtempSync(join(tmpdir(), 'runbook-offline-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
  rmSync(elsewhere, { recursive: true });
});

function creating(options: CreateOptions, answers: string[] = [passphrase, passphrase]) {
  const ask = (): Promise<string> => Promise.resolve(answers.shift() ?? '');
  return createBackupKey(readConfig({ RUNBOOK_TARGETS: folder }), profile, 'escrow', options, ask);
}

async function refusalOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    expect(error.message).not.toContain('canary');
    return error.message;
  }
  throw new Error('expected a refusal');
}

function nothingWasMade(): void {
  expect(existsSync(join(folder, 'keys', 'shop-escrow.asc'))).toBe(false);
}

describe('an escrow key', () => {
  test('has its private part in the file alone, for its owner alone, under the passphrase', async () => {
    const out = join(elsewhere, 'escrow.asc');
    const made = await creating({ out });
    expect(made).toEqual({
      target: 'shop',
      kind: 'escrow',
      validDays: 730,
      publicFile: 'keys/shop-escrow.asc',
      privatePart: out,
      fingerprint: expect.stringMatching(/^[0-9A-F]{40}$/) as unknown,
    });
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const publicKey = readFileSync(join(folder, made.publicFile), 'utf8');
    const facts = await readPublicKey(publicKey);
    expect(facts).toMatchObject({
      fingerprint: made.fingerprint,
      userIds: ['runbook escrow key, backups of shop'],
      revoked: false,
    });
    expect(Math.round(((facts.expiresAt?.getTime() ?? 0) - Date.now()) / 86_400_000)).toBe(730);
    const armored = readFileSync(out, 'utf8');
    expect(await fitsPublicKey({ armored, passphrase }, publicKey, 'decrypt')).toBe(true);
    await expect(fitsPublicKey({ armored }, publicKey, 'decrypt')).rejects.toThrow(/locked/);
  });

  test('takes its passphrase from a file, without the line end of an editor', async () => {
    const file = join(elsewhere, 'passphrase');
    writeFileSync(file, `${passphrase}\r\n`);
    const out = join(elsewhere, 'escrow.asc');
    const { publicFile } = await creating({ out, passphraseFile: file }, []);
    const key = { armored: readFileSync(out, 'utf8'), passphrase };
    expect(await fitsPublicKey(key, readFileSync(join(folder, publicFile), 'utf8'), 'decrypt')).toBe(true);
  });

  test('is not made when the two passphrases differ, and so not with a mistake in it', async () => {
    const out = join(elsewhere, 'escrow.asc');
    const answers = [passphrase, `${passphrase} `];
    expect(await refusalOf(creating({ out }, answers))).toBe('the two passphrases differ; nothing was made');
    nothingWasMade();
    expect(existsSync(out)).toBe(false);
  });

  test.each([
    ['missing', '', false],
    ['under', 'canary-4711', false],
    ['exactly', 'canary-47110', true],
    ['over', 'canary-471100', true],
    ['two lines', 'canary horse\nbattery', false],
    ['far too long', 'canary'.repeat(1000), false],
  ])('with a passphrase that is %s the shortest one', async (_case, given, taken) => {
    const out = join(elsewhere, 'escrow.asc');
    const answer = creating({ out }, [given, given]);
    if (taken) expect((await answer).privatePart).toBe(out);
    else expect(await refusalOf(answer)).toMatch(/nothing was made$/);
  });

  test('overwrites no private part, follows no link, and needs a place for it', async () => {
    const out = join(elsewhere, 'there.asc');
    writeFileSync(out, 'precious');
    expect(await refusalOf(creating({ out }))).toMatch(/is there already; nothing is overwritten$/);
    expect(readFileSync(out, 'utf8')).toBe('precious');
    const link = join(elsewhere, 'link.asc');
    symlinkSync(join(elsewhere, 'nowhere.asc'), link);
    expect(await refusalOf(creating({ out: link }))).toMatch(/is there already/);
    expect(await refusalOf(creating({ out: join(elsewhere, 'no', 'folder.asc') }))).toMatch(
      /no is not there; make it first/,
    );
    expect(await refusalOf(creating({}))).toMatch(/needs --out FILE/);
    nothingWasMade();
  });

  test.each<[string, () => string]>([
    ['in the folder of profiles', () => join(folder, 'escrow.asc')],
    ['below it', () => join(folder, 'keys', 'escrow.asc')],
    ['below it by a detour', () => join(folder, 'keys', '..', 'keys', 'escrow.asc')],
    ['below it through a link', () => join(elsewhere, 'way', 'escrow.asc')],
  ])('has its private part never %s', async (_case, place) => {
    mkdirSync(join(folder, 'keys'));
    symlinkSync(join(folder, 'keys'), join(elsewhere, 'way'));
    const out = place();
    expect(await refusalOf(creating({ out }))).toMatch(/that is the folder of profiles/);
    expect(existsSync(out)).toBe(false);
    nothingWasMade();
  });

  test('may lie beside the folder of profiles, whatever that is called', async () => {
    const beside = `${folder}-offline`;
    mkdirSync(beside);
    try {
      expect((await creating({ out: join(beside, 'escrow.asc') })).privatePart).toMatch(/escrow\.asc$/);
    } finally {
      rmSync(beside, { recursive: true });
    }
  });

  test('is replaced with --rotate alone, under a name with the date, and once a day', async () => {
    const first = await creating({ out: join(elsewhere, '1.asc') });
    const before = readFileSync(join(folder, first.publicFile), 'utf8');
    expect(await refusalOf(creating({ out: join(elsewhere, '2.asc') }))).toMatch(
      /there is a key already, .*keys\/shop-escrow\.asc; add --rotate/,
    );
    const second = await creating({ out: join(elsewhere, '2.asc'), rotate: true });
    expect(second.publicFile).toBe(`keys/shop-escrow-${today()}.asc`);
    expect(readFileSync(join(folder, first.publicFile), 'utf8')).toBe(before);
    expect(await refusalOf(creating({ out: join(elsewhere, '3.asc'), rotate: true }))).toMatch(
      /one rotation a day/,
    );
    expect(existsSync(join(elsewhere, '3.asc'))).toBe(false);
  });

  test('is not written through a folder of keys that leads elsewhere', async () => {
    symlinkSync(elsewhere, join(folder, 'keys'));
    const out = join(tmpdir(), `escrow-${process.pid}.asc`);
    expect(await refusalOf(creating({ out }))).toMatch(/leads out of the folder of profiles/);
    expect([existsSync(join(elsewhere, 'shop-escrow.asc')), existsSync(out)]).toEqual([false, false]);
  });
});

test.each(['0', '-1', '1.5', '36501', '1e3', '', 'x', '0x10', '9999999'])('%j days are none', (text) => {
  expect(() => daysOf(text)).toThrow(UsageError);
});

test.each([
  ['1', 1],
  ['36500', 36_500],
  [undefined, undefined],
])('%j days are taken', (text, days) => {
  expect(daysOf(text)).toBe(days);
});

test('the lines for the profile keep what it has, mark what is new, and put a new signing key before the old ones', () => {
  const made = { target: 'shop', fingerprint: 'F', validDays: 1, privatePart: 'p' };
  const keys = { signing: ['keys/a.asc', 'keys/b.asc'], online: 'keys/o.asc', escrow: 'keys/e.asc' };
  const withBackup = targetProfileSchema.parse({ ...profile, backup: { keys } });
  expect(profileLines(withBackup, { ...made, kind: 'signing', publicFile: 'keys/n.asc' })).toEqual([
    'backup:',
    '  keys:',
    '    signing: [keys/n.asc, keys/a.asc, keys/b.asc]  # new',
    '    online: keys/o.asc',
    '    escrow: keys/e.asc',
  ]);
  expect(profileLines(profile, { ...made, kind: 'online', publicFile: 'keys/n.asc' })).toEqual([
    'backup:',
    '  keys:',
    '    signing: [keys/shop-signing.asc]',
    '    online: keys/n.asc  # new',
    '    escrow: keys/shop-escrow.asc',
  ]);
});

function today(): string {
  return new Date().toISOString().slice(0, 10).replaceAll('-', '');
}
