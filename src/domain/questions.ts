import type { Change, Plan } from '../contracts/plan.ts';
import { comparePlans, stoppedBy } from './plan/plan.ts';
import { newlyStopping } from './risk.ts';

/** What a question depends on beside its plan. */
export interface Asked {
  question: string;
  /** Why guards may be overridden, when the run was started for that. */
  breakGlass: string | undefined;
  /** Why the risk is high. */
  risks: string[];
  /** What people looked at before the run continued as a new one. */
  former: { gate: string; planHash: string; changes: Change[] } | undefined;
}

/** The question of a gate. What whoever approves has to know before anything else comes first. */
export function questionFor(plan: Plan, { question, breakGlass, risks, former }: Asked): string {
  const stop = stoppedBy(plan.findings);
  return [
    ...(stop === undefined ? [] : [`BREAK-GLASS (${breakGlass ?? ''}): to approve overrides ${stop}.`]),
    ...(former === undefined || former.planHash === plan.hash
      ? []
      : [
          `The plan changed while ${former.gate} was open: ${comparePlans(former.changes, plan.changes).join('; ')}.`,
        ]),
    question,
    ...risks.map((one) => `High risk: ${one}.`),
  ].join(' ');
}

/** Why a plan ends its run before anybody is asked; undefined when it does not. */
export function endedByGuards(plan: Plan, breakGlass: string | undefined): string | undefined {
  const stop = stoppedBy(plan.findings);
  if (stop === undefined || breakGlass === undefined) return stop;
  if (plan.target.profile.approvals.breakGlass.length > 0) return undefined;
  return `${stop}; break-glass: the profile names no role under approvals.breakGlass, so nobody may override this`;
}

/** What people have to be asked about again after they approved; undefined when nothing is. */
export function differenceOf(agreed: Plan, current: Plan): string | undefined {
  if (current.hash !== agreed.hash)
    return `The plan changed since it was approved. ${comparePlans(agreed.changes, current.changes).join('; ')}`;
  const stops = stoppedBy(newlyStopping(agreed.findings, current.findings));
  return stops === undefined ? undefined : `Since it was approved another guard stops: ${stops}`;
}
