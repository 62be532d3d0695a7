import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning } from '../../src/local/identity.ts';
import { readRecord } from '../../src/local/record.ts';

/** What a running stack has on the machine, remembered to look for it after the stack's end. */
export interface Traces {
  /** Everything of it that is still there. */
  left: () => string[];
}

export function tracesOf(directory: string): Traces {
  const record = readRecord(directory);
  if (record === undefined) throw new Error(`no stack runs in ${directory}`);
  const places = record.nodeIndex === undefined ? [] : nodePlaces(`runbooks${record.nodeIndex}`);
  return {
    left: () => [
      ...[...record.processes, { ...record.supervisor, name: 'supervisor' }]
        .filter(isRunning)
        .map(({ name }) => name),
      ...places.filter((path) => existsSync(path)),
      ...processesMentioning(directory),
    ],
  };
}

function nodePlaces(name: string): string[] {
  const cgroups = existsSync('/sys/fs/cgroup') ? readdirSync('/sys/fs/cgroup') : [];
  return [
    `/sys/class/net/${name}`,
    `/sys/fs/cgroup/${name}`,
    ...cgroups.map((tree) => `/sys/fs/cgroup/${tree}/${name}`),
  ];
}

/** Children that no record names, such as containers, have the stack's folder in their command line or mounts. */
function processesMentioning(directory: string): string[] {
  if (!existsSync('/proc/self')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => isInside(join('/proc', pid), directory))
    .map((pid) => `process ${pid}`);
}

function isInside(folder: string, directory: string): boolean {
  try {
    const line = readFileSync(join(folder, 'cmdline'), 'utf8');
    return (
      line.includes(`${directory}/`) ||
      readFileSync(join(folder, 'mountinfo'), 'utf8').includes(`${directory}/`)
    );
  } catch {
    return false;
  }
}
