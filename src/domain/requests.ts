import type { z } from 'zod';

/** The outcome of reading an input: the request, or every fault in one text with an example that would work. */
export type ReadResult<T> = { ok: true; request: T } | { ok: false; message: string };

const mostFaults = 10;

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
    const path = issue.path.length === 0 ? '' : `${clip(issue.path.map(String).join('.'))}: `;
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => `${path}unknown field "${clip(key)}"`);
    if (issue.code === 'invalid_type')
      return [`${path}must be ${withArticle(issue.expected)}${given(issue.input)}`];
    if (issue.code === 'too_big')
      return [`${path}must be at most ${String(issue.maximum)}${unit(issue.origin)}`];
    if (issue.code === 'too_small')
      return [`${path}must be at least ${String(issue.minimum)}${unit(issue.origin)}`];
    if (issue.code === 'invalid_value')
      return [`${path}must be one of ${issue.values.map(String).join(', ')}`];
    return [`${path}${issue.message}`];
  });
}

function given(input: unknown): string {
  return input === undefined ? '' : `, not ${nameType(input)}`;
}

function listFaults(faults: string[]): string {
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
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function unit(origin: string): string {
  return origin === 'string' ? ' characters long' : '';
}

function clip(text: string): string {
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}
