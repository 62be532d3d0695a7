import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { linkName } from './node-namespace.ts';
import { stacksDirectory } from './paths.ts';
import { untilCgroupsRemoved } from './real-node.ts';
import { endRecordedProcesses, readRecord, runningSupervisor } from './record.ts';
import { waitFor } from './wait.ts';

/** Cleans up after every stack in the folder whose supervisor is gone. Returns the names of those that left something. */
export async function cleanUpDeadStacks(directory = stacksDirectory): Promise<string[]> {
  const names = existsSync(directory) ? readdirSync(directory) : [];
  const cleaned: string[] = [];
  for (const name of names) {
    const folder = join(directory, name);
    if (readRecord(folder) === undefined) {
      removeOldLogs(folder);
      continue;
    }
    if (runningSupervisor(folder) !== undefined) continue;
    await cleanUp(folder);
    cleaned.push(name);
  }
  return cleaned;
}

const logsKeptMilliseconds = 24 * 60 * 60_000;

function removeOldLogs(folder: string): void {
  const age = Date.now() - statSync(folder).mtimeMs;
  if (age > logsKeptMilliseconds) rmSync(folder, { recursive: true, force: true });
}

/** Ends what is left of a stack and removes its traces on the host; its logs stay for a day. */
export async function cleanUp(folder: string): Promise<void> {
  const index = readRecord(folder)?.nodeIndex;
  await endRecordedProcesses(folder);
  if (index !== undefined) await removeNodeTraces(index, folder);
  for (const name of bulkyData) rmSync(join(folder, name), { recursive: true, force: true });
  rmSync(join(folder, 'processes.json'), { force: true });
  rmSync(join(folder, 'stack.json'), { force: true });
}

// Everything with secrets or of size: keys, images, data. The logs stay for who wants to know what happened.
const bulkyData = [
  'cluster',
  'node',
  'etcd',
  'objects',
  'object-versions',
  'registry',
  'temporal.db',
  'kubeconfig',
];

/** The kernel removes the link a moment after the namespaces. One that stays is another stack's by now. */
async function removeNodeTraces(index: number, own: string): Promise<void> {
  const link = join('/sys/class/net', linkName(index));
  const gone = (): boolean => !existsSync(link);
  await waitFor(() => Promise.resolve(gone() || isUsedByOther(index, own) ? true : undefined), {
    what: `the link ${linkName(index)} to go`,
    timeoutMilliseconds: 5_000,
  }).catch(() => undefined);
  if (gone()) await untilCgroupsRemoved(index);
}

function isUsedByOther(index: number, own: string): boolean {
  return readdirSync(stacksDirectory)
    .map((name) => join(stacksDirectory, name))
    .filter((folder) => folder !== own)
    .some((folder) => readRecord(folder)?.nodeIndex === index && runningSupervisor(folder) !== undefined);
}
