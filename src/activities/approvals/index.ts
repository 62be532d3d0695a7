import type { CheckedDecision, DecisionToCheck } from '../../contracts/approval.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { checkDecision, type ApprovalDependencies } from './check-decision.ts';

/** Finds out who decided. */
export function createApprovalActivities(dependencies: ApprovalDependencies) {
  return {
    /**
     * Who made a decision, by the profile as it is now: the approver of that name, and with `identity: signed` the
     * owner of the key that signed the statement. Reads only, so it may run any number of times; a later attempt
     * may refuse what an earlier one took, because a key has expired meanwhile.
     * @throws InvalidRequest: no such approver. BadSignature: a sentence for whoever signed. ProfileChanged.
     * InvalidProfile: also for a public key that is missing or another one. NotFound
     */
    checkDecision: (asked: DecisionToCheck): Promise<CheckedDecision> =>
      withHeartbeat(() => checkDecision(dependencies, asked, new Date())),
  };
}
