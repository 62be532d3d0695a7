import { readKeyFile } from '../../activities/approvals/key-file.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { KeyUnusable, requireSigningKey } from '../../encryption/keys.ts';
import { messageOf } from '../../local/wait.ts';
import { failed, passed, type Finding } from './finding.ts';

/**
 * The keys of everybody who may approve, where a profile takes signed decisions: each is the one that the profile
 * names, and may sign now. Without this a missing file or an expired key shows at three in the morning.
 */
export async function checkApproverKeys(
  folder: string,
  { target, approvers, approvals }: TargetProfile,
  now: Date,
): Promise<Finding[]> {
  if (approvals.identity !== 'signed') return [];
  const check = `target ${target}, keys of approvers`;
  const people = Object.entries(approvers);
  const ends: { person: string; at: Date }[] = [];
  const findings: Finding[] = [];
  for (const [person, approver] of people) {
    try {
      const { expiresAt } = await requireSigningKey(await readKeyFile(folder, person, approver), now);
      if (expiresAt !== undefined) ends.push({ person, at: expiresAt });
    } catch (error) {
      findings.push(failed(check, sentenceOf(person, error), mend));
    }
  }
  if (findings.length > 0) return findings;
  const [first] = ends.sort((left, right) => left.at.getTime() - right.at.getTime());
  const when =
    first === undefined
      ? 'none of them expires'
      : `the first to expire is that of ${first.person}, at ${first.at.toISOString()}`;
  return [passed(check, `${people.length} may sign; ${when}`)];
}

const mend =
  'Ask that person for the newest public half (gpg --armor --export FINGERPRINT), and put it where approvers.publicKey says; docs/approvals.md tells how a key is made and prolonged.';

/** A key file's own faults name the person already. */
function sentenceOf(person: string, error: unknown): string {
  return error instanceof KeyUnusable ? `approvers.${person}: ${error.message}` : messageOf(error);
}
