import type { AuditEntry } from '../../contracts/audit.ts';
import { oneLine } from '../../domain/text.ts';
import { UsageError } from '../exit-codes.ts';

/** Which entries to show; what is missing allows everything. */
export interface Wanted {
  person?: string;
  procedure?: string;
  since?: string;
  until?: string;
}

/** A test for entries. Names have to be exactly the same. @throws UsageError for a time that cannot be read */
export function filterFor({ person, procedure, since, until }: Wanted): (entry: AuditEntry) => boolean {
  const from = timeOf(since, '--since') ?? -Infinity;
  const to = timeOf(until, '--until') ?? Infinity;
  return (entry) => {
    const at = Date.parse(entry.at);
    return (
      (person === undefined || entry.who === person) &&
      (procedure === undefined || entry.procedure === procedure) &&
      // Negated, so that an entry without a time that can be read is not left out.
      !(at < from || at > to)
    );
  };
}

function timeOf(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(time)) throw new UsageError(`${option} takes a time like 2026-11-24T03:00:00Z`);
  return time;
}

/** An entry as one line for a terminal. */
export function lineOf({ sequence, at, kind, who, procedure, run, sentence }: AuditEntry): string {
  return oneLine([sequence, at, kind, who ?? '-', `${procedure} ${run.workflowId}`, sentence].join('  '));
}

/** JSON in which no character can move a cursor or reorder text; a parser reads the same values. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
