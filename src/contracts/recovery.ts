import type { Json } from './json.ts';
import type { Plan } from './plan.ts';

/**
 * What becomes of one object of a backup. `conflict`: another object of that name exists and stays as it is.
 * `blocked`: it should be restored and must not or cannot be. `leftOut`: it is not meant to be restored.
 */
export type Verdict = 'create' | 'update' | 'unchanged' | 'conflict' | 'blocked' | 'leftOut';

/** What to do with an object that exists and differs. `replace` deletes it where the server refuses an update. */
export type ConflictPolicy = 'skip' | 'update' | 'replace';

/** One value that an update would change. */
export interface RestoreChange {
  path: string;
  before?: Json;
  after?: Json;
  /** Both values may be secret: only that they differ is said. */
  hidden?: true;
}

/** What a recovery would do with one object, and why. Named as it will be called, in the namespace it goes to. */
export interface ObjectVerdict {
  apiVersion: string;
  kind: string;
  /** Absent of a cluster-scoped object. */
  namespace?: string;
  name: string;
  verdict: Verdict;
  write?: 'create' | 'update' | 'replace';
  because: string;
  /** Of the object that exists; null when there is none. */
  uid: string | null;
  changes?: RestoreChange[];
}

/** A backup, as a recovery agreed to use it. */
export interface BackupRef {
  location: string;
  backupId: string;
  /** SHA-256 of its manifest, which vouches for everything in it: another one is another backup. */
  manifestSha256: string;
  /** The namespace that was backed up. */
  from: string;
  /** When it was complete, ISO 8601 in UTC. */
  completedAt: string;
  serverVersion: string;
  /** Whether something was missing when it was made. */
  partial: boolean;
}

/** What is restored, where, and how. */
export interface RestoreOptions {
  purpose: 'recover' | 'drill';
  into: string;
  only?: { kinds?: string[]; names?: string[]; labels?: Record<string, string> };
  onConflict: ConflictPolicy;
  /** By kind: `ConfigMap`, `Deployment.apps`. */
  onConflictOf: Record<string, ConflictPolicy>;
  allowEmptyClaims: boolean;
  clusterScoped: boolean;
  /** Of a drill: what the profile lets into it. */
  drill?: {
    customResources: string[];
    pullSecrets: 'empty' | 'keep';
    /** By Secret and key, what stands for the value. */
    dummies: Record<string, Record<string, string>>;
  };
}

/** What is planned, and by which run. */
export interface PlanRequest {
  backup: BackupRef;
  options: RestoreOptions;
  /** Names the folder of the run's files. */
  firstRunId: string;
}

/** A file that a run stored beside the backups. */
export interface StoredDetails {
  key: string;
  sha256: string;
}

/** One object of a stored plan. */
export interface PlannedObject {
  verdict: ObjectVerdict;
  /** Its place in the order of the restore. */
  position: number;
  /** Where it lies in the backup. */
  part: string;
  path: string;
  /** The state that an update or replacement was planned from. */
  resourceVersion?: string;
  generation?: number;
  /** A claim that keeps the volume that it names. */
  keepsVolume?: true;
  /** It has owners that may come later: it is tied to them at the end. */
  tie?: true;
  /** Services that have to answer before it is written. */
  backends?: { namespace: string; name: string }[];
}

/** A group of the order with something to write. */
export interface PlannedGroup {
  position: number;
  name: string;
  writes: number;
}

/** What a recovery would do. The plan of each object lies in storage; `changes` has the writes, or their kinds if many. */
export interface RecoveryPlan extends Plan {
  backup: BackupRef;
  options: RestoreOptions;
  stored: StoredDetails;
  groups: PlannedGroup[];
  /** Objects with owners that are tied to them at the end. */
  ties: number;
  counts: Record<Verdict, number>;
}

/** What came out of restoring one group. */
export interface GroupOutcome {
  /** Created, updated or replaced by this run. */
  written: number;
  /** Found as they should be. */
  same: number;
  troubles: number;
  /** The first of them, each a sentence. */
  first: string[];
}
