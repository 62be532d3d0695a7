import type { Json } from './json.ts';

/**
 * What becomes of one object of a backup. `conflict`: another object of that name exists and stays as it is.
 * `blocked`: it should be restored and must not or cannot be. `leftOut`: it is not meant to be restored.
 */
export type Verdict = 'create' | 'update' | 'unchanged' | 'conflict' | 'blocked' | 'leftOut';

/** What to do with an object that exists and differs. `replace` deletes it and makes it anew. */
export type ConflictPolicy = 'skip' | 'update' | 'replace';

/** How a verdict is carried out. */
export type RestoreWrite = 'create' | 'update' | 'replace';

/** Names one object of a backup. */
export interface BackedUp {
  apiVersion: string;
  kind: string;
  /** Absent of a cluster-scoped object. */
  namespace?: string;
  name: string;
}

/** One value that an update would change; the values of Secrets are left out. */
export interface RestoreChange {
  path: string;
  before?: Json;
  after?: Json;
  /** Both values are secret: only that they differ is said. */
  hidden?: true;
}

/** What a recovery would do with one object, and why. Named as it will be called, in the namespace it goes to. */
export interface ObjectVerdict extends BackedUp {
  verdict: Verdict;
  write?: RestoreWrite;
  because: string;
  /** Of the object that exists; null when there is none. */
  uid: string | null;
  changes?: RestoreChange[];
}
