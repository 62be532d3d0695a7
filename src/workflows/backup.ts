import type { Snapshot } from '../activities/backups/read/snapshot.ts';
import type { Missing } from '../contracts/backup-manifest.ts';
import {
  backupExample,
  backupRequestSchema,
  backupSteps as steps,
  type BackupRequest,
  type CommittedBackup,
  type HookOutcome,
} from '../contracts/backup.ts';
import type { RunReport } from '../contracts/run.ts';
import { bytesInWords, describeKinds, describeTransfers, proofOfBackup } from '../domain/backups/describe.ts';
import { backupIdOf } from '../domain/backups/names.ts';
import { secretBulk, survey } from './activity-options.ts';
import { beginRun, type Run } from './run/run.ts';
import { runHooks } from './steps/backup-hooks.ts';
import { checkReadingRequest } from './steps/check-request.ts';
import { transferAll } from './steps/transfer-objects.ts';
import { counted } from '../domain/text.ts';

/** Backup: every object of the target's namespace and what it needs, encrypted and signed. Page: docs/runbooks/backup.md */
export async function backup(input?: BackupRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('backup', { input, carried, quiet: true });
  try {
    const asked = { schema: backupRequestSchema, input, example: backupExample };
    const { request, target } = await checkReadingRequest(run, steps.check, asked);
    const backupId = backupIdOf(run.ref, run.startedAt);
    const mine = { target, backupId };
    if (request.dryRun === true) {
      const preview = () => survey('Find out what a backup would hold').previewBackup({ target });
      return await run.planned(await run.step(steps.look, preview, describeKinds));
    }
    const begin = () =>
      survey(`Begin backup ${backupId}`).beginBackup({ ...mine, run: run.ref, startedAt: run.startedAt });
    const snapshot = await run.step<Snapshot>(steps.look, begin, describeKinds);

    for (const key of snapshot.expiring ?? []) run.followUp(key, { lasting: true });

    const hooks = await runHooks(run, target, steps);
    const transferred = await run.step(steps.transfer, () => transferAll(mine, snapshot), describeTransfers);
    const logs = await run.step(
      steps.logs,
      () => secretBulk("Store the pods' logs").collectLogs(mine),
      ({ containers, logs: files }) => `${counted(containers, 'log')}, ${bytesInWords(files)}`,
    );
    await hooks.after();

    const { resourceVersion, serverVersion, missing } = snapshot;
    const content = {
      run: run.ref,
      startedAt: run.startedAt,
      snapshot: { resourceVersion, serverVersion, missing },
      transferred,
      logs,
      hooks: hooks.outcomes,
    };
    const completedAt = new Date().toISOString();
    const committed = await run.step(
      steps.commit,
      () => secretBulk('Sign the manifest').commitBackup({ ...mine, ...content, completedAt }),
      ({ manifestSha256 }) => `manifest ${manifestSha256.slice(0, 12)}`,
    );
    return await ended(run, committed, hooks.outcomes, [
      ...missing,
      ...transferred.flatMap((one) => one.missing),
      ...logs.missing,
    ]);
  } catch (error) {
    return await run.ended(error); // hooks that ran before are followed by those after, then the failure
  }
}

/** A backup that lacks something is there, and nobody may take it for a whole one. */
async function ended(
  run: Run,
  committed: CommittedBackup,
  hooks: readonly HookOutcome[],
  missing: Missing[],
): Promise<RunReport> {
  const { backupId, objects, consistency, locations } = committed;
  run.record(proofOfBackup(committed, missing));
  const state = committed.complete ? 'Backup' : 'PARTIAL backup';
  const where = locations.map(({ name }) => name).join(', ');
  const when = consistency === 'snapshot' ? 'all of one moment' : 'each kind of a moment of its own';
  const failed = hooks.filter(({ ok }) => !ok).map(({ name, when }) => `${name} (${when})`);
  const without = failed.length === 0 ? '' : `; WITHOUT hooks that failed: ${failed.join(', ')}`;
  return await run.succeeded(
    `${state} ${backupId}: ${counted(objects, 'object')}, ${bytesInWords([committed])}, ${when}, in ${where}${without}`,
    { ...committed, missing },
  );
}
