import type { Control } from '../contracts/run.ts';
import { excerpt, oneLine } from './text.ts';

/** What a person sent with pause, resume or abort. The name of the signal is the message: junk beside it is left out. */
export function readControl(input: unknown): Control {
  if (typeof input !== 'object' || input === null) return {};
  const { by, reason } = input as Record<string, unknown>;
  const sent: Control = {};
  const [who, why] = [line(by, 100), line(reason, 200)];
  if (who !== undefined) sent.by = who;
  if (why !== undefined) sent.reason = why;
  return sent;
}

function line(value: unknown, most: number): string | undefined {
  if (typeof value !== 'string') return undefined;
  const text = oneLine(value).trim();
  return text === '' ? undefined : excerpt(text, most);
}
