import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stackDirectory, stacksDirectory } from './paths.ts';
import { readRecord, runningSupervisor } from './record.ts';
import { defaultStackName } from './stack.ts';
import type { StackEndpoints } from './stack-types.ts';

export interface StackStatus {
  name: string;
  state: 'ready' | 'starting' | 'leftovers';
  supervisor: number;
  endpoints?: StackEndpoints;
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

/** The endpoints of a stack of this clone that is ready; undefined when there is none of that name. */
export function runningStack(name = defaultStackName): StackEndpoints | undefined {
  const directory = stackDirectory(name);
  return runningSupervisor(directory) === undefined ? undefined : readEndpoints(directory);
}
