import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { executableOf, isRunning, signalProcess, type ProcessIdentity } from './identity.ts';
import { waitFor } from './wait.ts';

/** A process of a stack as the record keeps it. */
interface RecordedProcess extends ProcessIdentity {
  name: string;
  /** The program that it runs, or will run once a wrapper has become it. */
  executable: string;
}

interface RecordContent {
  supervisor: ProcessIdentity;
  /** Number of the node's namespaces, for what is named after it. */
  nodeIndex?: number;
  processes: RecordedProcess[];
}

/** The file in a stack's folder that says which processes are the stack's; written before anything else can fail. */
export interface StackRecord {
  add: (recorded: RecordedProcess) => void;
  setNodeIndex: (index: number) => void;
}

const fileName = 'processes.json';

export function createRecord(directory: string, supervisor: ProcessIdentity): StackRecord {
  const content: RecordContent = { supervisor, processes: [] };
  const save = (): void => {
    // Written aside and renamed: a kill in between must not leave half a record.
    const file = join(directory, fileName);
    writeFileSync(`${file}.new`, JSON.stringify(content, null, 2), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  };
  save();
  return {
    add: (recorded) => {
      content.processes.push(recorded);
      save();
    },
    setNodeIndex: (index) => {
      content.nodeIndex = index;
      save();
    },
  };
}

export function readRecord(directory: string): RecordContent | undefined {
  const file = join(directory, fileName);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as RecordContent) : undefined;
}

/** The supervisor of the stack in that folder, while it runs. */
export function runningSupervisor(directory: string): ProcessIdentity | undefined {
  const supervisor = readRecord(directory)?.supervisor;
  return supervisor !== undefined && isRunning(supervisor) ? supervisor : undefined;
}

/**
 * Ends what a killed supervisor left running. A process is ours only when pid, start time and
 * program all match the record; on Linux there is normally nothing left to end.
 */
export async function endRecordedProcesses(directory: string): Promise<string[]> {
  const left = (readRecord(directory)?.processes ?? []).filter(isOurs);
  for (const recorded of left) signalProcess(recorded, 'SIGKILL');
  await waitFor(() => Promise.resolve(left.some((recorded) => isRunning(recorded)) ? undefined : true), {
    what: `the left-over processes ${left.map(({ pid }) => pid).join(', ')} to end`,
    timeoutMilliseconds: 10_000,
  });
  return left.map(({ name }) => name);
}

function isOurs(recorded: RecordedProcess): boolean {
  return isRunning(recorded) && executableOf(recorded.pid) === recorded.executable;
}
