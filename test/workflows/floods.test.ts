import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { connectClient } from '../../src/clients/temporal/connection.ts';
import { controls } from '../../src/contracts/run.ts';
import { messageOf } from '../../src/local/wait.ts';
import { Sleeper, until } from '../support/sleepers.ts';
import { decisionFor, World, type TestRun } from '../support/world.ts';

const causes = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;

let world: World;
let floodgates: Client[];
beforeAll(async () => {
  world = await World.create({ namespace: true });
  floodgates = await Promise.all(Array.from({ length: 4 }, () => connectClient()));
});
afterAll(async () => {
  for (const { connection } of floodgates) await connection.close();
  await world.close();
});

/** What became of the signals of a flood. */
interface Flood {
  sent: number;
  refused: number;
  milliseconds: number;
}

/** Sends `count` signals through several connections, many at once; `ended`: stops with the run. */
async function flood(
  run: TestRun,
  count: number,
  signal: (index: number) => [name: string, input: unknown],
): Promise<Flood> {
  const began = Date.now();
  const result: Flood = { sent: 0, refused: 0, milliseconds: 0 };
  let next = 0;
  const send = async (client: Client): Promise<void> => {
    const handle = client.workflow.getHandle(run.handle.workflowId);
    while (next < count) {
      const [name, input] = signal(next++);
      try {
        await handle.signal(name, input);
        result.sent += 1;
      } catch {
        result.refused += 1;
      }
    }
  };
  await Promise.all(floodgates.flatMap((client) => Array.from({ length: 8 }, () => send(client))));
  result.milliseconds = Date.now() - began;
  return result;
}

const names = [controls.approve, controls.reject, 'nobodyKnowsThis'];

function mixed(index: number): [string, unknown] {
  return [names[index % names.length] ?? '', { index }];
}

const races: unknown[] = [
  causes.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
  causes.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
];

/** How many runs the chain has, and the workflow tasks that failed for another reason than a race with the flood. */
async function chain(run: TestRun): Promise<{ runs: number; faults: unknown[] }> {
  const { raw } = await run.handle.describe();
  const faults: unknown[] = [];
  let runs = 0;
  for (let runId = raw.workflowExecutionInfo?.firstRunId ?? ''; runId !== ''; runs++) {
    const { events } = await world.client.workflow.getHandle(run.handle.workflowId, runId).fetchHistory();
    for (const { workflowTaskFailedEventAttributes: fault } of events ?? [])
      if (fault instanceof Object && !races.includes(fault.cause)) faults.push(fault);
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? '';
  }
  return { runs, faults };
}

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
  const { runs, faults } = await chain(run);
  expect(runs).toBeGreaterThan(1);
  expect(faults).toEqual([]);
  expect(await sleeper.image()).toBe('sleeper:2');
  expect(await sleeper.lock()).toEqual({});
}, 300_000);

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
  expect((await chain(run)).runs).toBeGreaterThan(2);
});

// Measured: 38 s for the flood; the server took 10,000 signals, the run stopped at the 9,000th.
test('12,000 junk signals under the lock: the run undoes its change before Temporal refuses to hear more', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await sleeper.start();
  await run.gate(await run.approve());
  await flood(run, 12_000, mixed);
  const { report, failure } = await run.end();
  expect(failure?.type).toBe('undone');
  expect(report.error).toMatch(/signals and updates reached this run; it ends before Temporal would refuse/);
  expect((await chain(run)).faults).toEqual([]);
  expect(await sleeper.image()).toBe('sleeper:1');
  expect(await sleeper.lock()).toEqual({});
}, 300_000);

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
