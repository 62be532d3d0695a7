import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The cgroup below which a node's pods run. Version 1 has one tree per controller, version 2 one
 * for all; the kubelet wants its root to exist in each.
 */
const mountPoint = '/sys/fs/cgroup';

export const cgroupName = (index: number): string => `runbooks${index}`;

function trees(): string[] {
  if (existsSync(join(mountPoint, 'cgroup.controllers'))) return [mountPoint];
  return readdirSync(mountPoint)
    .map((name) => join(mountPoint, name))
    .filter((tree) => existsSync(join(tree, 'cgroup.procs')));
}

export function createCgroups(index: number): void {
  for (const tree of trees()) {
    const folder = join(tree, cgroupName(index));
    mkdirSync(folder, { recursive: true });
    // A new cpuset is empty, and nothing can run in an empty one.
    for (const name of ['cpuset.cpus', 'cpuset.mems']) {
      const own = join(folder, name);
      if (tree.endsWith('cpuset') && existsSync(own)) writeFileSync(own, readFileSync(join(tree, name)));
    }
  }
}

/** Removes the node's cgroups; its processes must have ended. Returns what could not be removed yet. */
export function removeCgroups(index: number): string[] {
  return trees()
    .map((tree) => join(tree, cgroupName(index)))
    .filter((folder) => existsSync(folder) && !removeTree(folder));
}

/** Folders of a cgroup are removed from the leaves up; their files go by themselves. */
function removeTree(folder: string): boolean {
  const children = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const removed = children.map((child) => removeTree(join(folder, child.name)));
  if (removed.includes(false)) return false;
  try {
    rmdirSync(folder);
    return true;
  } catch {
    return !existsSync(folder);
  }
}
