import { beforeAll, expect, jest, test } from '@jest/globals';
import { casesOf, nameOf, type Case } from './cases.ts';
import { scenarios } from './scenarios.ts';
import { inLanes, runCase, runUndisturbed } from './support/run-cases.ts';

// Every killed worker costs the heartbeat timeout of what it did; several cases wait for theirs at once.
jest.setTimeout(240_000);

let cases: Case[];

beforeAll(async () => {
  const fast = scenarios.filter(({ realPods }) => !realPods);
  const lists = await inLanes(fast, async (scenario) =>
    casesOf(scenario, await runUndisturbed(scenario)).filter(isEndOfWriting),
  );
  cases = lists.flat();
});

test('a worker killed when an activity has written and not yet reported changes nothing of the result', async () => {
  const results = await inLanes(cases, async (one) => ({
    where: `${one.scenario.name}, ${one.activity}`,
    ...(await runCase(one)),
  }));
  expect(results.length).toBeGreaterThan(0);
  expect(results.filter(({ ok }) => !ok)).toEqual([]);
});

function isEndOfWriting({ point, activity, reference }: Case): boolean {
  return point === 'end' && reference.activities.some((one) => one.writes > 0 && nameOf(one) === activity);
}
