import type { Json } from '../../contracts/json.ts';
import { excerpt } from '../text.ts';
import { isJsonObject } from './edit.ts';

/** pino and bunyan count 50 for error and 60 for fatal. */
const leastErrorLevel = 50;

const errorWords = new Set([
  'error',
  'err',
  'fatal',
  'critical',
  'crit',
  'panic',
  'alert',
  'emerg',
  'emergency',
]);
/** `level=error`, `[ERROR]`, `ERROR:`, `E0301 12:00:00 …` of klog. */
const textLevel =
  /\b(?:level|lvl|severity)["']?\s*[=:]\s*["']?([A-Za-z]+)|(?:^|[\s[|])(ERROR|FATAL|CRITICAL|PANIC)(?=[\s\]|:])|^([EF])\d{4} \d{2}:\d{2}:\d{2}(?:\.\d+)?/;

/** What stands for anything that differs from run to run. */
const masked = '#';

const masks: readonly RegExp[] = [
  // Secrets first, so that no part of one survives as a word.
  /\bBearer\s+\S+/gi,
  /\b(password|passwd|secret|token|authorization|apikey|api_key|cookie)(["']?\s*[=:]\s*)\S+/gi,
  /[\w.+-]+@[\w-]+\.[\w.]+/g,
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi,
  /\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?/g,
  // Names of pods: <workload>-<hash>-<five>.
  /-[bcdf0-9][bcdfghjklmnpqrstvwxz0-9]{4,9}-[bcdfghjklmnpqrstvwxz0-9]{5}\b/g,
  /\b0x[0-9a-f]+\b/gi,
  /\b(?=[a-z]*\d)[0-9a-f]{8,}\b/gi,
  /\b(?=\w*\d)[A-Za-z0-9_-]{20,}={0,2}/g,
  /\d+(?:[.,:]\d+)*/g,
];

const mostMaskedCharacters = 300;

/** One kind of error line. */
export interface ErrorMessage {
  /** With numbers, ids and addresses masked. */
  message: string;
  count: number;
}

/** The error-level message of one log line, masked; undefined for every other line. JSON and plain text are read. */
export function errorMessageOf(line: string): string | undefined {
  const text = line.slice(0, 10_000);
  const record = parsed(text);
  if (record !== undefined) {
    const level = record['level'] ?? record['severity'] ?? record['lvl'];
    if (!isErrorLevel(level)) return undefined;
    const message = [record['msg'], record['message'], record['error'], record['err']].find(
      (value) => typeof value === 'string',
    );
    return mask(typeof message === 'string' ? message : errorTextOf(record));
  }
  const found = textLevel.exec(text);
  if (found === null) return undefined;
  const [whole, named] = found;
  if (named !== undefined && !errorWords.has(named.toLowerCase())) return undefined;
  return mask(text.slice(found.index + whole.length));
}

/** A message with everything masked that differs from run to run or may be private. */
export function mask(message: string): string {
  const clean = masks.reduce((text, pattern) => text.replaceAll(pattern, masked), message.slice(0, 4000));
  return excerpt(
    clean
      .replaceAll(/[\s#]*#[\s#]*/g, ` ${masked} `)
      .replaceAll(/\s+/g, ' ')
      .trim(),
    mostMaskedCharacters,
  );
}

/** Adds the errors of some lines to what is known of a log. */
export function countErrors(
  lines: Iterable<string>,
  into: Map<string, number> = new Map(),
): Map<string, number> {
  for (const line of lines) {
    const message = errorMessageOf(line);
    if (message !== undefined) into.set(message, (into.get(message) ?? 0) + 1);
  }
  return into;
}

/** Error messages that the logs of the backup do not have, most frequent first. */
export function newErrors(
  now: ReadonlyMap<string, number>,
  before: ReadonlyMap<string, number>,
): ErrorMessage[] {
  return [...now]
    .filter(([message]) => !before.has(message))
    .map(([message, count]) => ({ message, count }))
    .sort((left, right) => right.count - left.count || (left.message < right.message ? -1 : 1));
}

function parsed(line: string): Record<string, Json> | undefined {
  if (!line.trimStart().startsWith('{')) return undefined;
  try {
    const value = JSON.parse(line) as Json;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isErrorLevel(level: Json | undefined): boolean {
  if (typeof level === 'number') return level >= leastErrorLevel;
  return typeof level === 'string' && errorWords.has(level.toLowerCase());
}

/** Some loggers put the error into an object. */
function errorTextOf({ err, error }: Record<string, Json>): string {
  const inner = [err, error].find(isJsonObject)?.['message'];
  return typeof inner === 'string' ? inner : '(no message)';
}
