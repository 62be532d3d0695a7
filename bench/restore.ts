import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createKubernetesGateway, type KubernetesGateway } from '../src/clients/kubernetes/gateway.ts';
import type { CommittedBackup } from '../src/contracts/backup.ts';
import type { KubernetesObject } from '../src/contracts/kubernetes.ts';
import { controls, type RunDescription, type RunReport } from '../src/contracts/run.ts';
import type { StackEndpoints } from '../src/local/stack-types.ts';
import { waitFor } from '../src/local/wait.ts';
import { makeKeys } from '../test/support/backups.ts';
import { decisionFor } from '../test/support/world.ts';
import { MeasuredWorker } from './measured-worker.ts';
import { nameOf, prepare, secondsOf, tell } from './secrets.ts';

/** As many as `kubectl apply` writes in a bearable time. */
const few = 2000;
const many = 10_000;

/** A recovery of Secrets of 1 KiB that were all deleted, beside `kubectl apply` of the same objects. */
export async function benchRestore(endpoints: StackEndpoints): Promise<void> {
  const gateway = createKubernetesGateway({ kubeconfigPath: endpoints.kubeconfig });
  const folder = mkdtempSync(join(tmpdir(), 'bench-restore-'));
  const connection = await Connection.connect({ address: endpoints.temporalAddress });
  const client = new Client({ connection });
  const taskQueue = 'bench-restore';
  const kubectl = async (...line: string[]): Promise<string> => {
    const all = ['--kubeconfig', endpoints.kubeconfig, ...line];
    return (await promisify(execFile)(endpoints.kubectl, all, { maxBuffer: 2 ** 30 })).stdout;
  };
  const start = async (type: string, count: number, input = {}): Promise<WorkflowHandle> =>
    await client.workflow.start(type, {
      taskQueue,
      workflowId: `${type}-${count}-${Date.now()}`,
      args: [{ target: nameOf(count), ...input }],
    });
  try {
    const keys = await makeKeys();
    const worker = await MeasuredWorker.start(endpoints, { targetsFolder: folder, queue: taskQueue });
    console.log('\nrestore of Secrets of 1 KiB that are all missing');
    for (const count of [few, many]) {
      const namespace = ['--namespace', nameOf(count)];
      await prepare(gateway, folder, keys, count);
      // The workload of the profile; without pods nothing waits for it.
      await kubectl(
        'create',
        'deployment',
        'alecs-server',
        '--image=sleeper:1',
        '--replicas=0',
        ...namespace,
      );
      const { backupId: backup } = ((await (await start('backup', count)).result()) as RunReport)
        .result as CommittedBackup;
      const file = join(folder, `${count}.json`);
      writeFileSync(file, await kubectl('get', 'secrets', '--output=json', ...namespace));
      // One request for all: kubectl alone would delete them one by one.
      const loseAll = () => kubectl('delete', '--raw', `/api/v1/namespaces/${nameOf(count)}/secrets`);
      await loseAll();
      const { result, cost, seconds } = await worker.measure(async () =>
        recover(await start('recover', count, { backup })),
      );
      const writing = secondsOf(result, 'Restore group by group');
      console.log(
        `  ${count}: writing ${writing.toFixed(2)} s, ${(count / writing).toFixed(0)} a second; the whole run with two approvals ${seconds.toFixed(2)} s, ${(count / seconds).toFixed(0)} a second`,
      );
      tell(`${count} objects`, cost);
      await loseAll();
      const alone = await writeAlone(gateway, file, nameOf(count));
      console.log(
        `  ${count}: the same, written by 32 connections that do nothing else: ${alone.toFixed(2)} s, ${(count / alone).toFixed(0)} a second`,
      );
      if (count !== few) continue;
      await loseAll();
      const began = performance.now();
      await kubectl('apply', '--filename', file, ...namespace);
      const applied = (performance.now() - began) / 1000;
      console.log(
        `  ${count}: kubectl apply ${applied.toFixed(2)} s, ${(count / applied).toFixed(0)} a second; ratio of the writing ${(applied / writing).toFixed(1)}`,
      );
    }
    await worker.stop();
  } finally {
    await connection.close();
    await gateway.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What the API server itself takes: the objects as text, sent one after the other on each of 32 connections. @returns seconds */
async function writeAlone(gateway: KubernetesGateway, file: string, namespace: string): Promise<number> {
  const { items } = JSON.parse(readFileSync(file, 'utf8')) as { items: KubernetesObject[] };
  const texts = items.map(({ apiVersion, kind, metadata: { name }, data, type }) =>
    JSON.stringify({ apiVersion, kind, metadata: { name }, data, type }),
  );
  const began = performance.now();
  await Promise.all(
    Array.from({ length: 32 }, async () => {
      for (let text = texts.pop(); text !== undefined; text = texts.pop())
        await gateway.raw('POST', `/api/v1/namespaces/${namespace}/secrets`, {
          body: { contentType: 'application/json', text },
        });
    }),
  );
  return (performance.now() - began) / 1000;
}

/** Approves whatever it asks: the change, and that health without pods stays unknown. */
async function recover(handle: WorkflowHandle): Promise<RunReport> {
  const ended = handle.result() as Promise<RunReport>;
  let over = false;
  const isOver = (): void => {
    over = true;
  };
  // Its failure is met where its result is wanted.
  ended.then(isOver, isOver);
  let answered: string | undefined;
  for (;;) {
    const gate = await waitFor(
      async () => {
        if (over) return 'over' as const;
        const { waitingFor } = await handle.query<RunDescription>(controls.describe);
        return waitingFor?.id === answered ? undefined : waitingFor;
      },
      { what: 'a gate or the end', timeoutMilliseconds: 300_000, everyMilliseconds: 50 },
    );
    if (gate === 'over') return await ended;
    await handle.executeUpdate(controls.decide, { args: [decisionFor(gate)] });
    answered = gate.id;
  }
}
