import { expect, test } from '@jest/globals';
import { describeKeyState, keyStateOf } from '../../../src/domain/backups/key-state.ts';

const now = new Date('2026-11-27T12:00:00Z');
const day = 86_400_000;
const after = (milliseconds: number): Date => new Date(now.getTime() + milliseconds);

test.each([
  ['never', undefined, 'ok'],
  ['in a year', after(365 * day), 'ok'],
  ['in exactly thirty days', after(30 * day), 'ok'],
  ['in a little less than thirty days', after(30 * day - 1), 'expiring'],
  ['in a millisecond', after(1), 'expiring'],
  ['now', now, 'expired'],
  ['a millisecond ago', after(-1), 'expired'],
])('a key that expires %s', (_case, expiresAt, state) => {
  const facts = { revoked: false, ...(expiresAt === undefined ? {} : { expiresAt }) };
  expect(keyStateOf(facts, now)).toBe(state);
  expect(keyStateOf({ ...facts, revoked: true }, now)).toBe('revoked');
});

test('what a state means is said with its date, and nothing of a good one', () => {
  expect(describeKeyState('ok', after(day))).toBeUndefined();
  expect(describeKeyState('expiring', after(day))).toBe(
    'expires at 2026-11-28; no backup can be made from then on',
  );
  expect(describeKeyState('expired', now)).toMatch(/^expired at 2026-11-27: .*stay readable and verifiable$/);
  expect(describeKeyState('revoked', undefined)).toMatch(/^is revoked/);
});
