import type { Decision, Identity } from './run.ts';

/** What an approver signs. */
export interface StatementFields {
  workflowId: string;
  /** Of the run that waits: after a reset it is another one, and what was signed for the former counts no more. */
  runId: string;
  gate: string;
  planHash: string;
  decision: 'approve' | 'reject';
  reason?: string;
}

/** What the verifying activity is asked. */
export interface DecisionToCheck {
  /** Name of the profile. */
  target: string;
  /** Digest of the profile under which the plan was made; without it the profile may have changed since. */
  digest?: string;
  decision: Decision;
  statement: Omit<StatementFields, 'runId'>;
  /** The current run and those that it continues, newest first. */
  runIds: string[];
  /** When the gate opened, ISO 8601. */
  openedAt: string;
}

/** Who decided, by the name that the profile has for them. */
export type CheckedDecision = { person: string } & Identity;
