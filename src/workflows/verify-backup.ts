import type { RunReport } from '../contracts/run.ts';
import {
  verifyBackupExample,
  verifyBackupRequestSchema,
  verifyBackupSteps as steps,
  type BackupVerdict,
  type VerifyBackupRequest,
} from '../contracts/verify-backup.ts';
import { ageInWords, proofsOfVerification } from '../domain/backups/describe.ts';
import { combineProofs } from '../domain/proofs.ts';
import { read, secretBulk } from './activity-options.ts';
import { failure } from './run/failures.ts';
import { beginRun } from './run/run.ts';
import { checkReadingRequest } from './steps/check-request.ts';

/** Verification: a backup is read back as a whole, from each location. Page: docs/runbooks/verify-backup.md */
export async function verifyBackup(input?: VerifyBackupRequest, carried?: unknown): Promise<RunReport> {
  const run = beginRun('verifyBackup', { input, carried, quiet: true });
  try {
    const asked = { schema: verifyBackupRequestSchema, input, example: verifyBackupExample };
    const { request, target } = await checkReadingRequest(run, steps.check, asked);
    const { backup, location } = request;
    const chosen = await run.step(
      steps.choose,
      () => read('Look for backups').chooseBackups({ target, backup, location }),
      (found) =>
        found
          .map((one) => `${one.location}: ${one.backupId ?? 'none'}, ${ageInWords(one.ageSeconds)} old`)
          .join('; '),
    );

    const { rpoSeconds = 0 } = target.profile.backup ?? {};
    const named = backup !== undefined && backup !== 'latest';
    const verdicts: BackupVerdict[] = [];
    const proof = await run.judge(steps.verify, async () => {
      for (const { location: place, backupId } of chosen) {
        if (backupId === undefined) continue;
        const one = { target, backupId, location: place, run: run.ref };
        verdicts.push(await secretBulk(`Read back ${backupId} from ${place}`).verifyBackup(one));
      }
      const proofs = proofsOfVerification(chosen, verdicts, { rpoSeconds, named });
      return { ...combineProofs('The backup can be restored', proofs), about: 'backup' as const };
    });
    const found = proof.evidence.join('; ');
    if (proof.verdict !== 'pass') throw failure('BackupRefused', found);
    return await run.succeeded(`Verified ${found}`, { verdicts });
  } catch (error) {
    return await run.ended(error);
  }
}
