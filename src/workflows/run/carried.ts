import { workflowInfo } from '@temporalio/workflow';
import type { AuditEvent, Checkpoint } from '../../contracts/audit.ts';
import type { Change } from '../../contracts/plan.ts';
import type { ControlRecord, Decision, DecisionRecord, Gate } from '../../contracts/run.ts';

/** What a run hands on when it continues as a new one. An answered gate never continues. */
export interface Carried {
  startedAt: string;
  /** The gate that was open. A new run that comes to the same plan keeps its id and its deadline. */
  gate: Gate | undefined;
  /** Of the profile that it was opened under; earlier versions did not hand it on. */
  digest: string | undefined;
  /** What that gate was about; shown against the new plan when that is another one. */
  changes: Change[];
  /** What people have approved at that gate; counts on for the same plan. */
  approvals: Decision[];
  /** The runs of the chain, newest first: what was signed for one of them counts. */
  runIds: string[];
  closed: { id: string; result: string }[];
  decisions: DecisionRecord[];
  ignoredDecisions: number;
  controls: ControlRecord[];
  ignoredSignals: number;
  paused: { since: string; by?: string; reason?: string } | undefined;
  /** What is not in the audit log yet. What was just being written is in it, too: it is recognised there. */
  audit: { events: AuditEvent[]; after?: Checkpoint };
  /** How often the run has continued. */
  times: number;
}

/** What the former run handed on. A second argument that someone typed by hand is not taken for that. */
export function readCarried(argument: unknown): Carried | undefined {
  if (workflowInfo().continuedFromExecutionRunId === undefined) return undefined;
  return argument as Carried | undefined;
}
