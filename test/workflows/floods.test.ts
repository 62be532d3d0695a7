import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { chain, flood, mixed } from '../support/floods.ts';
import { Sleeper, until } from '../support/sleepers.ts';
import { decisionFor, World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create({ namespace: true });
});
afterAll(async () => {
  await world.close();
});

test('a flood that comes slowly: the run continues as new every 500 signals, and answers meanwhile', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await sleeper.start();
  const gate = await run.gate();
  for (let wave = 0; wave < 3; wave++) {
    await flood(run, 600, mixed);
    expect((await until(run, 'at its gate', (seen) => seen.waitingFor !== undefined)).waitingFor).toEqual({
      ...gate,
      runId: expect.not.stringContaining(gate.runId),
    });
    const wrong = { ...decisionFor(gate), planHash: 'f'.repeat(64) };
    await expect(run.decide(wrong)).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/^plan hash does not match/) },
    });
  }
  await run.decide(decisionFor(gate, 'reject'));
  const { report } = await run.end();
  expect(report.outcome).toBe('rejected');
  expect(report.ignoredDecisions + report.ignoredSignals + 100).toBe(1800);
  expect((await chain(world, run)).runs).toBeGreaterThan(2);
});

const large = { text: 'x'.repeat(64 * 1024) };

/*
 * Past 2 MB that come in during one workflow task the server ends the task, and at 50 MB the run: nothing of ours
 * gets a word in (measured: 8 MB a second, over after 7 s; on a loaded machine one connection was enough). Then it is a run that died in the middle of its change.
 */
test('large signals, many at once: what the run could not undo stays on its lock for the next one', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await sleeper.start();
  await run.gate(await run.approve());
  await flood(run, 1200, () => ['nobodyKnowsThis', large]);
  await run.handle.result().catch(() => undefined);
  const { leftover } = await sleeper.lock();
  if (leftover === undefined) expect(await sleeper.image()).toBe('sleeper:1');
  else expect(leftover).toContain(run.handle.workflowId);
});
