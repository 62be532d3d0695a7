import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { encryptKey, readPrivateKey } from 'openpgp';
import type { ListedBackup } from '../../src/cli/backups/read.ts';
import { BackupWorld } from '../support/backup-world.ts';
import { runbook, type Ended } from '../support/command.ts';
import { StoredBackups, idAt } from '../support/stored-backups.ts';

const passphrase = 'correct horse battery staple';

let backups: BackupWorld;
let environment: Record<string, string>;
let backupId: string;
/** Backups of somebody who has no key of the profile. */
const forged = idAt('2026-11-20T03:00:00Z');

beforeAll(async () => {
  backups = await BackupWorld.create();
  environment = {
    RUNBOOK_TARGETS: backups.world.targetsFolder,
    RUNBOOK_STORAGE_PREFIX: backups.world.queue,
    // Neither cluster nor Temporal is needed to look at backups: both may be what was lost.
    RUNBOOK_KUBECONFIG: '/no/such/file',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  };
  await backups.world.kubectl('create', 'configmap', 'settings', '--from-literal=greeting=hello');
});
afterAll(async () => {
  await backups.close();
});

async function run(...line: string[]): Promise<Ended> {
  return await runbook(['backups', ...line, '--target', backups.target], environment);
}

async function rows(): Promise<ListedBackup[]> {
  return JSON.parse((await run('list', '--json')).out) as ListedBackup[];
}

/** Files that a person has at hand when the cluster is lost. */
async function keyFile(name: 'escrow' | 'signing' | 'locked'): Promise<string> {
  const file = join(backups.world.targetsFolder, `${name}-private.asc`);
  const { privateKey } = backups.keys[name === 'locked' ? 'escrow' : name];
  const key = await readPrivateKey({ armoredKey: privateKey });
  const written =
    name === 'locked' ? (await encryptKey({ privateKey: key, passphrase })).armor() : privateKey;
  writeFileSync(file, written, { mode: 0o600 });
  return file;
}

describe('backups of a target', () => {
  test('are none at first, which is said and is no failure', async () => {
    expect(await run('list')).toEqual({
      code: 0,
      out: '',
      err: `there is no backup of target ${backups.target}\n`,
    });
    expect(await rows()).toEqual([]);
  });

  test('are listed with what they hold, and whether anybody ever verified them', async () => {
    ({ backupId } = (await backups.backUp()).committed);
    const [row] = await rows();
    expect(row).toMatchObject({ backupId, location: 'default', state: 'complete', consistency: 'snapshot' });
    expect(row?.objects).toBeGreaterThan(0);
    expect(row).not.toHaveProperty('verification');
    const before = await run('list');
    expect(before).toMatchObject({ code: 0, err: '' });
    expect(before.out).toMatch(
      new RegExp(
        `^${backupId} {2}default {2}\\S.* old {2}complete {2}\\d+ objects .* one moment {2}never verified\\n$`,
      ),
    );
    await backups.verify({ backup: backupId });
    expect((await run('list')).out).toMatch(/ {2}verified 20\d\d-.*Z\n$/);
  });

  test('are shown as the signed manifest has them', async () => {
    const { code, out, err } = await run('show', backupId);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(new RegExp(`^backup +${backupId} of target ${backups.target}, namespace`));
    expect(out).toMatch(/^complete +yes$/m);
    expect(out).toMatch(/^ +[1-9]\d* {2}configmaps \(v1\)$/m);
    expect(out).toMatch(/^verified +pass at /m);
    expect(JSON.parse((await run('show', backupId, '--json')).out)).toMatchObject({
      location: 'default',
      manifest: { backupId, target: backups.target },
      verification: { verdict: 'pass' },
    });
  });

  test('are read back with the escrow key alone, protected by a passphrase or not', async () => {
    const plain = await run('verify', backupId, '--key', await keyFile('escrow'));
    expect(plain).toMatchObject({ code: 0 });
    expect(plain.out).toMatch(new RegExp(`^✓ default: ${backupId}: [1-9]\\d* objects read back, \\d`));
    const secret = join(backups.world.targetsFolder, 'passphrase');
    writeFileSync(secret, `${passphrase}\n`, { mode: 0o600 });
    const locked = ['verify', backupId, '--key', await keyFile('locked')];
    expect(await run(...locked, '--passphrase-file', secret)).toMatchObject({ code: 0, out: plain.out });
    writeFileSync(secret, 'wrong\n');
    const refused = await run(...locked, '--passphrase-file', secret);
    expect(refused.code).toBe(1);
    expect(`${refused.out}${refused.err}`).toMatch(/passphrase/);
    expect(refused.err).not.toMatch(/\n\s+at /);
  });

  test('are not opened by a key that they were not encrypted to', async () => {
    const { code, out, err } = await run('verify', backupId, '--key', await keyFile('signing'));
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(new RegExp(`no key here opens backup ${backupId}: it is encrypted to `));
    expect(err).not.toMatch(/\n\s+at /);
  });

  test('that somebody else signed are refused by name, beside the good ones', async () => {
    const store = backups.openStore();
    try {
      await (await StoredBackups.create(backups.target)).add(store, forged);
    } finally {
      store.close();
    }
    const listed = await run('list');
    expect(listed.code).toBe(1);
    expect(listed.out).toMatch(new RegExp(`^${backupId} .* complete .*\\n${forged} .* REFUSED: .*sign`, 's'));
    const shown = await run('show', forged);
    expect(shown).toMatchObject({ code: 1, out: '' });
    expect(shown.err).toMatch(/^default: .*sign/);
    const read = await run('verify', forged, '--key', await keyFile('escrow'));
    expect(read.code).toBe(1);
    expect(read.out).toMatch(/^✗ default: /);
  });

  test.each([
    [['show', '../../other'], 'the id of a backup looks like'],
    [['show', 'latest'], 'the id of a backup looks like'],
    [['list', '--location', 'moon'], '--location takes one of: default'],
    [['verify', idAt('2026-11-20T03:00:00Z')], "required option '--key <file>' not specified"],
    [
      ['verify', idAt('2026-11-20T03:00:00Z'), '--key', '/no/such/key'],
      '/no/such/key cannot be read: ENOENT',
    ],
  ])('%j is bad usage', async (line, sentence) => {
    const { code, out, err } = await run(...line);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
  });

  test('are not opened by a public key, which is bad usage and is named', async () => {
    const file = join(backups.world.targetsFolder, 'public.asc');
    writeFileSync(file, backups.keys.escrow.publicKey);
    const { code, out, err } = await run('verify', backupId, '--key', file);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(`${file}: it is no private key`);
  });

  test('of no target where there are several are bad usage', async () => {
    backups.world.writeProfile('another', {});
    const { code, out, err } = await runbook(['backups', 'list'], environment);
    backups.world.removeProfile('another');
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('target is missing and there is no default target, add "target":"');
  });

  test('of a target that is not there are bad usage', async () => {
    const { code, out, err } = await runbook(['backups', 'list', '--target', 'nope'], environment);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain('there is no target "nope"; known targets: ');
  });

  test('that are not there are said to be missing', async () => {
    const { code, err } = await run('show', idAt('2020-01-01T00:00:00Z'));
    expect(code).toBe(1);
    expect(err).toMatch(/^default: \S/);
  });
});
