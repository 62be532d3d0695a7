import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { LockView } from '../../contracts/lock.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { readLease, sameRun } from '../../domain/lock.ts';
import { failure } from '../failures.ts';
import { askAboutHolder, findRoot } from './holder-state.ts';
import { getLease } from './lease.ts';

/**
 * Who holds the target, whether it is frozen, and what a run that died left half done. Reads only.
 * @throws GuardStopped when the Lease cannot be read
 */
export async function lookAtLock(
  gateway: KubernetesGateway,
  runs: Runs,
  target: Target,
  asking: { me: RunRef; root?: { workflowId: string; runId: string } },
  signal: AbortSignal,
): Promise<LockView> {
  const { me } = asking;
  const { holder, freeze, leftover, faults } = readLease(await getLease(gateway, target, signal));
  const [fault] = faults;
  if (fault !== undefined)
    throw failure('GuardStopped', `${fault} cannot be read; look at it with kubectl, then: runbook unlock`);
  const other = holder === undefined || sameRun(holder, me) ? undefined : holder;
  const report = other === undefined ? undefined : await askAboutHolder(runs, other);
  const root = other === undefined ? undefined : await findRoot(runs, asking.root);
  // What a holder has begun is its own business as long as it may still end it.
  const dead = report === undefined || report.state === 'closed';
  return {
    own: sameRun(holder, me) || (sameRun(holder, root) && report?.state === 'running'),
    ...(other === undefined || report === undefined
      ? {}
      : { holder: { ...other, state: report.state, ...(report.step && { step: report.step }) } }),
    ...(freeze === undefined ? {} : { freeze }),
    ...(leftover === undefined || !dead ? {} : { leftover }),
  };
}
