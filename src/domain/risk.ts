import type { GuardFinding, Plan } from '../contracts/plan.ts';
import type { Risk } from '../contracts/policy.ts';

/** How much is at stake with a plan, and why. Rules of the profile may ask for more approvals then. */
export function riskOf(plan: Plan, emergency: boolean): { risk: Risk; why: string[] } {
  const named = new Set(plan.changes.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`));
  const objects = plan.objects ?? named.size;
  const why = [
    ...(emergency ? ['it takes the target away from whoever holds it'] : []),
    ...(stopping(plan.findings).length > 0 ? ['it overrides a guard'] : []),
    ...(objects > 1 ? [`it changes ${objects} objects at once`] : []),
  ];
  return { risk: why.length > 0 ? 'high' : 'normal', why };
}

/** The guards that would stop the run. */
export function stopping(findings: GuardFinding[]): GuardFinding[] {
  return findings.filter(({ verdict }) => verdict !== 'clear');
}

/** The guards that would stop the run now, and about which nobody was asked. */
export function newlyStopping(agreed: GuardFinding[], current: GuardFinding[]): GuardFinding[] {
  const asked = new Set(stopping(agreed).map(({ guard }) => guard));
  return stopping(current).filter(({ guard }) => !asked.has(guard));
}
