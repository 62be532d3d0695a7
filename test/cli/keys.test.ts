import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { KeyList } from '../../src/cli/keys/list.ts';
import { makeKeyPair } from '../../src/encryption/key-pairs.ts';
import { openMessage, openSealer } from '../../src/encryption/messages.ts';
import { narrowWorker, withUser } from '../activities/support/narrow-worker.ts';
import { Place } from '../activities/support/place.ts';
import { runbook, type Ended } from '../support/command.ts';
import { kubectlIn, unique } from '../support/stack.ts';
import { demoProfile } from '../support/world.ts';

const kubectl = kubectlIn('runbooks');
const elsewhere = mkdtempSync(join(tmpdir(), 'runbook-offline-'));
const made: string[] = [];

beforeAll(async () => {
  writeFileSync(join(elsewhere, 'passphrase'), 'canary horse battery staple\n');
  // All targets of a cluster share the audit key; another test may have made it.
  expect(await new Bench().keys(['create', 'audit'])).toMatchObject({ code: 0 });
});
afterAll(async () => {
  rmSync(elsewhere, { recursive: true });
  const secrets = made.map((target) => `runbook-backup-${target}`);
  await kubectl('delete', 'secret', '--ignore-not-found', ...secrets);
});

/** A target with a folder of profiles of its own, and the command on it. */
class Bench {
  readonly target = unique('keys');
  readonly folder = mkdtempSync(join(tmpdir(), 'runbook-keys-'));

  constructor() {
    made.push(this.target);
    this.profile();
  }

  /** Writes the profile; without files it has no section for backups. */
  profile(keys?: { signing: string[]; online: string; escrow: string }): void {
    const backup = keys === undefined ? {} : { backup: { keys } };
    const profile = { ...demoProfile('default'), target: this.target, ...backup };
    writeFileSync(join(this.folder, `${this.target}.yaml`), stringify(profile));
  }

  async keys(line: string[], environment: Record<string, string> = {}): Promise<Ended> {
    const ended = await runbook(['keys', ...line, '--target', this.target], {
      RUNBOOK_TARGETS: this.folder,
      ...environment,
    });
    expect(ended.out + ended.err).not.toMatch(/PRIVATE KEY|canary/);
    return ended;
  }

  async create(kind: string, ...line: string[]): Promise<{ publicFile: string; fingerprint: string }> {
    const { code, out, err } = await this.keys(['create', kind, '--json', ...line]);
    expect([code, err]).toEqual([0, '']);
    return JSON.parse(out) as { publicFile: string; fingerprint: string };
  }

  async list(): Promise<KeyList & { code: number | null }> {
    const { code, out } = await this.keys(['list', '--json']);
    return { code, ...(JSON.parse(out) as KeyList) };
  }

  /** What the Secret holds, decoded. */
  async secret(): Promise<Record<string, string>> {
    const found = await kubectl('get', 'secret', `runbook-backup-${this.target}`, '--output=json');
    const { data } = JSON.parse(found) as { data: Record<string, string> };
    return Object.fromEntries(
      Object.entries(data).map(([name, value]) => [name, Buffer.from(value, 'base64').toString()]),
    );
  }

  async setSecret(data: Record<string, string>): Promise<void> {
    const stringData = { ...(await this.secret()), ...data };
    const file = join(this.folder, 'secret.json');
    const metadata = { name: `runbook-backup-${this.target}` };
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, stringData }));
    await kubectl('replace', '--filename', file);
    rmSync(file);
  }

  read(file: string): string {
    return readFileSync(join(this.folder, file), 'utf8');
  }

  /** Makes all three, and the profile that names them. */
  async all(): Promise<void> {
    const signing = await this.create('signing');
    const online = await this.create('online');
    const escrow = await this.create(
      'escrow',
      '--out',
      join(elsewhere, `${this.target}.asc`),
      '--passphrase-file',
      join(elsewhere, 'passphrase'),
    );
    this.profile({ signing: [signing.publicFile], online: online.publicFile, escrow: escrow.publicFile });
  }
}

describe('keys create and list', () => {
  const bench = new Bench();

  test('make every key, say which lines name it, and list it with parts that fit', async () => {
    const { code, out, err } = await bench.keys(['create', 'signing']);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`private part: Secret runbooks/runbook-backup-${bench.target}, signing.asc\n`);
    expect(out).toContain(
      'It expires in 730 days. From then on no backup is made with it; those from before stay',
    );
    expect(out).toContain(`    signing: [keys/${bench.target}-signing.asc]  # new\n`);
    await bench.create('online');
    const escrowFile = join(elsewhere, `${bench.target}.asc`);
    await bench.create('escrow', '--out', escrowFile, '--passphrase-file', join(elsewhere, 'passphrase'));
    const file = (kind: string): string => `keys/${bench.target}-${kind}.asc`;
    bench.profile({ signing: [file('signing')], online: file('online'), escrow: file('escrow') });

    const { code: listed, keys, faults } = await bench.list();
    expect([listed, faults]).toEqual([0, []]);
    expect(keys.map(({ kind, state, privatePart }) => [kind, state, privatePart])).toEqual([
      ['signing', 'ok', `Secret runbooks/runbook-backup-${bench.target}, signing.asc (fits)`],
      ['online', 'ok', `Secret runbooks/runbook-backup-${bench.target}, online.asc (fits)`],
      ['escrow', 'ok', 'offline'],
      ['audit', 'ok', 'Secret runbooks/runbook-audit-key, private.asc (fits)'],
    ]);
    expect(Object.keys(await bench.secret()).sort()).toEqual(['online.asc', 'signing.asc']);
    const { out: text } = await bench.keys(['list']);
    expect(text).toMatch(
      new RegExp(`✓ ${bench.target} online: ok, [0-9A-F]{40}, eddsaLegacy, made .*, expires 20`),
    );
  });

  test('overwrite nothing', async () => {
    const before = await bench.secret();
    for (const kind of ['signing', 'online'])
      expect(await bench.keys(['create', kind])).toMatchObject({
        code: 2,
        err: expect.stringMatching(/there is a key already, .*; add --rotate/) as unknown,
      });
    // Also where the file is gone and the Secret is not.
    rmSync(join(bench.folder, 'keys', `${bench.target}-signing.asc`));
    expect(await bench.keys(['create', 'signing'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/Secret .* has signing\.asc already; add --rotate/) as unknown,
    });
    expect(await bench.secret()).toEqual(before);
    expect((await bench.list()).keys[0]).toMatchObject({
      kind: 'signing',
      state: 'missing',
      note: expect.stringMatching(/ENOENT.*runbook keys create signing --target/) as unknown,
    });
  });
});

test('an online key that is rotated keeps the key before, with its passphrase: older backups open', async () => {
  const bench = new Bench();
  await bench.all();
  const [signing, online] = [
    bench.read(`keys/${bench.target}-signing.asc`),
    bench.read(`keys/${bench.target}-online.asc`),
  ];
  const former = await bench.secret();
  const { seal } = await openSealer({
    recipients: [online],
    signingKey: { armored: former['signing.asc'] ?? '' },
  });
  const sealed = await seal(Buffer.from('an old part'));
  await bench.setSecret({ 'online.passphrase': 'canary' });

  const next = await bench.create('online', '--rotate');
  const date = new Date().toISOString().slice(0, 10).replaceAll('-', '');
  expect(next.publicFile).toBe(`keys/${bench.target}-online-${date}.asc`);
  const secret = await bench.secret();
  const kept = Object.keys(secret).find((name) => /^online-[0-9A-F]{8}\.asc$/.test(name)) ?? '';
  expect(Object.keys(secret).sort()).toEqual(
    ['online.asc', 'signing.asc', kept, kept.replace('.asc', '.passphrase')].sort(),
  );
  expect(secret[kept]).toBe(former['online.asc']);
  expect(secret['online.asc']).not.toBe(former['online.asc']);
  const privateKey = { armored: secret[kept] ?? '' };
  expect((await openMessage(sealed, { privateKey, signers: [signing] }, 100)).plain).toHaveLength(11);

  // The profile still names the key before.
  const { code, keys } = await bench.list();
  expect(code).toBe(1);
  expect(keys.find(({ kind }) => kind === 'online')).toMatchObject({
    state: 'unusable',
    note: `the private part is that of key ${next.fingerprint}; name its public file in the profile, as runbook keys create said`,
  });
  expect(keys.find(({ kind }) => kind === 'former online')).toMatchObject({ state: 'ok' });
});

test('an online key that nobody could open any more is not rotated away', async () => {
  const bench = new Bench();
  await bench.create('online');
  await bench.setSecret({ 'online.asc': 'canary' });
  expect(await bench.keys(['create', 'online', '--rotate'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/online\.asc: it is no private key .*move it away by hand first/) as unknown,
  });
  expect(await bench.secret()).toEqual({ 'online.asc': 'canary' });
});

test('a signing key that is rotated goes first; the one before verifies on', async () => {
  const bench = new Bench();
  await bench.all();
  const { out } = await bench.keys(['create', 'signing', '--rotate', '--valid-days', '90']);
  const [, file = ''] = /signing: \[(\S+), /.exec(out) ?? [];
  const old = `keys/${bench.target}-signing.asc`;
  expect(out).toContain(`    signing: [${file}, ${old}]  # new\n`);
  const [online, escrow] = ['online', 'escrow'].map((kind) => `keys/${bench.target}-${kind}.asc`);
  bench.profile({ signing: [file, old], online: online ?? '', escrow: escrow ?? '' });
  const { code, keys } = await bench.list();
  expect(code).toBe(0);
  expect(keys.filter(({ kind }) => kind === 'signing').map(({ privatePart }) => privatePart)).toEqual([
    `Secret runbooks/runbook-backup-${bench.target}, signing.asc (fits)`,
    'not needed any more',
  ]);
});

test('keys that expire soon, have expired, are missing or of somebody else are shown as that, by doctor too', async () => {
  const bench = new Bench();
  await bench.all();
  const keys = {
    signing: [`keys/${bench.target}-signing.asc`],
    online: 'keys/soon.asc',
    escrow: 'keys/gone.asc',
  };
  const soon = await makeKeyPair({ owner: { name: 'soon' }, encrypts: true, validDays: 5 });
  const stranger = await makeKeyPair({ owner: { name: 'stranger' }, encrypts: true });
  mkdirSync(join(bench.folder, 'keys'), { recursive: true });
  writeFileSync(join(bench.folder, 'keys', 'soon.asc'), soon.publicKey);
  await bench.setSecret({ 'online.asc': soon.privateKey, 'signing.asc': stranger.privateKey });
  bench.profile(keys);
  const { code, keys: listed } = await bench.list();
  expect(code).toBe(1);
  expect(listed.slice(0, 3).map(({ kind, state }) => [kind, state])).toEqual([
    ['signing', 'unusable'],
    ['online', 'expiring'],
    ['escrow', 'missing'],
  ]);
  expect(listed[1]?.note).toMatch(/^expires at .*; no backup can be made from then on$/);

  const { out } = await runbook(['doctor', '--target', bench.target, '--json'], {
    RUNBOOK_TARGETS: bench.folder,
  });
  const findings = JSON.parse(out) as { check: string; state: string; found: string }[];
  const about = findings.filter(({ check }) => check.includes('backup keys'));
  expect(about.map(({ state, found }) => [state, found])).toEqual([
    ['unknown', expect.stringMatching(/^online: keys\/soon\.asc expires at /)],
    ['fail', expect.stringMatching(/^escrow: keys\/gone\.asc cannot be read \(ENOENT\)$/)],
    [
      'pass',
      expect.stringMatching(/^Secret runbook-backup-.* is there; whether it fits tells: runbook keys list$/),
    ],
  ]);
});

test('without the Secret both say so; without a section for backups there is only the audit key', async () => {
  const bench = new Bench();
  expect((await bench.list()).keys.map(({ kind }) => kind)).toEqual(['audit']);
  const pair = await makeKeyPair({ owner: { name: 'x' }, encrypts: true });
  const other = await makeKeyPair({ owner: { name: 'y' }, encrypts: true });
  mkdirSync(join(bench.folder, 'keys'));
  writeFileSync(join(bench.folder, 'keys', 'x.asc'), pair.publicKey);
  writeFileSync(join(bench.folder, 'keys', 'y.asc'), other.publicKey);
  bench.profile({ signing: ['keys/x.asc'], online: 'keys/x.asc', escrow: 'keys/y.asc' });
  const { code, keys } = await bench.list();
  expect(code).toBe(1);
  expect(keys.slice(0, 2).map(({ state }) => state)).toEqual(['missing', 'missing']);
  const { out } = await runbook(['doctor', '--target', bench.target], { RUNBOOK_TARGETS: bench.folder });
  expect(out).toMatch(/✗ target .*, private backup keys: there is no Secret runbook-backup-/);
});

test('what may not be read is unknown, and a key that cannot be kept leaves no file behind', async () => {
  const bench = new Bench();
  await bench.all();
  const place = await Place.open();
  try {
    const narrow = await narrowWorker(
      place,
      [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['list'] }],
      {
        locks: false,
      },
    );
    const RUNBOOK_KUBECONFIG = join(bench.folder, 'narrow.kubeconfig');
    writeFileSync(RUNBOOK_KUBECONFIG, stringify(withUser({ token: narrow.token })));
    const { code, out } = await bench.keys(['list', '--json'], { RUNBOOK_KUBECONFIG });
    expect(code).toBe(4);
    expect((JSON.parse(out) as KeyList).keys.map(({ kind, state }) => [kind, state])).toEqual([
      ['signing', 'unknown'],
      ['online', 'unknown'],
      ['escrow', 'ok'],
      ['audit', 'unknown'],
    ]);
    const refused = await bench.keys(['create', 'online', '--rotate'], { RUNBOOK_KUBECONFIG });
    expect(refused).toMatchObject({
      code: 2,
      err: expect.stringMatching(
        /403 Forbidden.*run this as someone who may get, create and update/,
      ) as unknown,
    });
    expect(refused.err).not.toContain(narrow.token);
    const date = new Date().toISOString().slice(0, 10).replaceAll('-', '');
    expect(() => bench.read(`keys/${bench.target}-online-${date}.asc`)).toThrow(/ENOENT/);
    await narrow.close();
  } finally {
    await place.close();
  }
});

test('the audit key is the one of setup, and is not made anew', async () => {
  const bench = new Bench();
  expect(await bench.keys(['create', 'audit'])).toMatchObject({
    code: 0,
    out: expect.stringMatching(
      /was there: Secret runbooks\/runbook-audit-key in the cluster, the key [0-9A-F]{40}/,
    ) as unknown,
  });
  expect(await bench.keys(['create', 'audit', '--rotate'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/takes only --target and --valid-days/) as unknown,
  });
});

test('hostile names and values are refused with a sentence', async () => {
  const bench = new Bench();
  const cases: [string[], number, RegExp][] = [
    [['create', 'online', '--target', '../../etc/passwd'], 2, /there is no target "\.\.\/\.\.\/etc\/passwd"/],
    [['create', 'online', '--target', '$(id)'], 2, /there is no target/],
    [
      ['create', 'everything', '--target', bench.target],
      2,
      /Allowed choices are online, escrow, signing, audit/,
    ],
    [
      ['create', 'online', '--target', bench.target, '--valid-days', '0'],
      2,
      /whole number of days from 1 to 36500/,
    ],
    [
      ['create', 'online', '--target', bench.target, '--out', join(tmpdir(), unique('escrow'))],
      2,
      /are for escrow keys/,
    ],
    [
      ['create', 'escrow', '--target', bench.target, '--out', join(tmpdir(), unique('escrow'))],
      2,
      /no terminal to ask/,
    ],
    [['list', '--target', '../x'], 2, /there is no target/],
  ];
  for (const [line, code, sentence] of cases) {
    const ended = await runbook(['keys', ...line], { RUNBOOK_TARGETS: bench.folder });
    expect([line, ended.code, ended.err]).toEqual([line, code, expect.stringMatching(sentence)]);
  }
});
