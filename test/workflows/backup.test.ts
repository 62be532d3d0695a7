import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createMessage, encrypt, readKey } from 'openpgp';
import type { BackupManifest } from '../../src/contracts/backup-manifest.ts';
import { GnuPg, hasGnuPg } from '../encryption/support/gnupg.ts';
import { BackupWorld, manifests } from '../support/backup-world.ts';

let backups: BackupWorld;

beforeAll(async () => {
  backups = await BackupWorld.create();
  await backups.world.kubectl('apply', '--filename', join(manifests, 'objects.yaml'));
});

afterAll(async () => {
  await backups.close();
});

/** The signed text of a manifest, without a look at its signature. */
function manifestIn(file: Uint8Array | undefined): BackupManifest {
  const text = Buffer.from(file ?? []).toString();
  const [, signed = ''] = /\n\n([\s\S]*)\n-----BEGIN PGP SIGNATURE/.exec(text.replaceAll('\r\n', '\n')) ?? [];
  return JSON.parse(signed.replaceAll(/^- /gm, '')) as BackupManifest;
}

describe('a backup', () => {
  test('holds every object of one moment, signed and encrypted, and is verified from end to end', async () => {
    const run = await backups.world.start({ target: backups.target }, undefined, 'backup');
    const { report } = await run.end();
    await run.saveHistory('succeeded');
    expect(report).toMatchObject({
      outcome: 'succeeded',
      result: { complete: true, consistency: 'snapshot' },
    });
    expect(report.headline[0]).toMatch(
      /^Backup \d{8}-\d{6}-[0-9a-f]{8}: \d+ objects, .*, all of one moment, in default\.$/,
    );
    expect(report.headline[1]).toBe('This run did not touch the service and did not check its health.');

    const { backupId } = report.result as { backupId: string };
    const files = await backups.filesOf(backupId);
    expect([...files.keys()]).toEqual(expect.arrayContaining(['run.json', 'manifest.asc']));
    const manifest = manifestIn(files.get('manifest.asc'));
    expect(manifest.kinds.map(({ plural }) => plural)).toEqual(
      expect.arrayContaining(['configmaps', 'secrets', 'deployments', 'ingresses', 'namespaces', 'cronjobs']),
    );
    // Nothing that lies in the bucket shows what a Secret holds.
    for (const [name, file] of files)
      expect({ name, shown: Buffer.from(file).includes('canary-of-the-backup-tests') }).toEqual({
        name,
        shown: false,
      });

    const verification = await backups.world.start({ target: backups.target }, undefined, 'verifyBackup');
    const verified = await verification.end();
    await verification.saveHistory('succeeded');
    expect(verified.report.outcome).toBe('succeeded');
    expect(verified.report.headline[0]).toMatch(
      new RegExp(`^Verified ${backupId} in default: ${manifest.objects} objects read back`),
    );
    const names = [...(await backups.filesOf(backupId)).keys()];
    expect(names.filter((name) => /^verified-\d{8}T\d{6}Z\.asc$/.test(name))).toHaveLength(1);
  });

  test('that has lost a part fails its verification, whose step does not look done', async () => {
    const { backupId } = (await backups.backUp()).committed;
    await backups.losePart(backupId);
    const input = { target: backups.target, backup: backupId };
    const verification = await backups.world.start(input, undefined, 'verifyBackup');
    const { report } = await verification.end();
    await verification.saveHistory('damaged');
    expect(report).toMatchObject({ outcome: 'failed', proofs: [{ verdict: 'fail' }] });
    expect(report.steps.at(-1)).toMatchObject({ name: 'Read everything back', state: 'failed' });
    expect(report.steps.at(-1)?.note).toMatch(/^fail: .*parts\/\S+ is missing/);
  });

  test('leaves neither keys nor values of Secrets in its history', async () => {
    const run = await backups.world.start({ target: backups.target }, undefined, 'backup');
    await run.end();
    const history = JSON.stringify(await run.handle.fetchHistory());
    const decoded = history.replaceAll(
      /"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"/g,
      (text) => Buffer.from(text, 'base64').toString(),
    );
    for (const canary of ['canary-of-the-backup-tests', 'PRIVATE KEY'])
      expect({ canary, shown: history.includes(canary) || decoded.includes(canary) }).toEqual({
        canary,
        shown: false,
      });
    expect(await run.events()).toBeLessThanOrEqual(150);
  });

  test('as a dry run says what there is, and stores nothing', async () => {
    const { report } = await backups.backUp({ dryRun: true });
    expect(report.outcome).toBe('planned');
    expect(report.steps.at(-1)?.note).toMatch(/\d+ kinds, about \d+ objects/);
    const folder = report.startedAt.replaceAll(/[-:]|\.\d+Z/g, '').replace('T', '-');
    const store = backups.openStore();
    const found: unknown[] = [];
    for await (const one of store.list(`backups/${backups.target}/${folder}`)) found.push(one);
    store.close();
    expect(found).toEqual([]);
  });

  test('of a profile without keys ends with what to do, before anything is stored', async () => {
    backups.world.writeProfile(backups.target, {
      target: backups.target,
      namespace: backups.world.namespace,
      workload: 'alecs-server',
      workloads: { 'alecs-server': { kind: 'Deployment', container: 'sleeper' } },
      health: { via: 'port-forward', path: '/health', port: 8080 },
    });
    const { report } = await backups.backUp();
    backups.writeProfile();
    expect(report).toMatchObject({ outcome: 'failed' });
    expect(report.error).toMatch(/has no section backup/);
  });

  test.each([
    [{ extra: 1 }, /extra/],
    [{ target: '../x' }, /target/],
    [{ target: 'no-such-target' }, /no-such-target/],
    [[], /object/],
  ])('asked for with %j is refused in a sentence', async (input, sentence) => {
    const run = await backups.world.start(input, undefined, 'backup');
    const { report, failure } = await run.end();
    expect(report.outcome).toBe('failed');
    expect(failure?.message).toMatch(sentence);
  });
});

describe('hooks', () => {
  const hook = (name: string, onError: 'fail' | 'continue'): Record<string, unknown> => ({
    name,
    workload: 'alecs-server',
    container: 'sleeper',
    command: ['true'],
    onError,
  });

  test('that cannot run and may be left out are named in the manifest', async () => {
    backups.writeProfile({
      hooks: { before: [hook('quiesce', 'continue')], after: [hook('resume', 'continue')] },
    });
    const run = await backups.world.start({ target: backups.target }, undefined, 'backup');
    const { report } = await run.end();
    await run.saveHistory('hooks');
    backups.writeProfile();
    expect(report.outcome).toBe('succeeded');
    const { backupId } = report.result as { backupId: string };
    const manifest = manifestIn((await backups.filesOf(backupId)).get('manifest.asc'));
    const outcome = 'no pod of alecs-server is ready';
    expect(manifest.hooks).toEqual([
      { name: 'quiesce', when: 'before', outcome },
      { name: 'resume', when: 'after', outcome },
    ]);
  });

  test('that must run and cannot end the backup, and those after run all the same', async () => {
    backups.writeProfile({
      hooks: { before: [hook('quiesce', 'fail')], after: [hook('resume', 'continue')] },
    });
    const run = await backups.world.start({ target: backups.target }, undefined, 'backup');
    const { report } = await run.end();
    await run.saveHistory('hook-failed');
    backups.writeProfile();
    expect(report.error).toMatch(/hook quiesce before the backup: no pod of alecs-server is ready/);
    expect(report.undo).toMatchObject([{ name: 'Run the hooks after', state: 'done' }]);
    const store = backups.openStore();
    const names: string[] = [];
    for await (const one of store.list(`backups/${backups.target}/`)) if ('key' in one) names.push(one.key);
    store.close();
    const id = backupIdIn(report.startedAt);
    expect(names.filter((name) => name.includes(id)).map((name) => name.split('/').at(-1))).toEqual([
      'run.json',
    ]);
  });
});

/** The beginning of the id of a backup that was begun then. */
function backupIdIn(startedAt: string): string {
  return startedAt
    .replace(/\.\d+Z/, '')
    .replaceAll(/[-:]/g, '')
    .replace('T', '-');
}

(hasGnuPg ? describe : describe.skip)('without us', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hand-recovery-'));
  const gpg = new GnuPg();

  afterAll(() => {
    gpg.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('gpg, tar and kubectl bring back everything that was signed, and nothing else, with the escrow key alone', async () => {
    const { committed } = await backups.backUp();
    for (const [name, content] of await backups.filesOf(committed.backupId)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    writeFileSync(join(folder, 'alecs-signing.asc'), backups.keys.signing.publicKey);
    writeFileSync(join(folder, 'alecs-escrow.asc'), backups.keys.escrow.privateKey);
    // What somebody who can write into the bucket may have put there: nobody signed it.
    const planted = await createMessage({ text: 'no archive' });
    const encryptionKeys = (await readKey({ armoredKey: backups.keys.escrow.publicKey })).toPublic();
    const message: unknown = await encrypt({ message: planted, encryptionKeys, format: 'binary' });
    writeFileSync(join(folder, 'parts', '9999-planted-1.tar.gz.gpg'), message as Uint8Array);
    const signed = readFileSync(join(folder, 'manifest.asc'), 'utf8');
    const around = '  "name": "parts/9999-planted-1.tar.gz.gpg",\n  "sha256": "0"\n\n';
    writeFileSync(join(folder, 'manifest.asc'), `${around}${signed}`);

    // The page's own lines, as they are copied.
    const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'runbooks', 'backup.md'), 'utf8');
    const [, block = ''] = /## By hand\n[\s\S]*?```console\n([\s\S]*?)```/.exec(page) ?? [];
    const lines = block.split('\n').flatMap((line) => (line.startsWith('$ ') ? [line.slice(2)] : []));
    const [apply = ''] = lines.filter((line) => line.startsWith('kubectl'));
    expect(apply).toBe('kubectl apply -f objects/cluster/namespaces');
    const before = lines.slice(0, lines.indexOf(apply));
    // Nobody sits at a terminal here.
    writeFileSync(join(gpg.home, 'gpg.conf'), 'batch\n');
    execFileSync('bash', ['-e', '-o', 'pipefail', '-c', before.join('\n')], {
      cwd: folder,
      env: { ...process.env, GNUPGHOME: gpg.home },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const manifest = manifestIn(Buffer.from(signed));
    expect(readFileSync(join(folder, 'files'), 'utf8').trim().split('\n')).toHaveLength(
      manifest.parts.length + manifest.indexes.length + manifest.logs.length,
    );

    const objects = join(folder, 'objects');
    const secret = JSON.parse(readFileSync(join(objects, 'secrets', 'credentials.json'), 'utf8')) as {
      data: { edgerc: string };
    };
    expect(Buffer.from(secret.data.edgerc, 'base64').toString()).toBe('canary-of-the-backup-tests');

    await backups.world.kubectl('delete', 'namespace', backups.world.namespace, '--wait=true');
    for (let time = 1; time <= 2; time++) {
      await backups.world.kubectl('apply', '--filename', join(objects, 'cluster', 'namespaces'));
      await backups.world.kubectl('apply', '--recursive', '--filename', objects);
    }
    const restored = JSON.parse(
      await backups.world.kubectl('get', 'configmap', 'settings', '-o', 'json'),
    ) as { data: object };
    expect(Object.keys(restored.data).sort()).toEqual(['LOG_LEVEL', '__proto__', 'odd']);
  });
});
