import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cleanUp } from './cleanup.ts';
import { isRunning, signalProcess } from './identity.ts';
import { stackDirectory, stacksDirectory } from './paths.ts';
import { readRecord, runningSupervisor } from './record.ts';
import { defaultStackName } from './stack.ts';
import type { StackEndpoints } from './stack-types.ts';
import { waitFor } from './wait.ts';

const stopTimeoutMilliseconds = 30_000;

export interface StackStatus {
  name: string;
  state: 'ready' | 'starting' | 'leftovers';
  supervisor: number;
  endpoints?: StackEndpoints;
}

/**
 * Stops a stack and waits until it is gone, or cleans up what a killed one left.
 * "absent" means that there was nothing to stop.
 */
export async function down(name = defaultStackName): Promise<'stopped' | 'cleaned' | 'absent'> {
  const directory = stackDirectory(name);
  const supervisor = runningSupervisor(directory);
  if (supervisor === undefined) {
    if (readRecord(directory) === undefined) return 'absent';
    await cleanUp(directory);
    return 'cleaned';
  }
  signalProcess(supervisor, 'SIGTERM');
  const ended = async (): Promise<unknown> =>
    waitFor(() => Promise.resolve(isRunning(supervisor) ? undefined : true), {
      what: `the stack "${name}" to stop`,
      timeoutMilliseconds: stopTimeoutMilliseconds,
    });
  await ended().catch(async () => {
    signalProcess(supervisor, 'SIGKILL');
    await ended();
  });
  // Nothing is left after an orderly end; after a kill this does its work.
  if (readRecord(directory) !== undefined) await cleanUp(directory);
  return 'stopped';
}

/** Every stack of this clone that runs, or that a killed supervisor left behind. */
export function status(): StackStatus[] {
  if (!existsSync(stacksDirectory)) return [];
  return readdirSync(stacksDirectory).flatMap((name) => {
    const directory = join(stacksDirectory, name);
    const record = readRecord(directory);
    if (record === undefined) return [];
    const endpoints = readEndpoints(directory);
    const running = runningSupervisor(directory) !== undefined;
    const state = !running ? 'leftovers' : endpoints === undefined ? 'starting' : 'ready';
    const pid = record.supervisor.pid;
    return [{ name, state, supervisor: pid, ...(endpoints === undefined ? {} : { endpoints }) }];
  });
}

function readEndpoints(directory: string): StackEndpoints | undefined {
  const file = join(directory, 'stack.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as StackEndpoints) : undefined;
}
