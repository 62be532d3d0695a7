import { describe, expect, test } from '@jest/globals';
import type { GuardFinding, Plan } from '../../src/contracts/plan.ts';
import { newlyStopping, riskOf } from '../../src/domain/risk.ts';
import { aChange } from '../support/builders.ts';

const finding = (guard: GuardFinding['guard'], verdict: GuardFinding['verdict']): GuardFinding => ({
  guard,
  verdict,
  sentence: 'a sentence',
});
const plan = (change: Partial<Plan>): Plan =>
  ({ changes: [aChange()], findings: [finding('quota', 'clear')], ...change }) as Plan;

describe('the risk of a plan', () => {
  test('is normal for one object that no guard minds', () => {
    expect(riskOf(plan({ changes: [aChange(), aChange({ path: 'spec/replicas' })] }), false)).toEqual({
      risk: 'normal',
      why: [],
    });
  });

  test.each([
    ['an emergency', plan({}), true, 'it takes the target away from whoever holds it'],
    ['a guard that stops', plan({ findings: [finding('quota', 'stops')] }), false, 'it overrides a guard'],
    [
      'a guard that could not be evaluated',
      plan({ findings: [finding('quota', 'unknown')] }),
      false,
      'it overrides a guard',
    ],
    [
      'two objects',
      plan({ changes: [aChange(), aChange({ name: 'other' })] }),
      false,
      'it changes 2 objects at once',
    ],
    [
      'many objects that the changes only count',
      plan({ objects: 807, changes: [aChange({ name: '807 objects' })] }),
      false,
      'it changes 807 objects at once',
    ],
  ])('is high for %s, and says why', (_, one, emergency, why) => {
    expect(riskOf(one, emergency)).toEqual({ risk: 'high', why: [why] });
  });
});

test('a guard about which nobody was asked is found, whatever it said before', () => {
  const agreed = [finding('quota', 'stops'), finding('paused', 'clear')];
  expect(newlyStopping(agreed, [finding('quota', 'unknown')])).toEqual([]);
  expect(newlyStopping(agreed, [finding('paused', 'stops')])).toEqual([finding('paused', 'stops')]);
  expect(newlyStopping([], [finding('quota', 'clear')])).toEqual([]);
});
