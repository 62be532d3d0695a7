import { inspect } from 'node:util';
import { TemporalFailure } from '@temporalio/common';
import { DefaultLogger, type LogEntry } from '@temporalio/worker';
import { excerpt } from './domain/text.ts';

/** What every line of one worker would repeat, or nobody can look up. */
const leftOut = new Set(['namespace', 'taskQueue', 'sdkComponent', 'isLocal', 'activityId', 'taskToken']);

const mostCharacters = 2000;

/** The worker's log: one line per entry on standard error. Only an error that nobody foresaw brings its stack. */
export function createWorkerLog(): DefaultLogger {
  return new DefaultLogger('INFO', (entry) => {
    process.stderr.write(`${logLine(entry)}\n`);
  });
}

/** `2026-11-28T03:00:00.000Z WARN Activity failed activityType=takeLock error="LockHeld: …"`. */
export function logLine({ timestampNanos, level, message, meta = {} }: LogEntry): string {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const fields = Object.entries(meta)
    .filter(([key, value]) => !leftOut.has(key) && value !== undefined)
    .map(([key, value]) => ` ${key}=${shown(value)}`);
  const stacks = Object.values(meta)
    .filter(isUnforeseen)
    .map(({ stack }) => `\n${stack}`);
  return `${time} ${level} ${excerpt(message, mostCharacters)}${fields.join('')}${stacks.join('')}`;
}

function shown(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(excerpt(sentenceOf(value), mostCharacters));
  const plain = excerpt(
    typeof value === 'string' ? value : inspect(value, { breakLength: Infinity }),
    mostCharacters,
  );
  return /^[\w./:-]+$/.test(plain) ? plain : JSON.stringify(plain);
}

function sentenceOf(error: Error): string {
  const { type } = error as { type?: unknown };
  return `${typeof type === 'string' ? type : error.name}: ${error.message}`;
}

function isUnforeseen(value: unknown): value is Error {
  return value instanceof Error && !(value instanceof TemporalFailure);
}
