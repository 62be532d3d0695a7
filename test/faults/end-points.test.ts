import { expect, jest, test } from '@jest/globals';
import { scenarios, type Scenario } from './scenarios.ts';
import { killedAtEveryEnd } from './support/faults.ts';
import { inLanes, runCase, runUndisturbed } from './support/run-cases.ts';

// Every killed worker costs a heartbeat timeout and the start of the next one, on two busy cores.
jest.setTimeout(600_000);

// What is undone has every activity of what is not, and those of the undo.
const chosen = scenarios.filter(
  ({ realPods, outcome, outside }) => !realPods && (outcome === 'undone' || outside !== undefined),
);

test('workers killed whenever an activity has written and not yet reported change nothing of the result', async () => {
  const results = await inLanes(chosen, killAtEveryEnd);
  expect(new Set(chosen.map(({ procedure }) => procedure)).size).toBe(8);
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
  for (const { killed } of results) expect(killed).toBeGreaterThan(0);
});

async function killAtEveryEnd(
  scenario: Scenario,
): Promise<{ where: string; killed: number; ok: boolean; remark: string }> {
  const reference = await runUndisturbed(scenario);
  const writing = reference.activities.filter(({ writes, storeWrites }) => writes > 0 || storeWrites > 0);
  const { ok, remark } = await runCase({ scenario, reference, inflict: killedAtEveryEnd(writing) });
  return { where: scenario.name, killed: writing.length, ok, remark };
}
