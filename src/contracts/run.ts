import type { Checkpoint, SignedCheckpoint } from './audit.ts';
import type { Plan } from './plan.ts';
import type { RunRef } from './run-ref.ts';

export type { RunRef };

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
  /** OpenPGP signature over the statement of this decision, where the profile asks for one. */
  signature?: string;
}

/** How it is known who decided: by the name that was given, or by a signature. */
export type Identity =
  { identity: 'declared' } | { identity: 'signed'; fingerprint: string; signedAt: string };

/** A decision as the run took it. */
export interface DecisionRecord {
  at: string;
  via: 'update' | 'signal';
  accepted: boolean;
  /** Why it was ignored, or what it did. */
  note: string;
  decision?: Decision;
  /** Of an accepted decision. */
  proof?: Identity;
}

/** A place where a run waits for people; bound to one plan hash. */
export interface Gate {
  id: string;
  step: string;
  question: string;
  planHash: string;
  openedAt: string;
  deadline: string;
  /** The run that a signature names; another one after a reset or when the run continued as a new one. */
  runId: string;
  /** Whether a decision needs a signature. */
  signed: boolean;
  /** The approvals that are still missing, in words. */
  needs: string;
  /** Who has approved so far. */
  approvedBy: string[];
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
  /** What it speaks of; without it the service. */
  about?: 'service' | 'backup';
  verdict: 'pass' | 'fail' | 'unknown';
  evidence: string[];
}

/** What undo did; stands beside the first error, never instead of it. */
export interface UndoRecord {
  name: string;
  state: 'done' | 'failed';
  note: string;
  /** Paths that someone else changed meanwhile and that were left as they are. */
  drift: string[];
  /** What it took back; without it something of the service. */
  about?: 'service' | 'backup';
}

/** Rows for people, such as earlier results beside this one. */
export interface ReportTable {
  title: string;
  head: string[];
  rows: string[][];
  /** Sentences below it. */
  notes: string[];
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
  /** What came out, as data: what the procedure's contract says. */
  result?: unknown;
  /** Beside the result, for people. */
  table?: ReportTable;
  /** Guards that were overridden. */
  breakGlass?: BreakGlass;
  /** The state of the target's audit log when the run ended. */
  audit?: AuditState;
  error?: string;
}

/** Who let which guards be overridden, and why. */
export interface BreakGlass {
  by: string[];
  reason: string;
  guards: string[];
}

/** The audit log after a run. `pending`: storage did not answer; a detached child run writes the rest when it does. */
export type AuditState =
  | { state: 'signed'; checkpoint: SignedCheckpoint }
  | { state: 'unsigned'; checkpoint: Checkpoint; note: string }
  | { state: 'pending' | 'notConfigured'; note: string };

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
