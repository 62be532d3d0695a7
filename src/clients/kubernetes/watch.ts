import { setTimeout as sleep } from 'node:timers/promises';
import type { Json, JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { KubernetesError, errorFromStatus, invalidResponse } from './errors.ts';
import { isExpired, type ObjectList } from './list.ts';
import { isJsonObject, metadataOf, parseAnswer, toObject, type ObjectType } from './objects.ts';
import { readLines } from './watch-stream.ts';

/**
 * What a watch reports. `SYNC` carries everything that exists: the consumer replaces its state by it.
 * It comes first (unless the watch began at a resourceVersion) and again whenever changes may have
 * been missed, so a deletion may show only as an absence in it.
 */
export type WatchEvent =
  | { type: 'SYNC'; items: KubernetesObject[]; resourceVersion: string }
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: KubernetesObject };

/** How to watch. */
export interface WatchOptions {
  /** Ends the watch within milliseconds; the iteration then throws this signal's reason. */
  signal: AbortSignal;
  /** Begin with the changes after this version instead of with a `SYNC`. */
  resourceVersion?: string;
  /** Seconds without a byte after which the connection counts as dead, 30 if not given. */
  silenceSeconds?: number;
}

/** What a watch needs from the gateway; each is one request. */
export interface WatchSource {
  operation: string;
  type: ObjectType;
  list(signal: AbortSignal): Promise<ObjectList>;
  /** Opens the stream of changes after a version. */
  open(resourceVersion: string, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
}

const DEFAULT_SILENCE_SECONDS = 30;

/** Between failed connections: 0.1 s at first, doubled up to 5 s. A rollout is waiting, so not longer. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** A Retry-After is obeyed up to here: beyond, the watch would be blind for longer than a rollout lasts. */
const LONGEST_ASKED_PAUSE_MS = 60_000;

/**
 * Lists, then watches, for as long as the signal allows: after a disconnect or silence it goes on from
 * the last version seen, after 410 it lists again and reports a new `SYNC`.
 *
 * @throws {@link KubernetesError} only for errors that trying again cannot mend (400, 401, 403, 404, 422,
 * invalid input); the signal's reason when it aborts.
 */
export async function* watch(
  source: WatchSource,
  options: WatchOptions,
): AsyncGenerator<WatchEvent, never, undefined> {
  const { signal, silenceSeconds = DEFAULT_SILENCE_SECONDS } = options;
  let version = options.resourceVersion;
  let failures = 0;
  for (;;) {
    try {
      if (version === undefined) {
        const { items, resourceVersion } = await source.list(signal);
        version = resourceVersion;
        yield { type: 'SYNC', items, resourceVersion };
      }
      for await (const change of changes(source, version, silenceSeconds, signal)) {
        version = change.resourceVersion;
        failures = 0;
        if (change.type !== 'BOOKMARK') yield { type: change.type, object: change.object };
      }
    } catch (error) {
      if (isExpired(error)) version = undefined;
      await pauseOrThrow(error, failures, signal);
      failures += 1;
    }
  }
}

type Change =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; resourceVersion: string; object: KubernetesObject }
  | { type: 'BOOKMARK'; resourceVersion: string };

/** One connection's changes; ends by an error, since a stream that ends without a change counts as failed. */
async function* changes(
  source: WatchSource,
  version: string,
  silenceSeconds: number,
  signal: AbortSignal,
): AsyncGenerator<Change, void, undefined> {
  let count = 0;
  const stream = (inner: AbortSignal): Promise<AsyncIterable<Buffer>> => source.open(version, inner);
  for await (const line of readLines(source.operation, stream, silenceSeconds, signal)) {
    yield toChange(source, line);
    count += 1;
  }
  if (count === 0) throw new EmptyStream();
}

/** The server closed the stream before any change: normal after its time limit, but never in a tight loop. */
class EmptyStream extends Error {}

function toChange({ operation, type }: WatchSource, line: string): Change {
  const event = parseAnswer(operation, line);
  const eventType = event['type'];
  const object = event['object'];
  if (!isJsonObject(object)) throw invalidResponse(operation, 'a watch event has no object');
  if (eventType === 'ERROR') throw errorFromStatus(operation, object, statusCode(object['code']));
  const resourceVersion = versionOf(operation, object);
  if (eventType === 'BOOKMARK') return { type: eventType, resourceVersion };
  if (eventType === 'ADDED' || eventType === 'MODIFIED' || eventType === 'DELETED') {
    return { type: eventType, resourceVersion, object: toObject(operation, object, type) };
  }
  throw invalidResponse(operation, 'a watch event has an unknown type');
}

function versionOf(operation: string, object: JsonObject): string {
  const version = metadataOf(object)['resourceVersion'];
  if (typeof version === 'string' && version !== '') return version;
  throw invalidResponse(operation, 'a watch event has no resourceVersion');
}

function statusCode(code: Json | undefined): number {
  return typeof code === 'number' ? code : 500;
}

/** Waits before the next connection, with jitter so that many workers do not come back at once. */
async function pauseOrThrow(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw signal.reason;
  if (!(error instanceof EmptyStream) && !(error instanceof KubernetesError && error.retryable)) throw error;
  const asked = error instanceof KubernetesError ? (error.retryAfterSeconds ?? 0) * 1000 : 0;
  const atMost = Math.min(asked, LONGEST_ASKED_PAUSE_MS);
  const backoff = Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS);
  const pause = Math.max(atMost, backoff * (0.5 + Math.random() / 2));
  await sleep(pause, undefined, { signal }).catch(() => {
    throw signal.reason;
  });
}
