import type { DrillFindings, Scratch } from '../contracts/drill.ts';
import {
  drillExample,
  drillRequestSchema,
  drillSteps as steps,
  type DrillRequest,
} from '../contracts/drill-disaster-recovery.ts';
import { drillPolicyOf } from '../contracts/drill-policy.ts';
import type { RunReport } from '../contracts/run.ts';
import type { Target } from '../contracts/target.ts';
import { timeOf } from '../domain/backups/names.ts';
import { drillOptions, sayIsolation, sayTimes, scratchName, tableOfDrills } from '../domain/drill.ts';
import { sayBackup } from '../domain/recovery/describe.ts';
import { change, read, removing, secretBulk } from './activity-options.ts';
import { failure } from './run/failures.ts';
import { beginRun, type Run } from './run/run.ts';
import { checkReadingRequest } from './steps/check-request.ts';
import { proveDrill } from './steps/prove-drill.ts';
import { counted } from '../domain/text.ts';

/** A drill: a backup is restored beside the service, proven, timed, removed. Page: docs/runbooks/drill-disaster-recovery.md */
export async function drillDisasterRecovery(input?: DrillRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('drillDisasterRecovery', { input, carried });
  try {
    const asked = { schema: drillRequestSchema, input, example: drillExample };
    const { request, target } = await checkReadingRequest(run, steps.check, asked);
    const { backup: which = 'latest-verified', location } = request;
    const { backup } = await run.step(
      steps.choose,
      () =>
        read('Find the backup').chooseRecovery({ target: target.profile.target, backup: which, location }),
      (chosen) => sayBackup(chosen.backup),
    );
    await run.step(
      steps.verify,
      () => secretBulk(`Read back ${backup.backupId}`).verifyRecovery({ target, backup }),
      ({ objects }) => `${counted(objects, 'object')} read back, all as they were signed`,
    );

    const scratch = scratchOf(run, target);
    const planned = {
      target: target.profile.target,
      backup,
      options: drillOptions(scratch, drillPolicyOf(target.profile)),
    };
    const { firstRunId } = run.ref;
    const planNow = () =>
      run.plan(steps.plan, () => secretBulk('Plan the restore').planRecovery({ ...planned, firstRunId }));
    if (request.dryRun === true) {
      const { counts, stored } = await planNow();
      return await run.planned({ backup, counts, plan: stored });
    }
    await makePlace(run, target, scratch);
    const times = { startedAt: run.startedAt, backupStartedAt: timeOf(backup.backupId)?.toISOString() };
    const restoreStartedAt = new Date().toISOString();
    const { objects, proofs } = await proveDrill(run, await planNow());
    const provenAt = new Date().toISOString();
    const findings = { times: { ...times, restoreStartedAt, provenAt }, backup, objects, proofs };
    const verdict = await conclude(run, target, scratch, findings);
    await run.step(
      steps.remove,
      () => remove(target, scratch),
      ({ note }) => note,
    );
    run.forgetUndos();
    if (verdict.failed !== undefined) throw failure('ProofFailed', verdict.failed);
    return await run.succeeded(verdict.sentence);
  } catch (error) {
    return await run.ended(error); // the namespace is removed, whatever it was
  }
}

function scratchOf({ ref, startedAt }: Run, { profile }: Target): Scratch {
  const { workflowId, firstRunId } = ref;
  return {
    name: scratchName(profile.target, ref),
    target: profile.target,
    run: { workflowId, firstRunId },
    startedAt,
  };
}

/** What dead drills have left goes first. The removal is registered before there is anything to remove. */
async function makePlace(run: Run, target: Target, scratch: Scratch): Promise<void> {
  run.onFailure(steps.remove, () => remove(target, scratch));
  await run.step(
    steps.make,
    async () => {
      const { removed } = await change('Remove what dead drills have left').removeDeadDrills({ target });
      // It waits for the quota to be counted, which may take a minute.
      await removing(`Make namespace ${scratch.name}`).makeScratch({ target, scratch });
      return removed;
    },
    (removed) => sayIsolation(scratch.name, removed),
  );
}

async function conclude(
  run: Run,
  target: Target,
  scratch: Scratch,
  findings: DrillFindings,
): Promise<{ failed: string | undefined; sentence: string }> {
  const conclusion = await run.step(
    steps.measure,
    () => secretBulk('Keep the result').concludeDrill({ target, scratch, findings }),
    ({ result }) => `${result.verdict}: ${sayTimes(result)}`,
  );
  const { result } = conclusion;
  run.found(conclusion, tableOfDrills(conclusion));
  const sentence = `Drill of ${findings.backup.backupId}: ${counted(result.objects, 'object')}, ${sayTimes(result)}`;
  return {
    failed: result.verdict === 'pass' ? undefined : `${sentence}; ${result.findings.join('; ')}`,
    sentence,
  };
}

async function remove(target: Target, scratch: Scratch): Promise<{ note: string; drift: string[] }> {
  return await removing(`Remove namespace ${scratch.name}`).removeScratch({ target, scratch });
}
