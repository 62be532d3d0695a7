import type { CheckedDecision, DecisionToCheck } from '../../contracts/approval.ts';
import type { Target, TargetProfile } from '../../contracts/target.ts';
import { statementOf } from '../../domain/statement.ts';
import { excerpt } from '../../domain/text.ts';
import { SignatureRefused, verifyStatement } from '../../encryption/signatures.ts';
import { failure } from '../failures.ts';
import { readKeyFile } from './key-file.ts';

/** What checking a decision needs. */
export interface ApprovalDependencies {
  loadTarget: (name: string) => Promise<Target>;
  /** The public keys of approvers lie below the folder of profiles. */
  targetsFolder: string;
}

/** How far the clock of an approver may be behind. How far ahead is for the verification to say. */
const clockToleranceMilliseconds = 5 * 60_000;

type Approver = TargetProfile['approvers'][string];

/** Looks the approver up and verifies the signature; see the activity. */
export async function checkDecision(
  { loadTarget, targetsFolder }: ApprovalDependencies,
  asked: DecisionToCheck,
  now: Date,
): Promise<CheckedDecision> {
  const { profile, digest } = await loadTarget(asked.target);
  if (asked.digest !== undefined && asked.digest !== digest)
    throw failure(
      'ProfileChanged',
      `the profile of target ${profile.target} was changed since this plan was made; look at the new plan, then decide again`,
    );
  const person = asked.decision.approver;
  const isSigned = profile.approvals.identity === 'signed';
  if (!isSigned && Object.keys(profile.approvers).length === 0) return { person, identity: 'declared' };
  const approver = approverOf(profile, person);
  if (!isSigned) return { person, identity: 'declared' };
  const publicKey = await readKeyFile(targetsFolder, person, approver);
  const signed = await verify(asked, publicKey, now);
  refuseOld(signed.signedAt, asked);
  return {
    person,
    identity: 'signed',
    fingerprint: signed.fingerprint,
    signedAt: signed.signedAt.toISOString(),
  };
}

/** Names are taken as they are written: two people may differ in capitals only. */
function approverOf({ target, approvers }: TargetProfile, person: string): Approver {
  const approver = Object.hasOwn(approvers, person) ? approvers[person] : undefined;
  if (approver !== undefined) return approver;
  throw failure(
    'InvalidRequest',
    `"${excerpt(person)}" is not among the approvers of target ${target}; give the name exactly as its profile has it`,
  );
}

async function verify(
  { statement, runIds, decision }: DecisionToCheck,
  publicKey: string,
  now: Date,
): Promise<{ fingerprint: string; signedAt: Date }> {
  const { signature } = decision;
  if (signature === undefined)
    throw failure(
      'BadSignature',
      'this decision has no signature, and this target takes signed ones only; sign the statement that the run shows, or use: runbook approve --sign KEY',
    );
  try {
    const candidates = runIds.map((runId) => statementOf({ ...statement, runId }));
    return await verifyStatement({ candidates, signature, publicKey, now });
  } catch (error) {
    if (error instanceof SignatureRefused) throw failure('BadSignature', error.message);
    throw error;
  }
}

/** A signature from before the gate was made for something else, however well it fits. */
function refuseOld(signedAt: Date, { openedAt, statement }: DecisionToCheck): void {
  const early = Date.parse(openedAt) - signedAt.getTime();
  if (early <= clockToleranceMilliseconds) return;
  throw failure(
    'BadSignature',
    `the signature says it was made at ${signedAt.toISOString()}, ${Math.round(early / 60_000)} minutes before gate "${statement.gate}" opened (${openedAt}): if you signed just now, set your clock; then sign again`,
  );
}
