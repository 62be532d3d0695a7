import type { Runs, RunStatus } from '../../clients/temporal/runs.ts';
import type { Holder, HolderState } from '../../contracts/lock.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { failure } from '../failures.ts';

/** What Temporal says of the run that a Lease names. */
export interface HolderReport {
  state: HolderState;
  closedAt?: number;
  step?: string;
}

/** A run, and the Temporal that knows it. */
type AnyRun = Pick<Holder, 'workflowId' | 'firstRunId' | 'temporalNamespace' | 'temporalCluster'>;

/**
 * Asks whether the holder still runs. Only this worker's own Temporal can say *closed*: unreachable and foreign
 * are answers of their own, and never mean that the target is free.
 */
export async function askAboutHolder(runs: Runs, holder: AnyRun): Promise<HolderReport> {
  try {
    const { temporalNamespace, temporalCluster } = await runs.identity();
    if (holder.temporalNamespace !== temporalNamespace || holder.temporalCluster !== temporalCluster)
      return { state: 'foreign' };
    return judge(holder, await runs.describe(holder.workflowId));
  } catch {
    return { state: 'unknown' };
  }
}

/** Deleted, ended, or the id belongs to a later chain of runs: closed. */
function judge(holder: AnyRun, status: RunStatus | undefined): HolderReport {
  if (status === undefined) return { state: 'closed' };
  const { running, firstRunId, closedAt, step } = status;
  // A server that does not name the chain does not tell a later run of the same id from this one.
  if (firstRunId === '') return { state: 'unknown' };
  if (firstRunId !== holder.firstRunId) return { state: 'closed' };
  if (running) return { state: 'running', ...(step === undefined ? {} : { step }) };
  return { state: 'closed', ...(closedAt === undefined ? {} : { closedAt }) };
}

/** The chain of runs that a root belongs to. Its name comes from Temporal, not from an input. @throws Unavailable */
export async function findRoot(
  runs: Runs,
  root: { workflowId: string; runId: string } | undefined,
): Promise<RunIdentity | undefined> {
  if (root === undefined) return undefined;
  try {
    const status = await runs.describe(root.workflowId, root.runId);
    if (status === undefined) return undefined;
    return { workflowId: root.workflowId, firstRunId: status.firstRunId };
  } catch {
    throw failure('Unavailable', `Temporal does not say what run ${root.workflowId} is`);
  }
}
