import { setTimeout as pause } from 'node:timers/promises';
import { unmarked } from './cluster-state.ts';
import type { Ending } from './stage.ts';

/** Waits for something that a fault depends on. @throws with what it was when it does not come in time. */
export async function within<T>(coming: Promise<T>, seconds: number, what: string): Promise<T> {
  const late = new AbortController();
  const deadline = pause(seconds * 1000, undefined, { signal: late.signal }).then(() => {
    throw new Error(`waited ${seconds} s for ${what}`);
  });
  deadline.catch(() => undefined);
  try {
    return await Promise.race([coming, deadline]);
  } finally {
    late.abort();
  }
}

/** The same end as without the fault: outcome, state, and every effect once. */
export function mustEqual(ending: Ending, reference: Ending): void {
  if (ending.outcome !== reference.outcome)
    throw new Error(`ended as ${ending.outcome} instead of ${reference.outcome}`);
  mustBeSame('state', ending.state, reference.state);
  mustBeSame('effects', ending.effects, reference.effects);
}

/** The state from before the run, except for the marks of the run; and nothing was written twice. */
export function mustBeBack(ending: Ending, before: string[]): void {
  if (ending.outcome !== 'undone' && ending.outcome !== 'aborted')
    throw new Error(`ended as ${ending.outcome} instead of undone or aborted`);
  mustBeSame('state after the undo', unmarked(ending.state), unmarked(before));
  mustBeOnce(ending.effects);
}

export function mustBeOnce(effects: string[]): void {
  const twice = effects.find((effect, index) => effects.indexOf(effect) !== index);
  if (twice !== undefined) throw new Error(`written twice: ${twice}`);
}

export function mustBeSame(what: string, found: string[], expected: string[]): void {
  const added = found.filter((line) => !expected.includes(line));
  const missing = expected.filter((line) => !found.includes(line));
  if (added.length === 0 && missing.length === 0 && found.length === expected.length) return;
  throw new Error(
    `${what} differs; found ${found.length}, expected ${expected.length}; only found: ${added.join(' ') || '-'}; only expected: ${missing.join(' ') || '-'}`,
  );
}
