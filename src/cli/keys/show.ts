import { exitCodes } from '../exit-codes.ts';
import type { KeyRow } from './judge.ts';
import type { KeyList } from './list.ts';

/** The keys for people: two or three lines each. */
export function linesOf({ keys, faults }: KeyList): string[] {
  const none = keys.length === 0 && faults.length === 0 ? ['no keys: no profile has a section backup'] : [];
  return [...keys.flatMap(linesOfKey), ...faults.map((fault) => `✗ ${fault}`), ...none];
}

function linesOfKey(key: KeyRow): string[] {
  const { target, kind, state, fingerprint, algorithm, madeAt, expiresAt, note } = key;
  const until = expiresAt === undefined ? 'does not expire' : `expires ${day(expiresAt)}`;
  const facts = fingerprint === undefined ? [] : [fingerprint, algorithm, `made ${day(madeAt)}`, until];
  return [
    `${mark(state)} ${target} ${kind}: ${[nameOf(state), ...facts].join(', ')}`,
    `    public: ${key.publicPart}; private: ${key.privatePart}`,
    ...(note === undefined ? [] : [`    → ${note}`]),
  ];
}

/** 1: a key that cannot be used. 4: one that could not be looked at. A key that expires soon is still good. */
export function exitCodeFor({ keys, faults }: KeyList): number {
  const states = new Set(keys.map(({ state }) => state));
  const bad = (['expired', 'revoked', 'missing', 'unusable'] as const).some((state) => states.has(state));
  if (bad || faults.length > 0) return exitCodes.failed;
  return states.has('unknown') ? exitCodes.unknown : exitCodes.done;
}

function mark(state: KeyRow['state']): string {
  switch (state) {
    case 'ok':
      return '✓';
    case 'expiring':
    case 'unknown':
      return '?';
    case 'expired':
    case 'revoked':
    case 'missing':
    case 'unusable':
      return '✗';
  }
}

function nameOf(state: KeyRow['state']): string {
  return state === 'expiring' ? 'expiring soon' : state;
}

function day(time = ''): string {
  return time.slice(0, 10);
}
