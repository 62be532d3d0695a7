import { workflowInfo } from '@temporalio/workflow';
import type { ControlRecord, DecisionRecord, Gate } from '../../contracts/run.ts';

/** What a run hands on when it continues as a new one. Approvals are not in it: an answered gate never continues. */
export interface Carried {
  startedAt: string;
  /** The gate that was open. A new run that comes to the same plan keeps its id and its deadline. */
  gate: Gate | undefined;
  closed: { id: string; result: string }[];
  decisions: DecisionRecord[];
  ignoredDecisions: number;
  controls: ControlRecord[];
  ignoredSignals: number;
  paused: { since: string; by?: string; reason?: string } | undefined;
  /** How often the run has continued. */
  times: number;
}

/** What the former run handed on. A second argument that someone typed by hand is not taken for that. */
export function readCarried(argument: unknown): Carried | undefined {
  if (workflowInfo().continuedFromExecutionRunId === undefined) return undefined;
  return argument as Carried | undefined;
}
