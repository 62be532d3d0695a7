import type { Freeze } from '../../contracts/lock.ts';
import type { GuardFinding } from '../../contracts/plan.ts';
import { describeFreeze } from '../lock.ts';

/** A frozen target stops every run but a repair. */
export function checkFreeze(freeze: Freeze, repair: boolean): GuardFinding {
  return {
    guard: 'freeze',
    verdict: repair ? 'clear' : 'stops',
    sentence: repair
      ? `${describeFreeze(freeze)}; this is a repair and goes on`
      : `${describeFreeze(freeze)}; start again when it is over: runbook unfreeze`,
  };
}
