import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { messageOf } from '../../src/local/wait.ts';
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

/*
 * Measured on two cores that server, worker and flood share: 300 to 750 signals a second. Then the server ends every
 * workflow task that takes longer than 100 signals take to come in (cause ForceCloseCommand), and refuses to continue
 * as new while any are buffered (UnhandledCommand). So the flood wins for as long as it lasts: a decision by update
 * takes ten seconds, or is told that the task failed. At 10,000 signals the server refuses more of them, the run
 * continues as new (once in 12,000) with its gate, and hears everything again. The flood took 16 to 32 s.
 */
test('12,000 junk signals at a gate: the run continues as new, keeps its gate and takes the genuine decision', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await sleeper.start();
  const gate = await run.gate();
  const over = new AbortController();
  const flooding = flood(run, 12_000, mixed).finally(() => {
    over.abort();
  });
  const answers = new Set<string | undefined>();
  while (!over.signal.aborted) {
    const wrong = { ...decisionFor(gate), planHash: 'f'.repeat(64) };
    answers.add(await run.decide(wrong).catch((error: unknown) => messageOf(error)));
  }
  const { sent } = await flooding;
  const again = await until(run, 'at its gate', ({ waitingFor }) => waitingFor !== undefined, 300_000);
  // A signature would have to name the run that asks now.
  expect(again.waitingFor).toEqual({ ...gate, runId: expect.not.stringContaining(gate.runId) });
  expect(again.decisions).toHaveLength(100);
  // Either the refusal of the run, or the server saying that the flood was in the way; never an approval.
  expect([...answers].join()).not.toMatch(/Approved/);
  await run.decide(decisionFor(gate));
  await run.approve(gate);
  const { report } = await run.end();
  expect(report.outcome).toBe('succeeded');
  expect(report.decisions.filter(({ accepted }) => accepted)).toHaveLength(2);
  expect(report.decisions.filter(({ accepted }) => !accepted)).toHaveLength(100);
  expect(report.ignoredDecisions + report.ignoredSignals + 100).toBe(sent);
  const { runs, faults } = await chain(world, run);
  expect(runs).toBeGreaterThan(1);
  expect(faults).toEqual([]);
  expect(await sleeper.image()).toBe('sleeper:2');
  expect(await sleeper.lock()).toEqual({});
}, 600_000);

// Measured: 38 s for the flood; the server took 10,000 signals, the run stopped at the 9,000th.
test('12,000 junk signals under the lock: the run undoes its change before Temporal refuses to hear more', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await sleeper.start();
  await run.gate(await run.approve());
  await flood(run, 12_000, mixed);
  const { report, failure } = await run.end();
  expect(failure?.type).toBe('undone');
  expect(report.error).toMatch(/signals and updates reached this run; it ends before Temporal would refuse/);
  expect((await chain(world, run)).faults).toEqual([]);
  expect(await sleeper.image()).toBe('sleeper:1');
  expect(await sleeper.lock()).toEqual({});
}, 600_000);
