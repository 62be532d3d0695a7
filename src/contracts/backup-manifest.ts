import type { JsonObject } from './json.ts';
import type { RunRef } from './run-ref.ts';

/**
 * A backup lies below `backups/<target>/<backupId>/` of each location:
 * `run.json` first, then parts, indexes and logs, and last `manifest.asc`, the only commit point.
 */
export const backupFiles = {
  folder: (target: string): string => `backups/${target}/`,
  /** Who makes the backup: {@link BackupBegun}. Pruning asks Temporal about it before it removes orphans. */
  run: 'run.json',
  /** Clear-signed {@link BackupManifest}, written once. */
  manifest: 'manifest.asc',
  /** Clear-signed record of one verification, written once: `verified-<time>.asc`. */
  verified: (time: string): string => `verified-${time.replaceAll(/[-:]|\.\d+/g, '')}.asc`,
} as const;

/** Who makes a backup, and the Temporal that knows whether that run has ended. */
export interface BackupBegun {
  run: RunRef;
  /** ISO 8601 in UTC. */
  at: string;
  temporalNamespace: string;
  temporalCluster: string;
}

/** One file of a backup, as it lies in the store. */
export interface StoredFile {
  /** Below the folder of the backup. */
  name: string;
  bytes: number;
  /** Of the stored bytes, hexadecimal. */
  sha256: string;
}

/** A tar archive, gzipped, encrypted and signed: one JSON file per object. At most 8 MiB before gzip. */
export interface StoredPart extends StoredFile {
  objects: number;
  /** Bytes of the tar archive. */
  plainBytes: number;
  /** Plural names with group, such as `deployments.apps`. */
  kinds: string[];
}

/** Newline-delimited JSON, gzipped, encrypted and signed: an {@link IndexEntry} per object. */
export interface StoredIndex extends StoredFile {
  entries: number;
  plainBytes: number;
}

/** One kind, as it was read. */
export interface BackupKind {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  objects: number;
  /** The state that was read. */
  resourceVersion: string;
  /** `snapshot`: at the version of the whole backup. `own`: at a version of its own. */
  consistency: 'snapshot' | 'own';
}

/** Something that should be in the backup and is not. A backup with any is *partial*, never complete. */
export interface Missing {
  /** A kind, an API group, a log. */
  what: string;
  why: string;
}

/** What a backup holds. The file is valid only if it equals, byte for byte, its own parsed form written again. */
export interface BackupManifest {
  format: 'runbook-backup/1';
  backupId: string;
  target: string;
  namespace: string;
  profileDigest: string;
  run: RunRef;
  /** ISO 8601 in UTC. */
  startedAt: string;
  completedAt: string;
  cluster: { version: string; server: string };
  /** `snapshot`: every kind at `resourceVersion`. `perKind`: each at its own, see `kinds`. */
  consistency: 'snapshot' | 'perKind';
  resourceVersion: string;
  kinds: BackupKind[];
  objects: number;
  parts: StoredPart[];
  indexes: StoredIndex[];
  logs: StoredFile[];
  missing: Missing[];
  hooks: { name: string; when: 'before' | 'after'; outcome: string }[];
  /** Fingerprints. */
  encryptedTo: string[];
  signedBy: string;
  /** Names of the locations it was written to, with where it lies there. */
  locations: { name: string; at: string }[];
  versions: { runbook: string; node: string };
}

/** The part of an object that its stored form leaves out. */
export interface Dropped extends JsonObject {
  metadata: JsonObject;
}

/** One object in the index. */
export interface IndexEntry {
  apiVersion: string;
  kind: string;
  /** Absent of a cluster-scoped object. */
  namespace?: string;
  name: string;
  /** Name of the {@link StoredPart}. */
  part: string;
  /** Path in the part's archive. */
  path: string;
  /** Of the stored form's canonical JSON, which is the file's content, hexadecimal. */
  sha256: string;
  /**
   * What the stored form leaves out, each at its place in the object: `metadata` (uid, resourceVersion, managedFields,
   * ownerReferences …), `status`, and what Kubernetes generates of a few kinds. Put back into the stored form it gives
   * the object as it was, with every secret value that it had: never show it.
   */
  dropped: Dropped;
}

/** What one verification found, clear-signed beside the backup. */
export interface VerificationRecord {
  format: 'runbook-verification/1';
  backupId: string;
  target: string;
  location: string;
  run: RunRef;
  at: string;
  /** SHA-256 of `manifest.asc`. */
  manifestSha256: string;
  verdict: 'pass' | 'fail';
  objects: number;
  bytes: number;
  findings: string[];
}
