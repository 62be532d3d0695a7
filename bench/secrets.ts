import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { KubernetesGateway } from '../src/clients/kubernetes/gateway.ts';
import { backupKeyNames } from '../src/contracts/backup-keys.ts';
import { lockNamespace } from '../src/contracts/names.ts';
import type { RunReport } from '../src/contracts/run.ts';
import { backupSection, type TestKeys } from '../test/support/backups.ts';
import { sleeperProfile } from '../test/support/sleeper.ts';
import type { Cost } from './measured-worker.ts';

const fieldManager = 'bench';

/** Name of the namespace with so many Secrets, and of its target. */
export function nameOf(count: number): string {
  return `bench-${count}`;
}

/** A namespace with so many objects, its profile and its keys; Secrets, unless something else is created. */
export async function prepare(
  gateway: KubernetesGateway,
  folder: string,
  keys: TestKeys,
  count: number,
  create = (namespace: string): Promise<void> => createSecrets(gateway, namespace, count),
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
  await create(name);
}

async function createSecrets(gateway: KubernetesGateway, namespace: string, count: number): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) {
      const metadata = { name: `secret-${next++}`, namespace };
      const data = { value: randomBytes(1024).toString('base64') };
      await gateway.create({ apiVersion: 'v1', kind: 'Secret', metadata, data }, { fieldManager });
    }
  };
  await Promise.all(Array.from({ length: 16 }, lane));
}

export function secondsOf(report: RunReport, step: string): number {
  const { startedAt = '', endedAt = '' } = report.steps.find(({ name }) => name === step) ?? {};
  return (Date.parse(endedAt) - Date.parse(startedAt)) / 1000;
}

export function median(values: number[]): number {
  return [...values].sort((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;
}

export function row(name: string, values: number[]): void {
  console.log(
    `  ${name.padEnd(40)} median ${median(values).toFixed(2)}  worst ${Math.max(...values).toFixed(2)}`,
  );
}

export function tell(name: string, cost: Cost | undefined): void {
  if (cost === undefined) return;
  const { peakMib, p999Milliseconds, worstMilliseconds } = cost;
  console.log(
    `  ${name.padEnd(16)} worker's peak RSS ${peakMib.toFixed(0)} MiB; event loop p99.9 ${p999Milliseconds.toFixed(1)} ms, worst ${worstMilliseconds.toFixed(1)} ms`,
  );
}
