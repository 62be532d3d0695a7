import type { Json } from './json.ts';
import type { RunRef } from './run-ref.ts';

/** What an entry tells of. */
export const auditKinds = [
  'gate',
  'decision',
  'guard',
  'override',
  'lock',
  'change',
  'undo',
  'control',
  'outcome',
] as const;

/** What happened, as the run tells it. */
export interface AuditEvent {
  /** Unique within the log and the same at every attempt: `<runId>/<n>`. A reset run has a run id of its own. */
  id: string;
  /** When it happened, ISO 8601 in UTC; nothing of it is in the log before. */
  at: string;
  kind: (typeof auditKinds)[number];
  /** Who did it: a person as they named themselves, or as their signature proved. */
  who?: string;
  /** One sentence for a person. Kept up to 2000 characters. */
  sentence: string;
  planHash?: string;
  /** Kept up to 16 KiB; of more only size and SHA-256 are kept. */
  data?: Json;
}

/** One event in the log of a target, written once and never again. */
export interface AuditEntry extends AuditEvent {
  version: 'audit/1';
  target: string;
  /** 1 for the first entry; also the name of the object. */
  sequence: number;
  /** SHA-256 (hex) of the bytes of the entry before this one; 64 zeros for the first. */
  previous: string;
  run: RunRef;
  procedure: string;
}

/** The state of a log at one moment. Whoever has it can tell later whether that beginning of the log is still there. */
export interface Checkpoint {
  target: string;
  sequence: number;
  /** SHA-256 (hex) of the bytes of the entry with that number. */
  head: string;
}

/** A checkpoint that a worker signed. */
export interface SignedCheckpoint extends Checkpoint {
  /** ISO 8601 in UTC. */
  at: string;
  /** Of the primary key, upper-case hex. */
  fingerprint: string;
  /** Detached OpenPGP signature over the canonical statement, one line of base64. */
  signature: string;
}

/** Object names, all in the namespace `runbooks` of the target's cluster. */
export const auditNames = {
  /** Secret with `private.asc`, `public.asc` and, where the key has one, `passphrase`. */
  keySecret: 'runbook-audit-key',
  /** ConfigMap with `public.asc`, for auditors. */
  publicKey: 'runbook-audit-public-key',
  /** Annotation of a target's Lease: its newest {@link SignedCheckpoint}. */
  checkpoint: 'runbook/audit-checkpoint',
} as const;
