import { standsOnLock, unmarked } from './cluster-state.ts';
import {
  changesOf,
  lockEffects,
  outsideOfLock,
  repeatRemark,
  withoutRepeats,
  type Effects,
} from './effects.ts';
import type { Ending } from './stage.ts';

/** The same end as without the fault: outcome, state, and every effect once and in its order. @returns a remark */
export function mustEqual(ending: Ending, reference: Ending): string {
  if (ending.outcome !== reference.outcome)
    throw new Error(`ended as ${ending.outcome} instead of ${reference.outcome}`);
  mustBeSame('state', ending.state, reference.state);
  mustHaveFreeLock(ending);
  mustBeSame('audit log', withoutReplans(ending.audit), withoutReplans(reference.audit));
  mustBeSame('what is left outside', ending.outside, reference.outside);
  const effects = withoutRepeats(ending.effects);
  const expected = withoutRepeats(reference.effects);
  mustBeSame('effects', effects.once, expected.once);
  if (ordered(effects).join('\n') !== ordered(expected).join('\n'))
    throw new Error(`effects in another order: ${effects.once.join(' ')}`);
  return repeatRemark(effects);
}

/** A checkpoint of the audit log needs no lock: when the bucket was away it is noted after the lock was given back. */
function ordered({ once }: Effects): string[] {
  return once.filter((effect) => effect !== lockEffects.signed);
}

/** An attempt that was planned again because the object's status moved tells of its change once more; a slow machine has more of them. */
function withoutReplans(audit: string[]): string[] {
  return audit.filter((line, index) => !(line.startsWith('change: ') && line === audit[index - 1]));
}

/** What people last agreed to, except for the marks of the run; and nothing was written twice. */
export function mustBeBack(ending: Ending, agreed: string[]): void {
  if (ending.outcome !== 'undone' && ending.outcome !== 'aborted')
    throw new Error(`ended as ${ending.outcome} instead of undone or aborted`);
  mustBeSame('state after the undo', unmarked(ending.state), unmarked(agreed));
  mustHaveFreeLock(ending);
  mustBeOnce(ending.effects);
}

/**
 * Of a run that keeps what it has done when it is stopped, however it ended: every object is as it was when people said yes, or as they
 * agreed that it becomes; and nothing was written twice.
 */
export function mustBeAgreed(ending: Ending, { before, after }: { before: string[]; after: string[] }): void {
  const allowed = [...withoutOwners(before), ...withoutOwners(after)];
  const other = withoutOwners(ending.state).filter((line) => !allowed.includes(line));
  if (other.length > 0) throw new Error(`nobody agreed to ${other.join(' ')}`);
  mustBeOnce(ending.effects);
}

/** Owners are named at the end: the next recovery names those that are missing. */
function withoutOwners(state: string[]): string[] {
  return unmarked(state).map((line) =>
    JSON.stringify(JSON.parse(line), (key, value: unknown) =>
      key === 'ownerReferences' ? undefined : value,
    ),
  );
}

/** Nobody holds the lock, nothing is half done, and whatever was written was written under it. */
export function mustHaveFreeLock({ state, effects }: Pick<Ending, 'state' | 'effects'>): void {
  const left = standsOnLock(state);
  if (left.length > 0) throw new Error(`the lock is not free; on it: ${left.join(', ')}`);
  const outside = outsideOfLock(effects);
  if (outside !== undefined) throw new Error(`not under the lock: ${outside} among ${effects.join(' ')}`);
}

/** Locks excepted: those may be taken and given back again and again. */
export function mustBeOnce(effects: string[]): void {
  const changes = changesOf(effects);
  const twice = changes.find((effect, index) => changes.indexOf(effect) !== index);
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
