import type { WorkloadChange } from './plan.ts';
import type { RunRef } from './run.ts';

/** Annotations of the Lease. Each holds JSON; people may read and, in need, edit them with kubectl. */
export const lockAnnotations = {
  /** {@link Holder}: who changes the target now. Absent: nobody. */
  holder: 'runbook/holder',
  /** {@link Freeze}: no changing run may begin. */
  freeze: 'runbook/freeze',
  /** {@link Leftover}: what the holder has begun to change; stays when the run died in the middle. */
  leftover: 'runbook/leftover',
} as const;

/** The run that holds a target, and where to ask whether it still runs. */
export interface Holder extends RunRef {
  since: string;
  /** A workflow id means something only in its own namespace of its own Temporal cluster. */
  temporalNamespace: string;
  temporalCluster: string;
}

/** Who froze a target, since when, and why. */
export interface Freeze {
  by: string;
  at: string;
  reason?: string;
}

/** What a run has begun to change and not yet proven or undone: enough for another run to put it back. */
export interface Leftover {
  run: RunRef;
  step: string;
  at: string;
  /** Of the plan that it carried out. */
  planHash: string;
  undo: WorkloadChange[];
}

/** The Lease at one moment; null while it does not exist. A write with a stale one is refused. */
export type LockPin = { uid: string; resourceVersion: string } | null;

/** Whether the run that a Lease names goes on, as Temporal knows it. `foreign`: another Temporal would have to be asked. */
export type HolderState = 'running' | 'closed' | 'foreign' | 'unknown';

/** A target's lock as a run sees it before it takes it. */
export interface LockView {
  /** Absent: nobody holds it. */
  holder?: Holder & { state: HolderState; step?: string };
  /** The asking run or its root holds it; what is frozen for others goes on. */
  own: boolean;
  freeze?: Freeze;
  /** Only when the run that left it is closed, or is the asking run in an earlier life (before a reset). */
  leftover?: Leftover;
}

/** The lock, ready to be taken. */
export interface FreeLock {
  pin: LockPin;
  /** The root run, when that holds the lock: then this run neither takes nor releases it. */
  inheritedFrom?: { workflowId: string; firstRunId: string };
  /** What a run that is closed, or this one before a reset, left half done. */
  leftover?: Leftover;
  /** One sentence: free, taken over from whom, inherited from whom. */
  sentence: string;
}

/** The lock is not free yet; the sentence says why. */
export interface LockWait {
  waitsFor: string;
}
