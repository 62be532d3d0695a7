import { describe, expect, test } from '@jest/globals';
import { exampleFor, judgeDecision, type GateSituation, type Judgement } from '../../src/domain/decisions.ts';
import { aGate, hostileTexts, now } from '../support/builders.ts';
import { randomJson } from '../support/random-json.ts';
import { seeded } from '../support/builders.ts';

const gate = aGate();
const situation: GateSituation = {
  gate,
  closed: [],
  currentStep: 'Approve the change',
  now,
  refuseApprover: () => undefined,
  refuseRejecter: () => undefined,
};
const good = { decision: 'approve', gate: gate.id, planHash: gate.planHash, approver: 'Ada' };

const refusal = (judgement: Judgement): string => (judgement.ok ? 'accepted' : judgement.refusal);
const judge = (input: unknown, change: Partial<GateSituation> = {}): string =>
  refusal(judgeDecision(input, { ...situation, ...change }));

describe('a decision', () => {
  test('that is right is taken, with its name trimmed and without anything else', () => {
    expect(judgeDecision({ ...good, approver: '  Ada Lovelace ' }, situation)).toEqual({
      ok: true,
      decision: { ...good, approver: 'Ada Lovelace' },
    });
    expect(judgeDecision({ ...good, decision: 'reject', reason: ' too late ' }, situation)).toEqual({
      ok: true,
      decision: { ...good, decision: 'reject', reason: 'too late' },
    });
  });

  test('by signal means what the name of the signal says', () => {
    const { decision: _decision, ...rest } = good;
    expect(judgeDecision(rest, situation, 'reject')).toEqual({
      ok: true,
      decision: { ...good, decision: 'reject' },
    });
    expect(judgeDecision(good, situation, 'approve').ok).toBe(true);
  });

  test('by signal that says the opposite decides nothing', () => {
    expect(refusal(judgeDecision(good, situation, 'reject'))).toBe(
      'the signal reject carries decision: "approve"; nothing was decided',
    );
  });

  test.each([
    ['no object', 'approve', /one JSON object, for example \{"decision":"approve"/],
    ['null', null, /one JSON object/],
    ['nothing', undefined, /one JSON object/],
    ['a list', [good], /one JSON object/],
    ['an empty object', {}, /decision must be "approve" or "reject"/],
    ['an unknown field', { ...good, plan: 'x' }, /unknown field "plan"/],
    ['an own __proto__', JSON.parse('{"__proto__":{"decision":"approve"}}'), /unknown field "__proto__"/],
    ['another word', { ...good, decision: 'yes' }, /decision must be/],
    ['the gate missing', { ...good, gate: undefined }, /gate is missing: this run waits at gate "gate-1"/],
    ['another gate', { ...good, gate: 'gate-2' }, /waits at gate "gate-1", not at "gate-2"/],
    ['the hash missing', { ...good, planHash: undefined }, /planHash is missing: this run waits for a{64}/],
    [
      'another hash',
      { ...good, planHash: 'b'.repeat(64) },
      /plan hash does not match: this run waits for a{64}/,
    ],
    ['a shortened hash', { ...good, planHash: 'a'.repeat(12) }, /plan hash does not match/],
    ['the approver missing', { ...good, approver: undefined }, /approver must be your own name/],
    ['a number as approver', { ...good, approver: 5 }, /approver must be/],
    ['a blank approver', { ...good, approver: '  ' }, /approver must be/],
    ['the example left as it is', JSON.parse(exampleFor(gate)), /approver must be your own name/],
    ['dots', { ...good, approver: '...' }, /approver must be/],
    ['an approver that nobody can see', { ...good, approver: '\u200b\u2060' }, /approver must be/],
    ['an approver of two lines', { ...good, approver: 'Ada\nEve' }, /approver must be/],
    [
      'an approver of two lines by a rare line break',
      { ...good, approver: 'Ada\u2028Eve' },
      /approver must be/,
    ],
    ['half a character as approver', { ...good, approver: 'Ada\ud800' }, /approver must be/],
    ['a reason of two lines', { ...good, reason: 'a\nb' }, /reason must be one line/],
    ['an empty reason', { ...good, reason: '' }, /reason must be one line/],
    ['null as reason', { ...good, reason: null }, /reason must be one line/],
  ])('with %s is refused with a sentence that says so', (_case, input, sentence) => {
    expect(judge(input)).toMatch(sentence);
  });

  test.each([
    ['under', 99, true],
    ['exactly', 100, true],
    ['over', 101, false],
  ])('an approver %s the limit', (_case, length, ok) => {
    expect(judgeDecision({ ...good, approver: 'A'.repeat(length) }, situation).ok).toBe(ok);
  });

  test.each([
    ['under', 199, true],
    ['exactly', 200, true],
    ['over', 201, false],
  ])('a reason %s the limit', (_case, length, ok) => {
    expect(judgeDecision({ ...good, reason: 'r'.repeat(length) }, situation).ok).toBe(ok);
  });

  test.each([
    ['before', -1, true],
    ['exactly at', 0, false],
    ['after', 1, false],
  ])('%s the deadline', (_case, offset, ok) => {
    const sent = { ...situation, now: Date.parse(gate.deadline) + offset };
    expect(judgeDecision(good, sent).ok).toBe(ok);
  });

  test('is refused when the deadline cannot be read: it once counted as far away', () => {
    expect(judge(good, { gate: aGate({ deadline: '' }) })).toContain('has passed');
  });

  test('that comes early, when no gate is open, says where the run is', () => {
    expect(judge(good, { gate: undefined, currentStep: 'Plan the change' })).toBe(
      'no gate is open: the run is at "Plan the change". Wait until it shows a gate, then decide',
    );
  });

  test('that comes twice or late says what was decided', () => {
    const closed = [{ id: 'gate-1', result: 'approved by Ada' }];
    expect(judge(good, { gate: undefined, closed })).toBe(
      'gate "gate-1" was decided already: approved by Ada',
    );
    expect(judge(good, { gate: aGate({ id: 'gate-2' }), closed })).toBe(
      'gate "gate-1" was decided already: approved by Ada; this run waits at gate "gate-2"',
    );
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    'never echoes %j at length',
    (_name, text) => {
      const inputs = [text, { [text]: 1 }, ...Object.keys(good).map((key) => ({ ...good, [key]: text }))];
      for (const input of inputs) {
        for (const implied of [undefined, 'approve' as const]) {
          const sentence = refusal(judgeDecision(input, situation, implied));
          expect(sentence.length).toBeLessThan(400);
          expect(sentence).not.toMatch(/[\p{Cc}\p{Cs}]/u);
        }
      }
    },
  );

  test('whatever is sent, judging never throws and never approves', () => {
    const random = seeded(3);
    for (let round = 0; round < 1000; round++) {
      const input = { ...good, ...(randomJson(random, 3) as object), approver: randomJson(random, 2) };
      const judgement = judgeDecision(input, situation);
      if (judgement.ok) expect(typeof judgement.decision.approver).toBe('string');
      expect(judgeDecision(randomJson(random, 3), situation).ok).toBe(false);
    }
  });
});

test('the example only lacks the name', () => {
  const named = { ...(JSON.parse(exampleFor(gate)) as object), approver: 'Ada' };
  expect(judgeDecision(named, situation).ok).toBe(true);
  const signal = { ...(JSON.parse(exampleFor(gate, 'reject')) as object), approver: 'Ada' };
  expect(judgeDecision(signal, situation, 'reject').ok).toBe(true);
});
