import { Client, Connection } from '@temporalio/client';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createKubernetesGateway, type KubernetesGateway } from '../src/clients/kubernetes/gateway.ts';
import { backupKeyNames } from '../src/contracts/backup-keys.ts';
import { lockNamespace } from '../src/contracts/names.ts';
import type { RunReport } from '../src/contracts/run.ts';
import type { StackEndpoints } from '../src/local/stack-types.ts';
import { backupSection, makeKeys, type TestKeys } from '../test/support/backups.ts';
import { sleeperProfile } from '../test/support/sleeper.ts';
import { MeasuredWorker, type Cost } from './measured-worker.ts';

const rounds = 3;
const few = 10_000;
const many = 50_000;
const fieldManager = 'bench';

/** A backup of Secrets of 1 KiB, beside the pipeline of the runbook's page, and what it costs the worker. */
export async function benchBackup(endpoints: StackEndpoints): Promise<void> {
  const gateway = createKubernetesGateway({ kubeconfigPath: endpoints.kubeconfig });
  const folder = mkdtempSync(join(tmpdir(), 'bench-backup-'));
  const connection = await Connection.connect({ address: endpoints.temporalAddress });
  const client = new Client({ connection });
  const queue = 'bench-backup';
  try {
    const keys = await makeKeys();
    for (const count of [few, many]) await prepare(gateway, folder, keys, count);
    const worker = await MeasuredWorker.start(endpoints, { targetsFolder: folder, queue });
    const run = (type: string, count: number): Promise<RunReport> =>
      client.workflow.execute(type, {
        taskQueue: queue,
        workflowId: `${type}-${count}-${Date.now()}`,
        args: [{ target: nameOf(count) }],
      });

    console.log(`\nbackup of ${few} Secrets of 1 KiB, seconds (${rounds} rounds, in turn)`);
    const ours: number[] = [];
    const transfers: number[] = [];
    const seeds: number[] = [];
    let cost: Cost | undefined;
    for (let round = 0; round < rounds; round++) {
      const measured = await worker.measure(() => run('backup', few));
      ours.push(measured.seconds);
      transfers.push(secondsOf(measured.result, 'Store the objects'));
      ({ cost } = measured);
      seeds.push(await seedPipeline(endpoints, folder));
    }
    row('backup, the whole run (this project)', ours);
    row('  of which storing the objects', transfers);
    row('kubectl get -o yaml | gpg --symmetric', seeds);
    console.log(`  ratio of the medians: ${(median(seeds) / median(ours)).toFixed(1)}`);
    tell(`${few} objects`, cost);
    const large = await worker.measure(() => run('backup', many));
    console.log(`  ${many} objects: ${large.seconds.toFixed(2)} s`);
    tell(`${many} objects`, large.cost);
    const verified = await worker.measure(() => run('verifyBackup', few));
    console.log(`  verifying ${few} objects: ${verified.seconds.toFixed(2)} s`);
    await worker.stop();
  } finally {
    await connection.close();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function nameOf(count: number): string {
  return `bench-${count}`;
}

/** A namespace with so many Secrets, its profile and its keys. */
async function prepare(
  gateway: KubernetesGateway,
  folder: string,
  keys: TestKeys,
  count: number,
): Promise<void> {
  const name = nameOf(count);
  mkdirSync(folder, { recursive: true });
  const backup = backupSection(folder, name, keys);
  writeFileSync(join(folder, `${name}.yaml`), stringify({ ...sleeperProfile(name), target: name, backup }));
  for (const namespace of [lockNamespace, name])
    await gateway
      .create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, { fieldManager })
      .catch(() => undefined);
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: backupKeyNames.secret(name), namespace: lockNamespace },
  };
  const stringData = {
    [backupKeyNames.privateKey('signing')]: keys.signing.privateKey,
    [backupKeyNames.privateKey('online')]: keys.online.privateKey,
  };
  await gateway.apply({ ...secret, stringData }, { fieldManager, force: true });
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const metadata = { name: `secret-${next++}`, namespace: name };
      const data = { value: randomBytes(1024).toString('base64') };
      await gateway.create({ apiVersion: 'v1', kind: 'Secret', metadata, data }, { fieldManager });
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

/** What the runbook's page does with Secrets, with the same objects; the passphrase is given, nobody types it. */
async function seedPipeline(endpoints: StackEndpoints, folder: string): Promise<number> {
  const file = join(folder, 'secrets.gpg');
  rmSync(file, { force: true });
  const started = performance.now();
  const kubectl = spawn(
    endpoints.kubectl,
    ['--kubeconfig', endpoints.kubeconfig, 'get', 'secrets', '-n', nameOf(few), '-o', 'yaml'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const gpg = spawn(
    'gpg',
    [
      ...['--batch', '--quiet', '--pinentry-mode', 'loopback', '--passphrase', 'bench', '--homedir', folder],
      ...[
        '--cipher-algo',
        'AES256',
        '--compress-algo',
        '1',
        '--s2k-mode',
        '3',
        '--s2k-digest-algo',
        'SHA512',
      ],
      ...['--s2k-count', '65536', '--force-mdc', '--symmetric', '--output', file],
    ],
    { stdio: [kubectl.stdout, 'ignore', 'ignore'] },
  );
  const [code] = (await once(gpg, 'exit')) as [number | null];
  const seconds = (performance.now() - started) / 1000;
  if (code !== 0 || statSync(file).size === 0) throw new Error('the pipeline of the page failed');
  return seconds;
}

function secondsOf(report: RunReport, step: string): number {
  const { startedAt = '', endedAt = '' } = report.steps.find(({ name }) => name === step) ?? {};
  return (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
}

function median(values: number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
}

function row(name: string, values: number[]): void {
  console.log(
    `  ${name.padEnd(40)} median ${median(values).toFixed(2)}  worst ${Math.max(...values).toFixed(2)}`,
  );
}

function tell(name: string, cost: Cost | undefined): void {
  if (cost === undefined) return;
  const { peakMib, p999Milliseconds, worstMilliseconds } = cost;
  console.log(
    `  ${name.padEnd(16)} worker's peak RSS ${peakMib.toFixed(0)} MiB; event loop p99.9 ${p999Milliseconds.toFixed(1)} ms, worst ${worstMilliseconds.toFixed(1)} ms`,
  );
}
