import { existsSync } from 'node:fs';
import { obtainDebianTools, type DebianTools } from './debian.ts';
import { findProgram } from './command.ts';
import { hostTouches } from './node-namespace.ts';
import type { OnPhase } from './phases.ts';
import type { StackOptions } from './stack-types.ts';
import { messageOf } from './wait.ts';

export type NodeChoice =
  | { kind: 'given'; kubeconfig: string; note: string }
  | { kind: 'real'; debian: DebianTools; forced: boolean; note: string }
  | { kind: 'simulated'; note: string };

/**
 * Decides which kind of node a stack gets: the cluster that is given, the real node where it can
 * run, else the simulated one. Throws when the real node is demanded and cannot run.
 */
export async function chooseNode(options: StackOptions, onPhase: OnPhase): Promise<NodeChoice> {
  const { kubeconfig, node } = options;
  if (kubeconfig !== undefined) return { kind: 'given', kubeconfig, note: `the cluster of ${kubeconfig}` };
  if (node === 'simulated')
    return { kind: 'simulated', note: 'simulated, as asked: no process of a pod runs' };
  try {
    const obstacle = obstacleToRealNode();
    if (obstacle !== undefined) throw new Error(obstacle);
    const debian = await obtainDebianTools(onPhase);
    return {
      kind: 'real',
      debian,
      forced: node === 'real',
      note: `real; on this machine it makes ${hostTouches}`,
    };
  } catch (error) {
    if (node === 'real')
      throw new Error(`a real node cannot run here: ${messageOf(error)}`, { cause: error });
    return {
      kind: 'simulated',
      note: `simulated (no process of a pod runs), because a real one cannot run here: ${messageOf(error)}`,
    };
  }
}

/** Why a real node cannot run on this machine; undefined when nothing is in its way. */
export function obstacleToRealNode(): string | undefined {
  if (process.platform !== 'linux') return 'it needs Linux';
  if (process.getuid?.() !== 0) return 'it needs root';
  if (!existsSync('/sys/fs/cgroup')) return 'it needs cgroups below /sys/fs/cgroup';
  const missing = ['unshare', 'nsenter', 'setpriv'].filter((name) => findProgram(name) === undefined);
  return missing.length > 0 ? `it needs ${missing.join(', ')} of util-linux` : undefined;
}
