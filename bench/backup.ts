import { Client, Connection } from '@temporalio/client';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createKubernetesGateway } from '../src/clients/kubernetes/gateway.ts';
import type { RunReport } from '../src/contracts/run.ts';
import type { StackEndpoints } from '../src/local/stack-types.ts';
import { makeKeys } from '../test/support/backups.ts';
import { MeasuredWorker, type Cost } from './measured-worker.ts';
import { createMixed, mixed, mixedResources } from './mixed.ts';
import { median, nameOf, prepare, row, secondsOf, tell } from './secrets.ts';

/** The first of them is a worker's first backup: its code is not compiled yet. */
const rounds = 5;
const few = 10_000;
const many = 50_000;

/** A backup of Secrets of 1 KiB, and one of many kinds, beside the pipeline of the runbook's page, and what it costs the worker. */
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

    const inTurn = async (count: number, what: string, resources: string): Promise<void> => {
      console.log(`\nbackup of ${what}, seconds (${rounds} rounds, in turn)`);
      const ours: number[] = [];
      const transfers: number[] = [];
      const seeds: number[] = [];
      let cost: Cost | undefined;
      for (let round = 0; round < rounds; round++) {
        const measured = await worker.measure(() => run('backup', count));
        ours.push(measured.seconds);
        transfers.push(secondsOf(measured.result, 'Store the objects'));
        ({ cost } = measured);
        seeds.push(await seedPipeline(endpoints, folder, count, resources));
      }
      row('backup, the whole run (this project)', ours);
      row('  of which storing the objects', transfers);
      row('kubectl get -o yaml | gpg --symmetric', seeds);
      console.log(`  ratio of the medians: ${(median(seeds) / median(ours)).toFixed(1)}`);
      tell(`${count} objects`, cost);
    };

    await inTurn(few, `${few} Secrets of 1 KiB`, 'secrets');
    const large = await worker.measure(() => run('backup', many));
    console.log(`  ${many} objects: ${large.seconds.toFixed(2)} s`);
    tell(`${many} objects`, large.cost);
    const verified = await worker.measure(() => run('verifyBackup', few));
    console.log(`  verifying ${few} objects: ${verified.seconds.toFixed(2)} s`);

    const { objects, kinds } = mixed;
    await prepare(gateway, folder, keys, objects, (namespace) => createMixed(gateway, namespace));
    await inTurn(objects, `${objects} objects of ${kinds} kinds`, mixedResources);
    await worker.stop();
  } finally {
    await connection.close();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the runbook's page does, with the same objects; the passphrase is given, nobody types it. */
async function seedPipeline(
  endpoints: StackEndpoints,
  folder: string,
  count: number,
  resources: string,
): Promise<number> {
  const file = join(folder, 'secrets.gpg');
  rmSync(file, { force: true });
  const started = performance.now();
  const kubectl = spawn(
    endpoints.kubectl,
    ['--kubeconfig', endpoints.kubeconfig, 'get', resources, '-n', nameOf(count), '-o', 'yaml'],
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
