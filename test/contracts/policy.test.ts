import { describe, expect, test } from '@jest/globals';
import { approvalsSchema, approversSchema } from '../../src/contracts/policy.ts';

const rule = (change: Record<string, unknown>): unknown => ({
  rules: [{ need: [{ role: 'oncall' }], ...change }],
});

describe('approvers', () => {
  test.each(['ada', 'Ada Lovelace', 'ada.l@example.org', 'Ünal', 'A', 'a'.repeat(100)])(
    'may be called %j',
    (name) => {
      expect(approversSchema.safeParse({ [name]: { roles: ['oncall'] } }).success).toBe(true);
    },
  );

  test.each(['', ' ada', 'ada ', '-x', 'a"b', 'a\nb', 'a'.repeat(101)])('may not be called %j', (name) => {
    const people = Object.fromEntries([[name, { roles: ['oncall'] }]]);
    expect(approversSchema.safeParse(people).success).toBe(false);
  });

  test.each(['keys/ada.asc', 'ada.asc', 'a/b/c.asc'])('may have their key in %s', (publicKey) => {
    expect(approversSchema.safeParse({ ada: { roles: ['oncall'], publicKey } }).success).toBe(true);
  });

  test.each(['/etc/passwd', '../ada.asc', 'keys/../../x', 'keys//x', '.hidden', 'keys/', ''])(
    'may not have their key in %j',
    (publicKey) => {
      expect(approversSchema.safeParse({ ada: { roles: ['oncall'], publicKey } }).success).toBe(false);
    },
  );

  test.each(['A'.repeat(39), 'A'.repeat(41), 'a'.repeat(40), 'G'.repeat(40)])(
    'do not have the fingerprint %s',
    (fingerprint) => {
      expect(approversSchema.safeParse({ ada: { roles: ['oncall'], fingerprint } }).success).toBe(false);
    },
  );
});

describe('a rule', () => {
  test.each([
    [59, true],
    [60, false],
    [61, false],
  ])('with a deadline of 60 s may remind %s s before it: %s', (reminderSeconds, ok) => {
    expect(approvalsSchema.safeParse(rule({ deadlineSeconds: 60, reminderSeconds })).success).toBe(ok);
  });

  test.each([
    [0, false],
    [1, true],
    [10, true],
    [11, false],
  ])('may need %s people of a role: %s', (count, ok) => {
    expect(approvalsSchema.safeParse(rule({ need: [{ role: 'oncall', count }] })).success).toBe(ok);
  });

  test('needs someone', () => {
    expect(approvalsSchema.safeParse(rule({ need: [] })).success).toBe(false);
  });
});
