import type { Proof } from '../contracts/run.ts';

/** Several proofs as one: fail if any failed, else unknown if any is, else pass. */
export function combineProofs(name: string, proofs: Proof[]): Proof {
  const verdicts = proofs.map(({ verdict }) => verdict);
  const verdict = (['fail', 'unknown'] as const).find((one) => verdicts.includes(one));
  return {
    name,
    // No proof at all proves nothing.
    verdict: verdict ?? (proofs.length === 0 ? 'unknown' : 'pass'),
    evidence: proofs.flatMap(({ evidence }) => evidence),
  };
}

/** Whether a proof or an undo is about the service; a backup may be proven, too. */
export function isAboutService({ about = 'service' }: Pick<Proof, 'about'>): boolean {
  return about === 'service';
}
