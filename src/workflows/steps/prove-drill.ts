import { isCancellation } from '@temporalio/workflow';
import { drillSteps as steps } from '../../contracts/drill-disaster-recovery.ts';
import { drillPolicyOf } from '../../contracts/drill-policy.ts';
import type { RecoveryPlan } from '../../contracts/recovery.ts';
import type { Proof } from '../../contracts/run.ts';
import { proofOfRestore } from '../../domain/drill.ts';
import { watch } from '../activity-options.ts';
import { explain } from '../run/failures.ts';
import type { Run } from '../run/run.ts';
import { restoreGroups } from './restore-groups.ts';

/**
 * Restores into the namespace of the drill and proves what came of it. A proof that fails does not keep the others from
 * being tried: one drill tells everything. Nobody is asked about one that stays unknown: it does not pass. A fault on the
 * way ends the proofs and is one that failed, so that the trend has this drill, too.
 */
export async function proveDrill(
  run: Run,
  plan: RecoveryPlan,
): Promise<{ objects: number; proofs: Proof[] }> {
  const proofs: Proof[] = [];
  const note = (proof: Proof): void => {
    run.record(proof);
    proofs.push(proof);
  };
  let objects = 0;
  try {
    const outcome = await restoreGroups(run, steps.change, plan);
    objects = outcome.written + outcome.same;
    note(proofOfRestore(plan, outcome));
    await proveAll(run, plan, note);
  } catch (error) {
    const { type, message } = explain(error);
    // Somebody wants it to end: that says nothing of the backup.
    if (isCancellation(error) || type === 'Aborted' || type === 'Flooded') throw error;
    note({ name: 'the drill was carried out', about: 'backup', verdict: 'fail', evidence: [message] });
  }
  return { objects, proofs };
}

async function proveAll(run: Run, plan: RecoveryPlan, note: (proof: Proof) => void): Promise<void> {
  const { target, backup, options, stored } = plan;
  const under = { target, backup, options, stored };
  const prove = async (step: string, check: () => Promise<Proof>): Promise<void> => {
    // All of it speaks of the copy, and nothing of the health of the service.
    note(await run.step<Proof>(step, async () => ({ ...(await check()), about: 'backup' }), inWords));
  };
  await prove(steps.wait, () => watch('Wait for every workload').proveWorkloads(under));
  await prove(steps.compare, () => watch('Compare every object').proveContent(under));
  if (drillPolicyOf(target.profile).probes)
    await prove(steps.verifyHealth, () =>
      watch('Ask every pod for its health').proveRecoveredHealth({ target, namespace: options.into }),
    );
  else
    await run.step(
      steps.verifyHealth,
      () => undefined,
      () => 'not asked: the profile says drill.probes: false',
    );
}

function inWords({ verdict, evidence }: Proof): string {
  return `${verdict}: ${evidence.join('; ')}`;
}
