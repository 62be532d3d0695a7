import type { z } from 'zod';
import { excerpt } from './text.ts';

/** The outcome of reading an input: the request, or every fault in one text with an example that would work. */
export type ReadResult<T> = { ok: true; request: T } | { ok: false; message: string };

const mostFaults = 10;

interface Limit {
  origin: string;
  minimum?: number | bigint;
  maximum?: number | bigint;
}

/**
 * Reads what a person typed as the input of a procedure. An empty input counts as `{}`.
 * Never echoes values, only paths and expectations, so that a megabyte of junk gives a short answer.
 */
export function readRequest<T>(
  procedure: string,
  schema: z.ZodType<T>,
  input: unknown,
  example: T,
): ReadResult<T> {
  const help = `An input that works: ${JSON.stringify(example)}`;
  const candidate = input ?? {};
  if (typeof candidate !== 'object' || Array.isArray(candidate)) {
    return {
      ok: false,
      message: `${procedure}: the input must be one JSON object, not ${nameType(candidate)}. ${help}`,
    };
  }
  const parsed = schema.safeParse(candidate);
  if (parsed.success) return { ok: true, request: parsed.data };
  const faults = describeIssues(parsed.error);
  return {
    ok: false,
    message: `${procedure}: ${countFaults(faults.length)} in the input: ${listFaults(faults)}. ${help}`,
  };
}

/** Every fault of a zod error as "path: what is expected", without the offending values. */
export function describeIssues(error: z.ZodError): string[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.length === 0 ? '' : `${excerpt(issue.path.map(String).join('.'))}: `;
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `${path}unknown field "${excerpt(key)}"`);
    if (issue.code === 'invalid_type')
      return [`${path}must be ${withArticle(issue.expected)}${given(issue.message)}`];
    if (issue.code === 'too_big') return [`${path}must be at most ${String(issue.maximum)}${unit(issue)}`];
    if (issue.code === 'too_small') return [`${path}must be at least ${String(issue.minimum)}${unit(issue)}`];
    if (issue.code === 'invalid_value')
      return [`${path}must be one of ${issue.values.map(String).join(', ')}`];
    if (issue.code === 'invalid_key') return issue.issues.map((fault) => `${path}this name ${fault.message}`);
    return [`${path}${issue.message}`];
  });
}

/** What was given instead; zod's own message is the only place that still names its type. */
function given(message: string): string {
  const received = /received ([A-Za-z]+)$/.exec(message)?.[1];
  if (received === undefined) return '';
  if (received === 'undefined') return '; it is missing';
  if (received === 'array') return ', not a list';
  if (received === 'number' && message.includes('expected int')) return '';
  return received === 'null' ? ', not null' : `, not ${withArticle(received)}`;
}

/** Faults as one text; the first ten of them, and how many more there are. */
export function listFaults(faults: string[]): string {
  const shown = faults.slice(0, mostFaults).join('; ');
  return faults.length > mostFaults ? `${shown}; and ${faults.length - mostFaults} more` : shown;
}

function countFaults(count: number): string {
  return count === 1 ? 'one fault' : `${count} faults`;
}

function nameType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return withArticle(typeof value);
}

function withArticle(type: string): string {
  if (type === 'boolean') return 'true or false';
  if (type === 'record') return 'an object';
  if (type === 'int') return 'a whole number';
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function unit({ origin, minimum, maximum }: Limit): string {
  const one = (minimum ?? maximum) === 1 ? '' : 's';
  if (origin === 'string') return ` character${one} long`;
  return origin === 'array' ? ` item${one}` : '';
}
