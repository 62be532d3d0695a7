import { z } from 'zod';
import {
  auditKinds,
  type AuditEntry,
  type AuditEvent,
  type Checkpoint,
  type SignedCheckpoint,
} from '../contracts/audit.ts';
import type { Json } from '../contracts/json.ts';
import type { RunRef } from '../contracts/run.ts';
import { canonicalJson } from './plan/canonical-json.ts';
import { excerpt } from './text.ts';

/** SHA-256 as lower-case hex; handed in, because pure code has no crypto. */
export type Hash = (bytes: Uint8Array) => string;

/** What stands for the entry before the first one. */
const nothing = '0'.repeat(64);

/** The state of a log without entries. */
export function emptyLog(target: string): Checkpoint {
  return { target, sequence: 0, head: nothing };
}

/** Every object of the log of a target begins with this. */
export function auditFolder(target: string): string {
  return `audit/${target}/`;
}

/** Where an entry lies. Twelve digits, so that a store lists them in their order. */
export function keyOfEntry(target: string, sequence: number): string {
  return `${auditFolder(target)}${String(sequence).padStart(12, '0')}.json`;
}

/** The number in the name of an entry; undefined for a name that no entry has. */
export function sequenceOfKey(target: string, key: string): number | undefined {
  const folder = auditFolder(target);
  if (!key.startsWith(folder)) return undefined;
  const digits = /^(\d{12})\.json$/.exec(key.slice(folder.length))?.[1];
  const sequence = Number(digits ?? 0);
  return sequence === 0 ? undefined : sequence;
}

const mostDataBytes = 16 * 1024;
const mostSentence = 2000;
/** An entry is never near it; a larger object is none of ours. */
const mostEntryBytes = 64 * 1024;

/** The entry that an event becomes right after `before`. Same event, same place: same bytes. */
export function entryOf(event: AuditEvent, before: Checkpoint, run: RunRef, hash: Hash): AuditEntry {
  const { id, at, kind, who, sentence, planHash, data } = event;
  return {
    version: 'audit/1',
    target: before.target,
    sequence: before.sequence + 1,
    previous: before.head,
    run: { workflowId: run.workflowId, firstRunId: run.firstRunId, procedure: run.procedure },
    procedure: run.procedure,
    id,
    at,
    kind,
    sentence: excerpt(sentence, mostSentence),
    ...(who === undefined ? {} : { who: excerpt(who, 200) }),
    ...(planHash === undefined ? {} : { planHash }),
    ...(data === undefined ? {} : { data: boundedData(data, hash) }),
  };
}

/** As plain JSON reads it back, or the bytes could not be canonical; what is too large is named by its hash. */
function boundedData(data: Json, hash: Hash): Json {
  const plain = JSON.parse(JSON.stringify(data)) as Json;
  const bytes = encode(canonicalJson(plain));
  if (bytes.length <= mostDataBytes) return plain;
  return { tooLarge: { bytes: bytes.length, sha256: hash(bytes) } };
}

/** The canonical bytes (RFC 8785) of an entry: what is stored, and what is hashed. */
export function bytesOf(entry: AuditEntry): Uint8Array {
  return encode(canonicalJson(entry));
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const word = z.string().min(1).max(1000);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const sequence = z.number().int().min(1).max(999_999_999_999);
const entrySchema = z.strictObject({
  version: z.literal('audit/1'),
  target: word,
  sequence,
  previous: digest,
  run: z.strictObject({ workflowId: word, firstRunId: word, procedure: word }),
  procedure: word,
  id: word,
  at: z.string().min(1).max(100),
  kind: z.enum(auditKinds),
  who: z.string().max(1000).optional(),
  sentence: z.string().max(mostSentence),
  planHash: z.string().max(200).optional(),
  data: z.unknown().optional(),
});

/** One object of a log, as it was read. */
export interface AuditFile {
  key: string;
  bytes: Uint8Array;
}

/** An object and what it holds: either an entry, or the fault that makes it none. */
export interface ReadEntry {
  key: string;
  /** From its name; undefined: no entry is named like that. */
  number?: number;
  hash: string;
  entry?: AuditEntry;
  /** The end of a sentence that begins with what was read. */
  fault?: string;
}

/** Reads one object of the log of a target. Anyone may have written it, so nothing in it is taken for granted. */
export function readEntry(target: string, { key, bytes }: AuditFile, hash: Hash): ReadEntry {
  const number = sequenceOfKey(target, key);
  const read = { key, hash: hash(bytes), ...(number === undefined ? {} : { number }) };
  const content = parseEntry(bytes);
  return typeof content === 'string' ? { ...read, fault: content } : { ...read, entry: content };
}

function parseEntry(bytes: Uint8Array): AuditEntry | string {
  if (bytes.length > mostEntryBytes) return `is larger than any entry (${bytes.length} bytes)`;
  try {
    // A byte order mark has to stay, and broken UTF-8 must not become something else: both change the bytes.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    // What is checked and handed on is the value itself: a schema's copy of it may leave out strange names in `data`.
    const value = JSON.parse(text) as AuditEntry;
    if (!entrySchema.safeParse(value).success) return 'is JSON, but not an entry of an audit log';
    return canonicalJson(value) === text ? value : 'is not written in the canonical form of an entry';
  } catch {
    return 'is not JSON';
  }
}

/** What is kept of an entry while the whole chain is checked; a {@link ReadEntry} is one. */
export interface ChainPart {
  key: string;
  number?: number;
  hash: string;
  entry?: Pick<AuditEntry, 'target' | 'sequence' | 'previous' | 'id'>;
  fault?: string;
}

/** Something that should not be in the log of a target, or should be and is not. */
export interface AuditFinding {
  kind: 'removed' | 'altered' | 'reordered' | 'inserted' | 'foreign' | 'repeated';
  /** Of the first entry that it is about; missing when only an object can be named. */
  sequence?: number;
  /** Of the last one, when they are several. */
  last?: number;
  sentence: string;
}

/** What the entries alone can tell. */
export interface ChainReport {
  findings: AuditFinding[];
  /** The last entry that is there. Whether others came after it, only a checkpoint can tell. */
  newest?: Checkpoint;
  /** The hash of each entry that is there. */
  heads: ReadonlyMap<number, string>;
}

/**
 * Checks a whole log: numbers, links, names, ids. What it cannot find: an altered *last* entry, a cut tail, valid
 * entries that someone put at the end, and a log that was written anew from some entry to its end. All but the third
 * are found with a checkpoint, see {@link compareWithCheckpoint}.
 */
export function verifyChain(target: string, parts: ChainPart[]): ChainReport {
  const files = parts
    .flatMap((part) => fileOf(target, part))
    .sort((left, right) => left.number - right.number);
  const { held, inserted } = chooseHolders(files);
  const sequences = [...held.keys()].sort((left, right) => left - right);
  const last = sequences.at(-1);
  const heads = new Map([...held].map(([at, { hash }]) => [at, hash]));
  const findings = [
    ...findStrays(parts),
    ...findUnreadable(target, files),
    ...inserted.map(asInserted),
    ...findRemoved(sequences),
    ...findAltered(held, sequences),
    ...findReordered(files.filter((file) => !inserted.includes(file))),
    ...findRepeated(held, sequences),
  ];
  return {
    findings: findings.sort((left, right) => (left.sequence ?? 0) - (right.sequence ?? 0)),
    heads,
    ...(last === undefined ? {} : { newest: { target, sequence: last, head: heads.get(last) ?? '' } }),
  };
}

/** A part whose name is right; `entry` only when it is one of this log. */
type File = ChainPart & { number: number };

function fileOf(target: string, { key, number, hash, entry, fault }: ChainPart): File[] {
  if (number === undefined) return [];
  if (fault !== undefined || entry === undefined)
    return [{ key, number, hash, fault: fault ?? 'holds no entry' }];
  if (entry.target !== target)
    return [{ key, number, hash, fault: `belongs to the log of target ${excerpt(entry.target)}` }];
  return [{ key, number, hash, entry }];
}

/** An unreadable file stands where its name says. */
function placeOf({ number, entry }: File): number {
  return entry?.sequence ?? number;
}

/** Which file is which entry. Of several the one that the next entry was written after; the others were put there. */
function chooseHolders(files: File[]): { held: Map<number, File>; inserted: File[] } {
  const groups = Map.groupBy(files, placeOf);
  const inserted: File[] = [];
  const held = new Map<number, File>();
  for (const [at, group] of groups) {
    const followed = new Set((groups.get(at + 1) ?? []).map(({ entry }) => entry?.previous));
    const rank = (file: File): number =>
      (followed.has(file.hash) ? 4 : 0) + (file.entry === undefined ? 0 : 2) + (file.number === at ? 1 : 0);
    const [first, ...others] = group.toSorted((left, right) => rank(right) - rank(left));
    if (first !== undefined) held.set(at, first);
    inserted.push(...others);
  }
  return { held, inserted };
}

function findStrays(parts: ChainPart[]): AuditFinding[] {
  return parts.flatMap(({ key, number }) =>
    number === undefined
      ? [{ kind: 'inserted', sentence: `${excerpt(key, 200)} was put there: no entry has such a name` }]
      : [],
  );
}

function findUnreadable(target: string, files: File[]): AuditFinding[] {
  return files.flatMap(({ number, fault }) => {
    if (fault === undefined) return [];
    const foreign = fault.startsWith('belongs');
    return [
      foreign
        ? {
            kind: 'foreign',
            sequence: number,
            sentence: `entry ${number} ${fault}, not to that of ${target}`,
          }
        : { kind: 'altered', sequence: number, sentence: `entry ${number} was altered: it ${fault}` },
    ];
  });
}

function asInserted(file: File): AuditFinding {
  const { number, entry } = file;
  const what =
    entry === undefined || entry.sequence === number
      ? `it says that it is entry ${placeOf(file)}, and so does another one`
      : `it holds entry ${entry.sequence}, which is there without it`;
  return { kind: 'inserted', sequence: number, sentence: `file ${number} was put there: ${what}` };
}

/** Numbers that no file holds. By gaps and not one by one: a forged number may be very large. */
function findRemoved(sequences: number[]): AuditFinding[] {
  return sequences.flatMap((at, index) => {
    const [first, last] = [(sequences[index - 1] ?? 0) + 1, at - 1];
    if (first > last) return [];
    return first === last
      ? [{ kind: 'removed', sequence: first, sentence: `entry ${first} was removed` }]
      : [{ kind: 'removed', sequence: first, last, sentence: `entries ${first} to ${last} were removed` }];
  });
}

/** An entry whose hash is not the one that its successor was written after. */
function findAltered(held: Map<number, File>, sequences: number[]): AuditFinding[] {
  const findings: AuditFinding[] = [];
  const explained = new Set<number>();
  for (const at of sequences) {
    if (linkTo(held, at) !== 'broken' || explained.has(at)) continue;
    const before = held.get(at - 1);
    // It is named already for what it holds.
    if (before?.fault !== undefined) continue;
    const next = linkTo(held, at + 1);
    if (next === 'broken' || before === undefined) {
      explained.add(at + 1);
      findings.push(altered(at, `entry ${at} was altered: it does not fit what stands around it`));
    } else if (next === 'unknown') {
      const sentence = `entry ${at - 1} or entry ${at} was altered: ${at} was not written after this ${at - 1}`;
      findings.push({ ...altered(at - 1, sentence), last: at });
    } else {
      findings.push(
        altered(at - 1, `entry ${at - 1} was altered: entry ${at} was written after another one`),
      );
    }
  }
  return findings;
}

function altered(at: number, sentence: string): AuditFinding {
  return { kind: 'altered', sequence: at, sentence };
}

/** Whether an entry was written after the one that stands before it. */
function linkTo(held: Map<number, File>, at: number): 'good' | 'broken' | 'unknown' {
  const { entry } = held.get(at) ?? {};
  const before = at === 1 ? nothing : held.get(at - 1)?.hash;
  if (entry === undefined || before === undefined) return 'unknown';
  return entry.previous === before ? 'good' : 'broken';
}

/** Entries that lie under another number than their own; a run of them that moved together is one finding. */
function findReordered(files: File[]): AuditFinding[] {
  const runs: { first: File; last: File; by: number }[] = [];
  for (const file of files) {
    const by = placeOf(file) - file.number;
    const run = runs.at(-1);
    if (run?.by === by && run.last.number === file.number - 1) run.last = file;
    else runs.push({ first: file, last: file, by });
  }
  return runs.flatMap(({ first, last, by }) => {
    if (by === 0) return [];
    const one = first === last;
    const sentence = one
      ? `file ${first.number} holds entry ${placeOf(first)}`
      : `files ${first.number} to ${last.number} hold entries ${placeOf(first)} to ${placeOf(last)}`;
    const ends = one ? {} : { last: last.number };
    return [{ kind: 'reordered', sequence: first.number, ...ends, sentence }];
  });
}

/** Every event has one entry; a second one tells of a worker that wrote twice, or of somebody else. */
function findRepeated(held: Map<number, File>, sequences: number[]): AuditFinding[] {
  const seen = new Map<string, number>();
  return sequences.flatMap((at) => {
    const id = held.get(at)?.entry?.id;
    if (id === undefined) return [];
    const former = seen.get(id);
    if (former === undefined) seen.set(id, at);
    return former === undefined
      ? []
      : [
          {
            kind: 'repeated',
            sequence: at,
            sentence: `entry ${at} tells of the same event as entry ${former}`,
          },
        ];
  });
}

/** What a checkpoint says about a log that was read. */
export interface Comparison {
  verdict: 'ok' | 'cutTail' | 'otherHistory';
  sentence: string;
}

/** Whether a log still begins with what was there at a checkpoint. Entries after it are as good as their links. */
export function compareWithCheckpoint(report: ChainReport, { sequence, head }: Checkpoint): Comparison {
  const newest = report.newest?.sequence ?? 0;
  if (newest < sequence) {
    const which = newest + 1 === sequence ? `entry ${sequence}` : `entries ${newest + 1} to ${sequence}`;
    return { verdict: 'cutTail', sentence: `the tail was cut: ${which} of the checkpoint are gone` };
  }
  if (report.heads.get(sequence) !== head)
    return {
      verdict: 'otherHistory',
      sentence: `entry ${sequence} is not the one of the checkpoint: it was altered, or the log was written anew up to it`,
    };
  return { verdict: 'ok', sentence: `no tail was cut: entry ${sequence} is the one of the checkpoint` };
}

/** What is signed: one line without an end of line. */
export function checkpointStatement({
  target,
  sequence,
  head,
  at,
}: Pick<SignedCheckpoint, 'target' | 'sequence' | 'head' | 'at'>): string {
  return canonicalJson({ version: 'checkpoint/1', target, sequence, head, at });
}

const checkpointSchema = z.object({ target: word, sequence, head: digest });
const signedSchema = checkpointSchema.extend({
  at: z.string().min(1).max(100),
  fingerprint: z.string().regex(/^[0-9A-F]{40,64}$/),
  signature: z.string().min(1).max(20_000),
});
const reportSchema = z.object({ audit: z.object({ checkpoint: z.unknown() }) });

/**
 * A checkpoint as its file or its Lease has it, or the one of a report or a run's result (`audit.checkpoint`);
 * undefined when there is none. Nothing is verified.
 */
export function readCheckpoint(value: unknown): SignedCheckpoint | Checkpoint | undefined {
  const report = reportSchema.safeParse(value);
  const given = report.success ? report.data.audit.checkpoint : value;
  const signed = signedSchema.safeParse(given);
  return signed.success ? signed.data : checkpointSchema.safeParse(given).data;
}
