import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { encryptKey, readPrivateKey } from 'openpgp';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CreatedKey } from '../../src/cli/keys/create.ts';
import { backupKeyNames } from '../../src/contracts/backup-keys.ts';
import { BackupWorld, manifests } from '../support/backup-world.ts';
import { runbook } from '../support/command.ts';
import { kubectlIn } from '../support/stack.ts';

const kubectl = kubectlIn('runbooks');
const passphrase = 'correct horse battery staple';
const offline = mkdtempSync(join(tmpdir(), 'runbook-offline-'));

let backups: BackupWorld;
beforeAll(async () => {
  backups = await BackupWorld.create({ logs: { sinceSeconds: 0 } });
});
afterAll(async () => {
  rmSync(offline, { recursive: true });
  await backups.close();
});

/** As in docs/keys.md: what this manager applied before and applies no more is removed, and nothing else. */
async function applyAs(manager: string, secret: string, ...files: string[]): Promise<void> {
  const sources = files.map((file) => `--from-file=${join(offline, file)}`);
  const line = ['create', 'secret', 'generic', secret, ...sources, '--dry-run=client', '--output=yaml'];
  const manifest = join(offline, 'secret.yaml');
  writeFileSync(manifest, await kubectl(...line));
  await kubectl('apply', '--server-side', `--field-manager=${manager}`, '--filename', manifest);
}

async function rotate(kind: 'online' | 'signing'): Promise<CreatedKey> {
  const { code, out, err } = await runbook(
    ['keys', 'create', kind, '--target', backups.target, '--rotate', '--json'],
    { RUNBOOK_TARGETS: backups.world.targetsFolder },
  );
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out) as CreatedKey;
}

test('the cluster and its keys are lost: new keys, the escrow key for a while, and the last backup is restored', async () => {
  const { target, world, keys } = backups;
  await world.kubectl('apply', '--filename', join(manifests, 'objects.yaml'));
  await backups.backUp();
  expect((await backups.verify()).outcome).toBe('succeeded');
  const secret = backupKeyNames.secret(target);
  await kubectl('delete', 'secret', secret);
  await world.kubectl('delete', 'configmap', 'settings');
  const lost = await backups.verify();
  expect(lost.outcome).toBe('failed');
  expect(lost.error).toMatch(/there is no Secret .* runbook keys create/);

  const [online, signing] = [await rotate('online'), await rotate('signing')];
  backups.writeProfile({
    logs: { sinceSeconds: 0 },
    keys: {
      signing: [signing.publicFile, backupKeyNames.publicFile(target, 'signing')],
      online: online.publicFile,
      escrow: backupKeyNames.publicFile(target, 'escrow'),
    },
  });
  // Signed by a key that the profile still names, but no key of this cluster opens it.
  const closed = await backups.verify();
  expect(closed.outcome).toBe('failed');
  expect(closed.error).toMatch(/^no key here opens backup /);
  expect(closed.headline[2]).toContain('lend the workers the escrow key');
  const { out: listed } = await runbook(['backups', 'list', '--target', target], {
    RUNBOOK_TARGETS: world.targetsFolder,
    RUNBOOK_STORAGE_PREFIX: world.queue,
  });
  // Regression: it was recorded as damaged, and pruning did not count it any more.
  expect(listed).toContain('verified ');
  expect(listed).not.toContain('FAILED');

  const privateKey = await readPrivateKey({ armoredKey: keys.escrow.privateKey });
  writeFileSync(join(offline, 'online-0000E5C0.asc'), (await encryptKey({ privateKey, passphrase })).armor());
  writeFileSync(join(offline, 'online-0000E5C0.passphrase'), `${passphrase}\n`);
  await applyAs('escrow', secret, 'online-0000E5C0.asc', 'online-0000E5C0.passphrase');
  expect((await backups.verify()).outcome).toBe('succeeded');
  const run = await world.start({ target, backup: 'latest-verified' }, undefined, 'recover');
  // The workload of this world has no pods to ask.
  await run.approve(await run.approve());
  const { report } = await run.end();
  expect(report.outcome).toBe('succeeded');
  expect(await world.kubectl('get', 'configmap', 'settings', '-o', 'json')).toContain('an ordinary key');

  await applyAs('escrow', secret);
  const left = JSON.parse(await kubectl('get', 'secret', secret, '--output=json')) as { data: object };
  expect(Object.keys(left.data).sort()).toEqual(['online.asc', 'signing.asc']);
  const { report: next } = await backups.backUp();
  expect(next.outcome).toBe('succeeded');
  expect((await backups.verify()).outcome).toBe('succeeded');
}, 300_000);
