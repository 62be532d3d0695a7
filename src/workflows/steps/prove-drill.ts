import { drillSteps as steps } from '../../contracts/drill-disaster-recovery.ts';
import { drillPolicyOf } from '../../contracts/drill-policy.ts';
import type { RecoveryPlan } from '../../contracts/recovery.ts';
import type { Proof } from '../../contracts/run.ts';
import { proofOfRestore } from '../../domain/drill.ts';
import { watch } from '../activity-options.ts';
import type { Run } from '../run/run.ts';
import { restoreGroups } from './restore-groups.ts';

/**
 * Restores into the namespace of the drill and proves what came of it. A proof that fails does not keep the others from
 * being tried: one drill tells everything. Nobody is asked about one that stays unknown: it does not pass.
 */
export async function proveDrill(
  run: Run,
  plan: RecoveryPlan,
): Promise<{ objects: number; proofs: Proof[] }> {
  const { target, backup, options, stored } = plan;
  const under = { target, backup, options, stored };
  const outcome = await restoreGroups(run, steps.change, plan);
  const restored = proofOfRestore(plan, outcome);
  run.record(restored);
  const proofs = [restored];
  const prove = async (step: string, check: () => Promise<Proof>): Promise<void> => {
    // All of it speaks of the copy, and nothing of the health of the service.
    const proof = await run.step<Proof>(step, async () => ({ ...(await check()), about: 'backup' }), inWords);
    run.record(proof);
    proofs.push(proof);
  };
  await prove(steps.wait, () => watch('Wait for every workload').proveWorkloads(under));
  await prove(steps.compare, () => watch('Compare every object').proveContent(under));
  const asked = drillPolicyOf(target.profile).probes;
  if (asked)
    await prove(steps.verifyHealth, () =>
      watch('Ask every pod for its health').proveRecoveredHealth({ target, namespace: options.into }),
    );
  else
    await run.step(
      steps.verifyHealth,
      () => undefined,
      () => 'not asked: the profile says drill.probes: false',
    );
  return { objects: outcome.written + outcome.same, proofs };
}

function inWords({ verdict, evidence }: Proof): string {
  return `${verdict}: ${evidence.join('; ')}`;
}
