import type { Plan } from './plan.ts';

/** How a run ends. The first five complete the workflow; the last three fail it with a failure of that type. */
export type Outcome =
  'succeeded' | 'planned' | 'rejected' | 'timedOut' | 'aborted' | 'undone' | 'undoFailed' | 'failed';

/** Names that clients send; the handlers are registered before a run's first await. */
export const controls = {
  decide: 'decide',
  approve: 'approve',
  reject: 'reject',
  pause: 'pause',
  resume: 'resume',
  abort: 'abort',
  describe: 'describe',
} as const;

/** `unknown`: the step ended without an answer, which is never taken for a good one. */
export type StepState = 'running' | 'done' | 'failed' | 'waiting' | 'unknown';

/** One step of the page, as the run did it. Times are ISO 8601 in UTC. */
export interface StepRecord {
  name: string;
  state: StepState;
  startedAt: string;
  endedAt?: string;
  /** One sentence on what came out. */
  note?: string;
}

/** What a person sends to a gate. */
export interface Decision {
  decision: 'approve' | 'reject';
  gate: string;
  planHash: string;
  approver: string;
  reason?: string;
}

/** A decision as the run took it. */
export interface DecisionRecord {
  at: string;
  via: 'update' | 'signal';
  accepted: boolean;
  /** Why it was ignored, or what it did. */
  note: string;
  decision?: Decision;
}

/** A place where a run waits for people; bound to one plan hash. */
export interface Gate {
  id: string;
  step: string;
  question: string;
  planHash: string;
  openedAt: string;
  deadline: string;
}

/** What a person may send with `pause`, `resume` and `abort`; every field may be missing. */
export interface Control {
  by?: string;
  reason?: string;
}

/** A control as the run took it. */
export interface ControlRecord extends Control {
  at: string;
  control: 'pause' | 'resume' | 'abort';
  /** What it did, or why nothing. */
  note: string;
}

/** One check after the change. Unknown never passes: it pauses the run and asks. */
export interface Proof {
  name: string;
  verdict: 'pass' | 'fail' | 'unknown';
  evidence: string[];
}

/** Identifies a run in Temporal. */
export interface RunRef {
  workflowId: string;
  /** Of the first run: stays the same through reset and continue-as-new. */
  firstRunId: string;
  procedure: string;
}

/** What undo did; stands beside the first error, never instead of it. */
export interface UndoRecord {
  name: string;
  state: 'done' | 'failed';
  note: string;
  /** Paths that someone else changed meanwhile and that were left as they are. */
  drift: string[];
}

/** What a run did, as data. The page beside it is made from this alone. */
export interface RunRecord {
  run: RunRef;
  outcome: Outcome;
  /** What happened, whether the service is healthy now, what the reader must do: in this order. */
  headline: [string, string, string];
  target?: string;
  profileDigest?: string;
  request?: unknown;
  requestedBy?: string;
  reason?: string;
  startedAt: string;
  endedAt: string;
  plan?: Pick<Plan, 'hash' | 'changes' | 'summary' | 'findings'>;
  steps: StepRecord[];
  decisions: DecisionRecord[];
  ignoredDecisions: number;
  controls: ControlRecord[];
  /** Signals beyond what a run keeps, and signals of names that it does not know. */
  ignoredSignals: number;
  proofs: Proof[];
  undo: UndoRecord[];
  error?: string;
}

/** Where the report lies. `pending`: storage did not answer; a detached child run uploads it when it does. */
export type Evidence =
  | { state: 'stored'; location: string; sha256: string }
  | { state: 'pending' | 'notConfigured'; note: string };

/** Result of every procedure, and the details of its failure. */
export interface RunReport extends RunRecord {
  evidence: Evidence;
}

/** Answer of the `describe` query. */
export interface RunDescription {
  run: RunRef;
  target?: string;
  outcome?: Outcome;
  waitingFor?: Gate;
  /** Since when and by whom the run is paused. */
  paused?: { since: string; by?: string; reason?: string };
  /** How the run stands with its target's lock, in one sentence. */
  lock?: string;
  plan?: Pick<Plan, 'hash' | 'summary' | 'findings'>;
  steps: StepRecord[];
  decisions: DecisionRecord[];
  controls: ControlRecord[];
}
