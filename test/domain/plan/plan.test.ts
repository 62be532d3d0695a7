import { describe, expect, test } from '@jest/globals';
import type { GuardFinding } from '../../../src/contracts/plan.ts';
import { canonicalPlan, comparePlans, stoppedBy, summarise } from '../../../src/domain/plan/plan.ts';
import { aChange, hostileTexts } from '../../support/builders.ts';

const clear: GuardFinding = { guard: 'paused', verdict: 'clear', sentence: 'not paused' };
const stops: GuardFinding = { guard: 'quota', verdict: 'stops', sentence: 'the quota is full' };
const unknown: GuardFinding = { guard: 'gitOps', verdict: 'unknown', sentence: 'no answer' };
const many = (count: number): ReturnType<typeof aChange>[] =>
  Array.from({ length: count }, (_, index) => aChange({ path: `spec/${index}` }));

describe('the bytes that a hash covers', () => {
  const changes = [
    aChange(),
    aChange({ name: 'api' }),
    aChange({ path: 'spec/a' }),
    aChange({ namespace: 'a' }),
  ];

  test('do not depend on the order of the changes', () => {
    expect(canonicalPlan('digest', [...changes].reverse())).toBe(canonicalPlan('digest', changes));
  });

  test('do not depend on order even for an object that was deleted and made anew', () => {
    const twice = [aChange({ uid: 'a' }), aChange({ uid: 'b' }), aChange({ uid: null })];
    expect(canonicalPlan('digest', [...twice].reverse())).toBe(canonicalPlan('digest', twice));
  });

  test.each([
    ['another profile', 'other', changes],
    ['another object', 'digest', [aChange({ uid: 'other' }), ...changes.slice(1)]],
    ['another former value', 'digest', [aChange({ before: 'web:0' }), ...changes.slice(1)]],
    ['another new value', 'digest', [aChange({ after: 'web:3' }), ...changes.slice(1)]],
    ['a number instead of its text', 'digest', [aChange({ after: 2 }), ...changes.slice(1)]],
    ['one change fewer', 'digest', changes.slice(1)],
  ])('differ with %s', (_case, digest, others) => {
    expect(canonicalPlan(digest, others)).not.toBe(canonicalPlan('digest', changes));
  });

  test('tell an absent value from null', () => {
    const absent = aChange();
    delete absent.after;
    expect(canonicalPlan('d', [absent])).not.toBe(canonicalPlan('d', [aChange({ after: null })]));
  });

  test('leave out what every run makes anew, but not that it is made, nor what was there before', () => {
    const restarted = aChange({ path: 'spec/restartedAt', generated: true });
    const bytes = canonicalPlan('digest', [restarted]);
    expect(canonicalPlan('digest', [{ ...restarted, after: 'later' }])).toBe(bytes);
    expect(canonicalPlan('digest', [{ ...restarted, before: 'earlier' }])).not.toBe(bytes);
    expect(canonicalPlan('digest', [aChange({ path: 'spec/restartedAt' })])).not.toBe(bytes);
  });

  test('leave the list of changes as it was', () => {
    const paths = changes.map(({ path, name }) => path + name);
    canonicalPlan('digest', changes);
    expect(changes.map(({ path, name }) => path + name)).toEqual(paths);
  });
});

describe('a summary', () => {
  test('names changes first, then guards, then facts', () => {
    expect(summarise([aChange()], [clear, stops], ['3 replicas'])).toEqual([
      'Deployment shop/web: spec/template/spec/containers[name=app]/image: web:1 → web:2',
      'paused: not paused',
      'quota: stops: the quota is full',
      '3 replicas',
    ]);
  });

  test('says that nothing would change', () => {
    expect(summarise([], [clear], [])[0]).toBe('nothing would change');
  });

  test('may begin with what is read first', () => {
    expect(summarise([aChange()], [], [], ['revision 2'])[0]).toBe('revision 2');
  });

  test('says which side is absent, and shows other values as JSON', () => {
    const added = aChange({ after: { a: [1] } });
    delete added.before;
    expect(summarise([added], [], [])[0]).toContain('(none) → {"a":[1]}');
    expect(summarise([aChange({ before: null, after: false })], [], [])[0]).toContain('null → false');
  });

  test.each([
    [49, 49, undefined],
    [50, 50, undefined],
    [51, 50, '… and 2 more lines'],
    [5000, 50, '… and 4951 more lines'],
  ])('of %d lines has %d', (lines, shown, last) => {
    const summary = summarise(many(lines), [], []);
    expect(summary).toHaveLength(shown);
    if (last === undefined) expect(summary.at(-1)).not.toContain('more lines');
    else expect(summary.at(-1)).toBe(last);
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    'keeps %j on one short line',
    (_name, text) => {
      const [line = ''] = summarise([aChange({ before: text, after: { [text]: text } })], [], []);
      expect(line.length).toBeLessThan(600);
      expect(line).not.toMatch(/[\p{Cc}\p{Cs}]/u);
    },
  );
});

describe('the guards that stop a run', () => {
  test('none, when all are clear', () => {
    expect(stoppedBy([])).toBeUndefined();
    expect(stoppedBy([clear])).toBeUndefined();
  });

  test('one that could not be evaluated stops like one that refuses, and all are named', () => {
    expect(stoppedBy([unknown])).toBe('guard gitOps could not be evaluated: no answer');
    expect(stoppedBy([clear, stops, unknown])).toBe(
      'guard quota: the quota is full; guard gitOps could not be evaluated: no answer',
    );
  });
});

describe('two plans', () => {
  test('that differ say what is new, what is different and what is gone', () => {
    const before = [aChange({ path: 'a' }), aChange({ path: 'b' }), aChange({ path: 'same' })];
    const after = [aChange({ path: 'b', after: 'web:3' }), aChange({ path: 'c' }), aChange({ path: 'same' })];
    expect(comparePlans(before, after)).toEqual([
      'now: Deployment shop/web: b: web:1 → web:3 (was web:1 → web:2)',
      'new: Deployment shop/web: c: web:1 → web:2',
      'gone: Deployment shop/web: a',
    ]);
  });

  test('with the same changes differ by their profile', () => {
    expect(comparePlans([aChange()], [aChange()])).toEqual(['the target profile changed']);
  });

  test('with long values that begin alike differ: once only the shortened texts were compared', () => {
    const long = 'x'.repeat(500);
    const lines = comparePlans([aChange({ after: `${long}1` })], [aChange({ after: `${long}2` })]);
    expect(lines[0]).toMatch(/^now: /);
  });

  test('tell a number from its text, and an absent value from the word for it', () => {
    const absent = aChange({ before: '(none)' });
    delete absent.before;
    expect(comparePlans([aChange({ after: 1 })], [aChange({ after: '1' })])[0]).toMatch(/^now: /);
    expect(comparePlans([aChange({ before: '(none)' })], [absent])[0]).toMatch(/^now: /);
  });

  test('differ in what was there before, not in what every run makes anew', () => {
    const first = aChange({ generated: true });
    expect(comparePlans([first], [{ ...first, after: 'later' }])).toEqual(['the target profile changed']);
    expect(comparePlans([first], [{ ...first, before: 'other' }])[0]).toMatch(/^now: /);
  });

  test('about an object that was made anew differ', () => {
    expect(comparePlans([aChange()], [aChange({ uid: 'other' })])[0]).toMatch(/^now: /);
  });

  test.each([
    [50, 50],
    [51, 50],
  ])('with %d differences show %d lines, and the last says what was cut', (count, shown) => {
    const lines = comparePlans([], many(count));
    expect(lines).toHaveLength(shown);
    expect(lines.at(-1)?.includes('more lines')).toBe(count > 50);
  });
});
