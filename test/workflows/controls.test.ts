import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rollingUpdateSteps as steps } from '../../src/contracts/rolling-update.ts';
import { controls, type ControlRecord, type Gate } from '../../src/contracts/run.ts';
import { renderReport } from '../../src/domain/report.ts';
import { duringRollout, pauseUnderLock, reached, Sleeper, until } from '../support/sleepers.ts';
import { decisionFor, World, type TestRun } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  world = await World.create({ namespace: true });
});
afterAll(async () => {
  await world.close();
});

const by = { by: 'Test Person', reason: 'a test' };

async function isPaused(run: TestRun): Promise<void> {
  await until(run, 'paused', ({ paused }) => paused !== undefined);
}

/** Leads a run to the gate that asks about its unknown health: it holds the target and has changed it. */
async function atUnknownHealth(run: TestRun): Promise<Gate> {
  const first = await run.approve();
  return await run.gate(first);
}

/** What holds at the end of every run that put things back or changed nothing. */
async function expectAsBefore(sleeper: Sleeper, run: TestRun): Promise<void> {
  expect(await sleeper.image()).toBe('sleeper:1');
  expect(await sleeper.lock()).toEqual({});
  expect(await run.failedTasks()).toBe(0);
}

/** What a person sees in the Temporal UI. */
async function details(run: TestRun): Promise<string> {
  const { currentDetails } = await run.handle.query<{ currentDetails: string }>(
    '__temporal_workflow_metadata',
  );
  return currentDetails;
}

describe('a pause', () => {
  test('that comes first stops a run before its first step; resumed, it goes on', async () => {
    const sleeper = await Sleeper.create(world);
    const { workflowId } = await world.client.workflow.signalWithStart('rollingUpdate', {
      workflowId: `${sleeper.name}/first`,
      taskQueue: world.queue,
      args: [{ target: sleeper.name, image: 'sleeper:2' }],
      signal: controls.pause,
      signalArgs: [by],
    });
    const run = world.attach(workflowId);
    const paused = await until(run, 'paused', (seen) => seen.paused !== undefined);
    expect(paused.steps).toEqual([]);
    expect(paused.paused).toMatchObject(by);
    expect(await details(run)).toMatch(/\*\*Paused\*\* since .* by Test Person: a test\./);
    await run.handle.signal(controls.resume);
    await run.decide(decisionFor(await run.gate(), 'reject'));
    const { report } = await run.end();
    expect(report.controls.map(({ control, note }) => [control, note])).toEqual([
      ['pause', 'the run pauses before its next step'],
      ['resume', 'the run goes on'],
    ]);
    expect(await details(run)).not.toMatch(/Paused/);
    await run.saveHistory('controls-paused-first');
  });

  test('at the gate leaves the gate open; once approved, the run waits before it takes the lock', async () => {
    const sleeper = await Sleeper.create(world, { profile: { lock: { pauseSeconds: 1 } } });
    const run = await sleeper.start();
    const gate = await run.gate();
    await run.handle.signal(controls.pause, by);
    await isPaused(run);
    await run.decide(decisionFor(gate));
    const { lock, steps: done } = await until(run, 'past its gate', (seen) => seen.waitingFor === undefined);
    expect(lock).toBeUndefined();
    expect(done.at(-1)).toMatchObject({ name: steps.approve, state: 'done' });
    expect(await sleeper.lock()).toEqual({});
    // Nothing is held, so the second that bounds a pause under the lock passes without effect.
    await run.handle.signal(controls.pause);
    const since = Date.parse((await run.describe()).paused?.since ?? '');
    await until(run, 'paused for 1.5 s', (seen) => {
      expect(seen.paused).toBeDefined();
      return Date.now() - since > 1500;
    });
    await run.handle.signal(controls.resume);
    await run.approve(gate);
    const { report } = await run.end();
    expect(report.outcome).toBe('succeeded');
    expect(report.controls[1]?.note).toBe('the run was paused already');
    expect(await run.failedTasks()).toBe(0);
    await run.saveHistory('controls-paused-at-gate');
  });

  test('under the lock holds the next step up; resumed, the run goes on', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    await pauseUnderLock(sleeper, run);
    const held = await until(run, 'holding the target', ({ lock }) => lock?.startsWith('this run') === true);
    expect(held.paused).toBeDefined();
    expect(held.steps.at(-1)).toMatchObject({ name: steps.lock, state: 'done' });
    expect(await sleeper.marker()).toBe('');
    await run.handle.signal(controls.resume);
    const gate = await run.gate();
    await run.decide(decisionFor(gate));
    expect((await run.end()).report.outcome).toBe('succeeded');
    expect(await sleeper.lock()).toEqual({});
    await run.saveHistory('controls-paused-under-lock');
  });

  test('under the lock and before the change ends the run after its time, with nothing changed', async () => {
    const sleeper = await Sleeper.create(world, { profile: { lock: { pauseSeconds: 1 } } });
    const run = await sleeper.start();
    await pauseUnderLock(sleeper, run);
    const { report } = await run.end();
    expect(report.outcome).toBe('aborted');
    expect(report.error).toBe('paused for longer than 1 s while the run holds the target');
    expect(await sleeper.marker()).toBe('');
    await expectAsBefore(sleeper, run);
    await run.saveHistory('controls-paused-too-long-before-change');
  });

  test('after the change undoes it after its time', async () => {
    const sleeper = await Sleeper.create(world, { stuck: true, profile: { lock: { pauseSeconds: 1 } } });
    const run = await sleeper.start();
    await duringRollout(run);
    await run.handle.signal(controls.pause, by);
    await isPaused(run);
    await sleeper.release();
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('undone');
    expect(report.error).toBe('paused for longer than 1 s while the run holds the target');
    expect(report.steps.some(({ name }) => name === steps.verify)).toBe(false);
    await expectAsBefore(sleeper, run);
    await run.saveHistory('controls-paused-too-long-after-change');
  });

  test('does not hold an undo up', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    const gate = await atUnknownHealth(run);
    await run.handle.signal(controls.pause, by);
    await isPaused(run);
    await run.decide(decisionFor(gate, 'reject'));
    expect((await run.end()).failure?.type).toBe('undone');
    await expectAsBefore(sleeper, run);
  });

  test('that does not exist cannot be resumed, which is noted', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    const gate = await run.gate();
    await run.handle.signal(controls.resume, by);
    await run.decide(decisionFor(gate, 'reject'));
    const { report } = await run.end();
    expect(report.controls).toEqual([
      expect.objectContaining({ control: 'resume', ...by, note: 'the run was not paused' }),
    ]);
  });
});

interface Point {
  name: string;
  file: string;
  outcome: 'aborted' | 'undone';
  stuck?: boolean;
  arrive: (run: TestRun, sleeper: Sleeper) => Promise<unknown>;
}

const points: Point[] = [
  { name: 'at its gate', file: 'at-gate', outcome: 'aborted', arrive: (run) => run.gate() },
  {
    name: 'while it is paused before its lock',
    file: 'while-paused',
    outcome: 'aborted',
    arrive: async (run) => {
      const gate = await run.gate();
      await run.handle.signal(controls.pause);
      await isPaused(run);
      await run.decide(decisionFor(gate));
      await until(run, 'past its gate', ({ waitingFor }) => waitingFor === undefined);
    },
  },
  {
    name: 'while it waits for its lock',
    file: 'while-frozen',
    outcome: 'aborted',
    arrive: async (run, sleeper) => {
      const gate = await run.gate();
      await sleeper.freeze();
      await run.decide(decisionFor(gate));
      await until(run, 'waiting', ({ lock }) => lock?.startsWith('frozen') === true);
    },
  },
  {
    name: 'while it is paused under the lock',
    file: 'paused-under-lock',
    outcome: 'aborted',
    arrive: async (run, sleeper) => {
      await pauseUnderLock(sleeper, run);
      await until(run, 'holding the target', ({ lock }) => lock?.startsWith('this run') === true);
    },
  },
  {
    name: 'in the middle of its rollout',
    file: 'during-rollout',
    outcome: 'undone',
    stuck: true,
    arrive: (run) => duringRollout(run),
  },
  {
    name: 'while it is paused after the change',
    file: 'paused-after-change',
    outcome: 'undone',
    stuck: true,
    arrive: async (run, sleeper) => {
      await duringRollout(run);
      await run.handle.signal(controls.pause);
      await isPaused(run);
      await sleeper.release();
      await until(run, 'paused after its rollout', (seen) => seen.steps.at(-1)?.state === 'done');
    },
  },
  {
    name: 'while it asks about its unknown health',
    file: 'at-unknown',
    outcome: 'undone',
    arrive: (run) => atUnknownHealth(run),
  },
];

describe.each([
  { how: 'abort', stop: (run: TestRun) => run.handle.signal(controls.abort, by) },
  { how: 'cancel', stop: (run: TestRun) => run.handle.cancel() },
])('$how', ({ how, stop }) => {
  test.each(points)(
    'ends a run $name at once, $outcome',
    async ({ file, outcome, stuck = false, arrive }) => {
      const sleeper = await Sleeper.create(world, { stuck });
      const run = await sleeper.start();
      await arrive(run, sleeper);
      await stop(run);
      if (stuck) {
        // The rollout is not waited for; the undo's own is, and hangs as well.
        await until(run, 'undoing', (seen) => reached(seen, steps.undo));
        await sleeper.release();
      }
      const { report, failure } = await run.end();
      expect(failure?.type).toBe(outcome === 'undone' ? 'undone' : undefined);
      expect(report.outcome).toBe(outcome);
      expect(report.error).toBe(
        how === 'abort' ? 'aborted by Test Person: a test' : 'cancelled from Temporal',
      );
      if (outcome === 'aborted') expect(await sleeper.marker()).toBe('');
      else expect(report.undo[0]?.state).toBe('done');
      await sleeper.unfreeze();
      await expectAsBefore(sleeper, run);
      expect((await run.describe()).outcome).toBe(outcome);
      await run.saveHistory(`controls-${how}-${file}`);
    },
  );
});

describe('an abort', () => {
  test('during the undo changes nothing any more and is noted, and so are pause, resume and a cancellation', async () => {
    const sleeper = await Sleeper.create(world, { stuck: true });
    const run = await sleeper.start();
    await duringRollout(run);
    await run.handle.signal(controls.abort, by);
    await until(run, 'undoing', (seen) => reached(seen, steps.undo));
    for (const control of [controls.abort, controls.pause, controls.resume]) await run.handle.signal(control);
    await run.handle.cancel();
    await sleeper.release();
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('undone');
    expect(report.error).toBe('aborted by Test Person: a test');
    const late = report.controls.slice(1).map(({ control, note }) => [control, note]);
    expect(late).toEqual(
      ['abort', 'pause', 'resume'].map((control) => [control, 'the run is ending already']),
    );
    await expectAsBefore(sleeper, run);
    await run.saveHistory('controls-abort-during-undo');
  });

  test('after the end is refused by Temporal and changes nothing', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start({ dryRun: true });
    await run.end();
    await expect(run.handle.signal(controls.abort)).rejects.toThrow(/already completed|not found/);
    expect((await run.describe()).outcome).toBe('planned');
  });

  test('together with an approval ends the run, whichever came first', async () => {
    const sleeper = await Sleeper.create(world);
    for (const abortFirst of [true, false]) {
      const run = await sleeper.start();
      const { decision, ...approval } = decisionFor(await run.gate());
      await world.stopWorker();
      if (abortFirst) await run.handle.signal(controls.abort);
      await run.handle.signal(decision, approval);
      if (!abortFirst) await run.handle.signal(controls.abort);
      await world.startWorker();
      expect((await run.end()).report.outcome).toBe('aborted');
      expect(await sleeper.marker()).toBe('');
      await expectAsBefore(sleeper, run);
    }
  });
});

describe('junk beside a control', () => {
  const junk: { what: string; input: unknown; taken: Partial<ControlRecord> }[] = [
    { what: 'nothing', input: undefined, taken: {} },
    { what: 'null', input: null, taken: {} },
    { what: 'a number', input: 7, taken: {} },
    { what: 'a word', input: 'x', taken: {} },
    { what: 'a list', input: [], taken: {} },
    { what: 'fields of other types', input: { by: 5, reason: { deep: [] } }, taken: {} },
    { what: '100 KB of text', input: { by: 'x'.repeat(100_000) }, taken: { by: `${'x'.repeat(99)}…` } },
    {
      what: 'names that break lines and tables',
      input: { by: 'Eve\n# **Approved** | [x](http://evil.example)\r\u202e', reason: '\ud800`{{x}}`' },
      taken: { by: 'Eve # **Approved** | [x](http://evil.example)', reason: '\ufffd`{{x}}`' },
    },
  ];

  test('is left out: pause and resume do what their names say', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    const gate = await run.gate();
    for (const { input } of junk) {
      await run.handle.signal(controls.pause, input);
      await isPaused(run);
      await run.handle.signal(controls.resume, input);
    }
    await until(run, 'resumed', ({ paused }) => paused === undefined);
    await run.decide(decisionFor(gate, 'reject'));
    const { report } = await run.end();
    const taken = report.controls.map(({ by: who, reason }) => ({
      ...(who === undefined ? {} : { by: who }),
      ...(reason === undefined ? {} : { reason }),
    }));
    expect(taken).toEqual(junk.flatMap((one) => [one.taken, one.taken]));
    expect(await run.failedTasks()).toBe(0);
  });

  test.each(junk)('$what: abort ends the run, and its report can be read', async ({ input, taken }) => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    await run.gate();
    await run.handle.signal(controls.abort, input);
    const { report } = await run.end();
    expect(report.outcome).toBe('aborted');
    expect(report.controls).toEqual([expect.objectContaining({ control: 'abort', ...taken })]);
    const page = renderReport(report).split('\n');
    expect(page.filter((line) => line.startsWith('#'))).toEqual(
      expect.not.arrayContaining([expect.stringContaining('Approved')]),
    );
    expect(page.filter((line) => line.includes('abort: ') || line.includes('abort by'))).not.toEqual([]);
    expect(page.join('\n')).not.toMatch(/[\u202e\ud800]|\]\(http/);
    await expectAsBefore(sleeper, run);
  });

  test('in an encoding that nobody knows does not stop an abort', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    await run.gate();
    await world.client.workflowService.signalWorkflowExecution({
      namespace: world.client.options.namespace,
      workflowExecution: { workflowId: run.handle.workflowId },
      signalName: controls.abort,
      input: {
        payloads: [{ metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('{half') }],
      },
    });
    expect((await run.end()).report.outcome).toBe('aborted');
    await expectAsBefore(sleeper, run);
  });
});

describe('a run that was terminated under the lock', () => {
  interface After {
    sleeper: Sleeper;
    dead: TestRun;
    run: TestRun;
    gate: Gate;
  }

  /** A dead run, and the next one at its question. */
  async function afterDeath(stuck: boolean): Promise<After> {
    const sleeper = await Sleeper.create(world, { stuck });
    const dead = await sleeper.start();
    if (stuck) await duringRollout(dead);
    else await atUnknownHealth(dead);
    await dead.handle.terminate('a test');
    expect(await sleeper.image()).toBe('sleeper:2');
    const { holder = '{}', leftover = '{}' } = await sleeper.lock();
    expect(JSON.parse(holder)).toMatchObject({ workflowId: dead.handle.workflowId });
    expect(JSON.parse(leftover)).toMatchObject({ run: { workflowId: dead.handle.workflowId } });
    const run = await sleeper.start({ image: 'sleeper:3' });
    return { sleeper, dead, run, gate: await run.gate() };
  }

  // Together, since each of them waits 15 s for workers of the dead run to notice its end.
  let approved: After;
  let rejected: After;
  let interrupted: After;
  beforeAll(async () => {
    approved = await afterDeath(false);
    rejected = await afterDeath(false);
    interrupted = await afterDeath(true);
    await approved.run.decide(decisionFor(approved.gate));
    await rejected.run.decide(decisionFor(rejected.gate, 'reject'));
    await interrupted.run.decide(decisionFor(interrupted.gate));
  });

  test('leaves a half-done change that the next run asks about; approved, the former state is back', async () => {
    const { sleeper, dead, run, gate } = approved;
    expect(gate.step).toBe('Decide about a half-done change');
    expect(gate.question).toContain(dead.handle.workflowId);
    const second = await run.gate(gate);
    expect(second.step).toBe(steps.approve);
    expect(await sleeper.image()).toBe('sleeper:1');
    expect(await sleeper.lock()).toEqual({});
    expect((await run.describe()).plan?.summary.join('\n')).toMatch(/sleeper:1.*sleeper:3/s);
    await run.decide(decisionFor(second, 'reject'));
    expect((await run.end()).report.outcome).toBe('rejected');
    await expectAsBefore(sleeper, run);
    await run.saveHistory('controls-leftover-undone');
  });

  test('rejected, the half-done change stays and the next run plans from there', async () => {
    const { sleeper, run, gate } = rejected;
    const second = await run.gate(gate);
    expect(second.step).toBe(steps.approve);
    expect(await sleeper.image()).toBe('sleeper:2');
    expect(await sleeper.lock()).toEqual({});
    await run.handle.signal(controls.abort);
    expect((await run.end()).report.outcome).toBe('aborted');
    await run.saveHistory('controls-leftover-kept');
  });

  test('an abort while its change is being undone leaves the question for the next run', async () => {
    const { sleeper, dead, run } = interrupted;
    // The former release hangs as well: the undo waits for it.
    await until(run, 'undoing', (seen) => reached(seen, 'Undo the half-done change'));
    await run.handle.signal(controls.abort);
    expect((await run.end()).report.outcome).toBe('aborted');
    const { holder, leftover } = await sleeper.lock();
    expect(holder).toBeUndefined();
    expect(leftover).toContain(dead.handle.workflowId);
    await run.saveHistory('controls-leftover-aborted');
  });
});

describe('a run that was reset', () => {
  /** Starts the run anew from the workflow task that ended last before `event`; without one, from its last. */
  async function reset(run: TestRun, before?: string): Promise<void> {
    const { runId } = await run.handle.describe();
    const { events: found } = await world.client.workflow
      .getHandle(run.handle.workflowId, runId)
      .fetchHistory();
    const events = found ?? [];
    const until =
      before === undefined ? events.length : events.findIndex((one) => JSON.stringify(one).includes(before));
    const task = events
      .slice(0, until)
      .findLast((one) => one.workflowTaskCompletedEventAttributes instanceof Object);
    await world.client.workflowService.resetWorkflowExecution({
      namespace: world.client.options.namespace,
      workflowExecution: { workflowId: run.handle.workflowId, runId },
      reason: 'a test',
      requestId: randomUUID(),
      workflowTaskFinishEventId: task?.eventId ?? null,
    });
  }

  test('at its gate waits at the same gate until the same deadline', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    const gate = await run.gate();
    // Temporal starts anew from a workflow task; the one that opened the gate would open it anew.
    await run.handle.signal(controls.resume);
    await until(run, 'told', (seen) => seen.controls.length === 1);
    await reset(run);
    const again = world.attach(run.handle.workflowId);
    expect(await again.gate()).toEqual({ ...gate, runId: expect.not.stringContaining(gate.runId) });
    await again.decide(decisionFor(gate));
    await again.approve(gate);
    expect((await again.end()).report.outcome).toBe('succeeded');
    expect(await sleeper.image()).toBe('sleeper:2');
    expect(await sleeper.lock()).toEqual({});
    await again.saveHistory('controls-reset-at-gate');
  });

  test('from under its lock to before its gate finds what it left, stops, and the next run asks about it', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    await atUnknownHealth(run);
    await reset(run, 'workflowExecutionUpdateAcceptedEventAttributes":{');
    const again = world.attach(run.handle.workflowId);
    // Temporal sends the approval again, so the run needs nobody for that.
    const { report, failure } = await again.end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(
      /died in the middle of "Change the image" since this run looked; start again/,
    );
    const { holder, leftover } = await sleeper.lock();
    expect(holder).toBeUndefined();
    expect(leftover).toContain(run.handle.workflowId);
    await again.saveHistory('controls-reset-under-lock');
    const next = await sleeper.start();
    const gate = await next.gate();
    expect(gate.step).toBe('Decide about a half-done change');
    await next.decide(decisionFor(gate));
    await next.decide(decisionFor(await next.gate(gate), 'reject'));
    await next.end();
    await expectAsBefore(sleeper, next);
  });

  test('after its end writes nothing while another run holds the target', async () => {
    const sleeper = await Sleeper.create(world);
    const ended = await sleeper.start();
    await ended.decide(decisionFor(await atUnknownHealth(ended)));
    await ended.end();
    const holding = await sleeper.start({ image: 'sleeper:3' });
    await atUnknownHealth(holding);
    const written = await sleeper.marker();
    await reset(ended, '"applyWrite"');
    const again = world.attach(ended.handle.workflowId);
    const { report } = await again.end();
    expect(report.error).toMatch(/holds target .* now, so nothing was written/);
    expect(await sleeper.marker()).toBe(written);
    expect(await sleeper.image()).toBe('sleeper:3');
    await again.saveHistory('controls-reset-after-end');
    await holding.handle.signal(controls.abort);
    expect((await holding.end()).failure?.type).toBe('undone');
    expect(await sleeper.image()).toBe('sleeper:2');
    expect(await sleeper.lock()).toEqual({});
  });
});
