import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { controls } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { Sleeper } from '../support/sleepers.ts';
import { unique } from '../support/stack.ts';
import { decisionFor, World, type TestRun } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create({ namespace: true });
});
afterAll(async () => {
  await world.close();
});

/** A target whose workload has two revisions. */
async function updated(profile: Record<string, unknown> = {}): Promise<Sleeper> {
  const sleeper = await Sleeper.create(world, { profile });
  await world.kubectl('set', 'image', `deployment/${sleeper.name}`, 'sleeper=sleeper:2');
  await world.kubectl('rollout', 'status', `deployment/${sleeper.name}`, '--timeout=30s');
  return sleeper;
}

describe.each(['rollback', 'restartWorkload'])('%s, a repair like every run,', (procedure) => {
  const start = async (target: string, input: Record<string, unknown> = {}): Promise<TestRun> =>
    await world.start({ target, ...input }, unique('repair'), procedure);

  test('plans only when asked to, and asks nobody', async () => {
    const { name } = await updated();
    const run = await start(name, { dryRun: true });
    const { report } = await run.end();
    expect(report.outcome).toBe('planned');
    expect(report.decisions).toEqual([]);
    await run.saveHistory('planned');
  });

  test('changes nothing when it is rejected, aborted, or nobody decides', async () => {
    const [rejected, aborted, silent] = await Promise.all([
      updated(),
      updated(),
      updated({ gate: { deadlineSeconds: 1 } }),
    ]);
    const runs = {
      rejected: await start(rejected.name),
      aborted: await start(aborted.name),
      timedOut: await start(silent.name),
    };
    await runs.rejected.decide(decisionFor(await runs.rejected.gate(), 'reject'));
    await runs.aborted.gate();
    await runs.aborted.handle.signal(controls.abort);
    for (const [outcome, run] of Object.entries(runs)) {
      expect((await run.end()).report.outcome).toBe(outcome);
      await run.saveHistory(outcome === 'timedOut' ? 'timed-out' : outcome);
    }
    for (const sleeper of [rejected, aborted, silent]) expect(await sleeper.image()).toBe('sleeper:2');
  });

  test('is undone by an abort under the lock', async () => {
    const sleeper = await updated();
    const run = await start(sleeper.name);
    await run.gate(await run.approve());
    await run.handle.signal(controls.abort, { by: 'Ada' });
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('undone');
    expect(report.headline[0]).toMatch(/^The run was ended early and its change was undone. aborted by Ada/);
    expect(await sleeper.image()).toBe('sleeper:2');
    await run.saveHistory('aborted-under-lock');
  });

  test('refuses a wrong input with every fault in one sentence', async () => {
    const run = await start('nowhere', { emergency: 'yes', surprise: 1 });
    const { report } = await run.end();
    expect(report.error).toMatch(/2 faults.*emergency: must be true or false.*unknown field "surprise"/);
    await run.saveHistory('bad-input');
  });
});

test('a run with many messages at its gate continues as a new one, with its gate and deadline', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await sleeper.start();
  const before = await run.gate();
  const { firstExecutionRunId } = await run.handle.describe().then(({ raw }) => ({
    firstExecutionRunId: raw.workflowExecutionInfo?.firstRunId,
  }));
  for (let count = 0; count < 500; count++) await run.handle.signal(controls.approve, { count });
  const gate = await waitFor(
    async () => {
      const { runId } = await run.handle.describe();
      if (runId === firstExecutionRunId) return undefined;
      return (await run.describe()).waitingFor;
    },
    { what: 'the new run at its gate', timeoutMilliseconds: 60_000 },
  );
  expect(gate).toEqual({ ...before, runId: expect.not.stringContaining(before.runId) });
  await run.decide(decisionFor(gate, 'reject'));
  const { report } = await run.end();
  expect(report.outcome).toBe('rejected');
  expect(report.decisions.filter(({ accepted }) => !accepted)).toHaveLength(100);
  expect(report.ignoredDecisions).toBe(400);
  await run.saveHistory('continued');
});
