import {
  recoverExample,
  recoverRequestSchema,
  recoverSteps as steps,
  type RecoverRequest,
} from '../contracts/recover.ts';
import type { RecoveryPlan } from '../contracts/recovery.ts';
import type { Proof, RunReport } from '../contracts/run.ts';
import { askToRecover, optionsOf, partly, sayBackup, sayOutcome } from '../domain/recovery/describe.ts';
import { sayCounts } from '../domain/recovery/plan-page.ts';
import { read, secretBulk, watch } from './activity-options.ts';
import { failure } from './run/failures.ts';
import { beginRun, type Run } from './run/run.ts';
import { checkRequest } from './steps/check-request.ts';
import { restoreGroups } from './steps/restore-groups.ts';
import { counted } from '../domain/text.ts';

/** Recovery: objects from a verified backup. A repair. Page: docs/runbooks/recover.md */
export async function recover(input?: RecoverRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('recover', { input, carried, repair: true });
  try {
    const asked = { schema: recoverRequestSchema, input, example: recoverExample };
    const request = await checkRequest(run, steps.check, asked);
    const { target: name, backup: which, location } = request;
    const { target, backup } = await run.step(
      steps.choose,
      () => read('Find the backup').chooseRecovery({ target: name, backup: which, location }),
      (chosen) => sayBackup(chosen.backup),
    );
    await run.step(
      steps.verify,
      () => secretBulk(`Read back ${backup.backupId}`).verifyRecovery({ target, backup }),
      ({ objects }) => `${counted(objects, 'object')} read back, all as they were signed`,
    );

    const options = optionsOf(request, target.profile.namespace);
    const { firstRunId } = run.ref;
    const planNow = (): Promise<RecoveryPlan> =>
      secretBulk('Compare the backup with the cluster').planRecovery({
        target: name,
        backup,
        options,
        firstRunId,
      });
    const plan = await run.plan(steps.plan, planNow);
    if (request.dryRun === true) return await run.planned(resultOf(plan));
    if (plan.changes.length === 0) return await nothingToDo(run, plan);
    await run.gate(steps.approve, plan, askToRecover(plan));

    const approved = { steps, plan, planAgain: planNow, workloads: () => [] };
    return await run.locked(approved, async (current) => {
      const since = new Date().toISOString();
      run.leaves(
        `objects of backup ${backup.backupId} were restored and stay; another recovery goes on where this one ended`,
        options.into === target.profile.namespace ? 'service' : 'backup',
      );
      const outcome = await restoreGroups(run, steps.change, current);
      const trouble = partly(outcome);
      if (trouble !== undefined) throw failure('PartlyRestored', trouble);
      await prove(run, current, since);
      return await run.succeeded(
        `Restored from backup ${backup.backupId}: ${sayOutcome(outcome)}; of the plan ${sayCounts(current.counts)}`,
        resultOf(current),
      );
    });
  } catch (error) {
    return await run.ended(error); // rejected or timed out: the report; a fault: report and failure, nothing is undone
  }
}

/** The service has to run, and to be what was backed up. */
async function prove(run: Run, plan: RecoveryPlan, since: string): Promise<void> {
  const { target, backup, options, stored } = plan;
  const under = { target, backup, options, stored };
  const { into } = options;
  // A copy elsewhere says nothing of the service.
  const about = into === target.profile.namespace ? {} : { about: 'backup' as const };
  const prove = (step: string, check: () => Promise<Proof>): Promise<void> =>
    run.prove(step, plan, async () => ({ ...(await check()), ...about }));
  await prove(steps.wait, () => watch('Wait for every workload').proveWorkloads(under));
  await prove(steps.compare, () => watch('Compare every object').proveContent(under));
  await prove(steps.verifyHealth, () =>
    watch('Ask every pod for its health').proveRecoveredHealth({ target, namespace: into }),
  );
  await prove(steps.logs, () => watch('Read the logs').proveLogs({ ...under, since }));
}

/** Everything is there already: of a second start, or of a service that lost nothing. */
async function nothingToDo(run: Run, plan: RecoveryPlan): Promise<RunReport> {
  const said = sayCounts(plan.counts);
  if (plan.counts.blocked + plan.counts.conflict > 0)
    throw failure('GuardStopped', `nothing of this backup can be restored as it was asked for: ${said}`);
  return await run.succeeded(`Nothing to restore: ${said}`, resultOf(plan));
}

function resultOf({ backup, options, counts, stored }: RecoveryPlan): unknown {
  return { backup, options, counts, plan: stored };
}
