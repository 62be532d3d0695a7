import { createHash } from 'node:crypto';
import { readInOrder, type ObjectStorage, type StoredObject } from '../../clients/object-storage.ts';
import type { AuditEntry, AuditEvent, Checkpoint } from '../../contracts/audit.ts';
import type { RunRef } from '../../contracts/run.ts';
import {
  auditFolder,
  bytesOf,
  emptyLog,
  entryOf,
  keyOfEntry,
  readEntry,
  sequenceOfKey,
  type Hash,
} from '../../domain/audit.ts';
import { failure } from '../failures.ts';

/** What a run hands in. */
export interface AppendRequest {
  /** Name of the target. */
  target: string;
  run: RunRef;
  /** In the order in which they happened. */
  events: AuditEvent[];
  /** What the run's last call returned: everything of this call comes after it. */
  after?: Checkpoint;
}

/** The log of one target in one call. */
interface Log {
  storage: ObjectStorage;
  target: string;
  signal: AbortSignal;
}

const sha256: Hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

/**
 * Appends what is not in the log yet, and says where the log stands then. Exactly once: an entry is only written to
 * a number when every entry before it was read, from a place that is before anything that this call wrote in any
 * attempt; two writers of one number are told apart by the store. `known` is what this worker saw last.
 * @throws AuditBroken when an entry is missing or does not fit; then nothing is written after it
 */
export async function append(
  storage: ObjectStorage,
  { target, run, events, after }: AppendRequest,
  known: Checkpoint | undefined,
  signal: AbortSignal,
): Promise<Checkpoint> {
  const log = { storage, target, signal };
  let head = after ?? (await findStart(log, known, firstOf(events)));
  await confirm(log, head);
  const pending = [...events];
  const goOn = (object: StoredObject): void => {
    const { entry, hash } = openEntry(log, head.sequence + 1, object, head);
    const [event] = pending;
    if (event?.id === entry.id) {
      expectSame(entry, entryOf(event, head, run, sha256));
      pending.shift();
    }
    head = { target, sequence: entry.sequence, head: hash };
  };
  for await (const object of objectsAfter(log, head.sequence)) goOn(object);
  for (let event = pending[0]; event !== undefined; event = pending[0]) {
    const bytes = newBytes(entryOf(event, head, run, sha256));
    const key = keyOfEntry(target, head.sequence + 1);
    if ((await storage.putOnce(key, bytes, 'application/json', signal)) === 'exists') {
      goOn(await expectObject(log, head.sequence + 1));
      continue;
    }
    head = { target, sequence: head.sequence + 1, head: sha256(bytes) };
    pending.shift();
  }
  return head;
}

/** When the first event happened; without a time that can be read, before everything. */
function firstOf(events: AuditEvent[]): number {
  return Math.min(...events.map(({ at }) => Date.parse(at) || 0));
}

/** Clocks of Temporal and of the store may differ by this much. */
const skewMilliseconds = 5 * 60 * 1000;
/** So many entries between an event and its entry are beyond any real log. */
const mostBack = 10_000;

/**
 * A place before everything that any attempt may have written of these events: the newest entry that was stored
 * before the first of them happened.
 */
async function findStart(log: Log, known: Checkpoint | undefined, happenedAt: number): Promise<Checkpoint> {
  if (known !== undefined) await confirm(log, known);
  const newest = await newestAfter(log, known?.sequence ?? 0);
  const most = Math.min(newest, mostBack);
  const keys = Array.from({ length: most }, (_, back) => keyOfEntry(log.target, newest - back));
  for await (const { key, object } of readInOrder(log.storage, keys, log.signal)) {
    const sequence = sequenceOfKey(log.target, key) ?? 0;
    if (object === undefined) throw broken(log, sequence, 'is missing');
    const { hash } = openEntry(log, sequence, object);
    const old = object.storedAt.getTime() < happenedAt - skewMilliseconds;
    if (old || newest - sequence === mostBack - 1) return { target: log.target, sequence, head: hash };
  }
  return emptyLog(log.target);
}

/** Refuses to go on from a place that is not in the log any more. @throws AuditBroken */
async function confirm(log: Log, { sequence, head }: Checkpoint): Promise<void> {
  if (sequence === 0) return;
  const { hash } = openEntry(log, sequence, await expectObject(log, sequence));
  if (hash !== head) throw broken(log, sequence, 'is another one than the one that was written');
}

/** Every entry after a number, none left out. @throws AuditBroken when one is missing */
async function* objectsAfter(log: Log, sequence: number): AsyncGenerator<StoredObject> {
  const last = await newestAfter(log, sequence);
  const keys = Array.from({ length: last - sequence }, (_, index) =>
    keyOfEntry(log.target, sequence + 1 + index),
  );
  for await (const { key, object } of readInOrder(log.storage, keys, log.signal)) {
    if (object === undefined) throw broken(log, sequenceOfKey(log.target, key) ?? 0, 'is missing');
    yield object;
  }
}

/** The highest number in the log; `sequence` itself when nothing comes after it. */
async function newestAfter({ storage, target, signal }: Log, sequence: number): Promise<number> {
  const startAfter = sequence === 0 ? undefined : keyOfEntry(target, sequence);
  let newest = sequence;
  for await (const key of storage.list(auditFolder(target), startAfter, signal))
    newest = Math.max(newest, sequenceOfKey(target, key) ?? 0);
  return newest;
}

async function expectObject(log: Log, sequence: number): Promise<StoredObject> {
  const object = await log.storage.read(keyOfEntry(log.target, sequence), log.signal);
  if (object === undefined) throw broken(log, sequence, 'is missing');
  return object;
}

/** The entry in an object; it has to be the one of that number, and to follow `before`. @throws AuditBroken */
function openEntry(
  log: Log,
  sequence: number,
  { bytes }: StoredObject,
  before?: Checkpoint,
): { entry: AuditEntry; hash: string } {
  const { entry, fault, hash } = readEntry(
    log.target,
    { key: keyOfEntry(log.target, sequence), bytes },
    sha256,
  );
  if (entry === undefined) throw broken(log, sequence, fault ?? 'holds no entry');
  if (entry.target !== log.target) throw broken(log, sequence, 'belongs to the log of another target');
  if (entry.sequence !== sequence) throw broken(log, sequence, 'lies under the number of another one');
  if (before !== undefined && entry.previous !== before.head)
    throw broken(log, sequence, 'was not written after the entry before it');
  return { entry, hash };
}

/** An event keeps its id in every attempt, and says the same in each. @throws AuditBroken */
function expectSame(there: AuditEntry, mine: AuditEntry): void {
  if (sha256(bytesOf(there)) === sha256(bytesOf(mine))) return;
  throw failure(
    'AuditBroken',
    `entry ${there.sequence} of the audit log of target ${there.target} has the id of an event of this run and tells of something else; after a reset a run has to number its events anew`,
  );
}

/** What no one could read back would break the log for everybody. @throws Internal */
function newBytes(entry: AuditEntry): Uint8Array {
  const bytes = bytesOf(entry);
  const { fault } = readEntry(entry.target, { key: keyOfEntry(entry.target, entry.sequence), bytes }, sha256);
  if (fault === undefined) return bytes;
  throw failure('Internal', `an event of kind ${entry.kind} makes no entry of the audit log: it ${fault}`);
}

function broken({ target }: Log, sequence: number, what: string): Error {
  return failure(
    'AuditBroken',
    `entry ${sequence} of the audit log of target ${target} ${what}, so nothing was written after it; look at it with: runbook audit verify --target ${target}`,
  );
}
