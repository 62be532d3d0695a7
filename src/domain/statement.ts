import type { StatementFields } from '../contracts/approval.ts';

/**
 * What would not survive a terminal, a shell's quotes, JSON or the Temporal UI, or would look like something else:
 * control characters, line breaks, marks that reorder text, quotes, backslashes, shell expansions, the UI's `{runId}`.
 * `%` announces an encoded byte, so it is encoded itself. A space at either end is lost in a clear-signed text.
 */
const unsafe =
  /[\p{Cc}\p{Zl}\p{Zp}\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069'"`\\%${}]|^[ \t]+|[ \t]+$|^-$/gu;

/**
 * The text that an approver signs: `key: value` lines, each ended by a line feed. The same fields give the same bytes
 * on every machine, so the worker can build it anew and never has to trust what someone pasted.
 */
export function statementOf(fields: StatementFields): string {
  return `${linesOf(fields).join('\n')}\n`;
}

/**
 * One shell command that signs the statement with the person's own GnuPG and prints the signature as one base64 line.
 * Safe to paste, whatever a workflow id or a reason holds: no value can end the quotes that it stands in.
 */
export function signingCommand(fields: StatementFields): string {
  const quoted = linesOf(fields).map((line) => `'${line}'`);
  // `base64 -w0` is not known on macOS; the last line feed keeps the prompt away from the signature.
  return `printf '%s\\n' ${quoted.join(' ')} | gpg --detach-sign | base64 | tr -d '\\n'; echo`;
}

function linesOf({ workflowId, runId, gate, planHash, decision, reason }: StatementFields): string[] {
  return [
    'runbook decision/1',
    `workflow: ${encode(workflowId)}`,
    `run: ${encode(runId)}`,
    `gate: ${encode(gate)}`,
    `plan: ${encode(planHash)}`,
    `decision: ${decision}`,
    // A dash means that there is none; a reason that is a dash itself is encoded.
    `reason: ${reason === undefined ? '-' : encode(reason)}`,
  ];
}

/** Encodes a value byte by byte where it is unsafe, as in URLs: a line feed becomes %0A. */
function encode(value: string): string {
  return value.toWellFormed().replace(unsafe, (text) => Array.from(text, percent).join(''));
}

/** `encodeURIComponent` leaves some ASCII characters alone that a shell does not; two hexadecimal digits do for these. */
function percent(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x80) return `%${code.toString(16).toUpperCase().padStart(2, '0')}`;
  return encodeURIComponent(character);
}
