import type { BackupRef } from './recovery.ts';
import type { Proof } from './run.ts';

/** A namespace that one drill has for itself. */
export interface Scratch {
  name: string;
  target: string;
  run: { workflowId: string; firstRunId: string };
  /** When the drill began, ISO 8601 in UTC. */
  startedAt: string;
}

/** Times of one drill; ISO 8601 in UTC, undefined when the drill did not get there. */
export interface DrillTimes {
  /** When the drill began: the moment of the disaster. */
  startedAt: string;
  /** When the backup was begun: what happened later would be lost. */
  backupStartedAt: string | undefined;
  restoreStartedAt: string | undefined;
  provenAt: string | undefined;
}

/** What one drill came to; kept for the trend. */
export interface DrillResult {
  version: 'drill/1';
  target: string;
  id: string;
  startedAt: string;
  verdict: 'pass' | 'fail';
  backupId: string;
  /** Whole seconds; null when it could not be measured. */
  recoverySeconds: number | null;
  rtoSeconds: number;
  dataLossSeconds: number | null;
  rpoSeconds: number;
  objects: number;
  /** Sentences on what was not proven. */
  findings: string[];
}

/** What a drill has found out before it is concluded. */
export interface DrillFindings {
  times: DrillTimes;
  backup: BackupRef;
  objects: number;
  proofs: Proof[];
}

/** Where a drill's result was kept, and the ones before it, oldest first. */
export interface DrillConclusion {
  result: DrillResult;
  trend: DrillResult[];
  at: string;
  picture: string;
}
