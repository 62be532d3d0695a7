import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { controls, type Gate } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { createSleeper, sleeperProfile } from '../support/sleeper.ts';
import { unique } from '../support/stack.ts';
import { decisionFor, World, type TestRun } from '../support/world.ts';

/** The sentence that a person reads when `decide` refuses. */
async function refusal(run: TestRun, decision: unknown): Promise<string> {
  const error: unknown = await run.decide(decision).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw new Error('the decision was not refused');
  return error.cause?.message ?? '';
}

// A workload without pods: its rollout is complete at once, and its health cannot be proven.
describe('a gate', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ namespace: true });
  });
  beforeEach(async () => {
    await createSleeper(world);
  });
  afterAll(async () => {
    await world.close();
  });

  test('refuses a decision for another plan with a sentence, and writes nothing into the history', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const gate = await run.gate();
    const sentence = await refusal(run, { ...decisionFor(gate), planHash: 'f'.repeat(64) });
    expect(sentence).toBe(
      `plan hash does not match: this run waits for ${gate.planHash}. Read the plan that the run shows now, then decide again`,
    );
    // Messages and the audit log go on beside it: what counts is that no trace of the update is there.
    const { events } = await run.handle.fetchHistory();
    expect(
      (events ?? []).filter((one) => one.workflowExecutionUpdateAcceptedEventAttributes instanceof Object),
    ).toEqual([]);
    expect((await run.describe()).waitingFor?.id).toBe(gate.id);
    await run.decide(decisionFor(gate, 'reject'));
    await run.end();
  });

  test('an approval that comes before the gate is recorded and ignored', async () => {
    const early = { gate: 'gate-1', planHash: 'f'.repeat(64), approver: 'Early Bird' };
    const handle = await world.client.workflow.signalWithStart('rollingUpdate', {
      workflowId: unique('run'),
      taskQueue: world.queue,
      args: [{ image: 'sleeper:2' }],
      signal: controls.approve,
      signalArgs: [early],
    });
    const run = world.attach(handle.workflowId);
    const gate = await run.gate();
    expect((await run.describe()).decisions).toEqual([
      expect.objectContaining({
        via: 'signal',
        accepted: false,
        note: expect.stringMatching(/^no gate is open/),
      }),
    ]);
    await run.decide(decisionFor(gate, 'reject'));
    expect((await run.end()).report.outcome).toBe('rejected');
  });

  test('is answered once: the same decision again is refused and says who decided', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const first = await run.approve();
    const second = await run.gate(first);
    expect(await refusal(run, decisionFor(first))).toBe(
      `gate "gate-1" was decided already: approved by Test Person; this run waits at gate "gate-2"`,
    );
    await run.decide(decisionFor(second));
    await run.end();
  });

  test('takes the signal approve as it takes the update', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const gate = await run.gate();
    const { decision: implied, ...body } = decisionFor(gate, 'reject');
    await run.handle.signal(implied, body);
    const { report } = await run.end();
    expect(report.outcome).toBe('rejected');
    expect(report.decisions).toEqual([expect.objectContaining({ via: 'signal', accepted: true })]);
  });

  test('survives junk: signals of any shape are recorded, bounded, and never break the run', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const gate = await run.gate();
    const junk = [
      undefined,
      null,
      7,
      'approve',
      [],
      {},
      { gate: 1 },
      { __proto__: null, gate: gate.id },
      'x'.repeat(100_000),
    ];
    for (const one of junk) await run.handle.signal(controls.approve, one);
    for (let count = 0; count < 120; count++) await run.handle.signal(controls.reject, { count });
    await run.decide(decisionFor(gate, 'reject'));
    const { report } = await run.end();
    expect(report.outcome).toBe('rejected');
    expect(report.decisions.filter((record) => !record.accepted)).toHaveLength(100);
    expect(report.decisions.filter((record) => record.accepted)).toHaveLength(1);
    expect(report.ignoredDecisions).toBe(junk.length + 120 - 100);
    expect(await run.failedTasks()).toBe(0);
  });

  test('takes silence as a no at its deadline, and the run completes with nothing changed', async () => {
    world.writeProfile('alecs', { ...sleeperProfile(world.namespace), gate: { deadlineSeconds: 1 } });
    const run = await world.start({ image: 'sleeper:2' });
    const { report, failure } = await run.end();
    expect(failure).toBeUndefined();
    expect(report.outcome).toBe('timedOut');
    expect(await world.liveImage()).toBe('sleeper:1');
    await run.saveHistory('timed-out');
  });

  test('a decision for a run that has ended is refused by the server', async () => {
    const run = await world.start({ image: 'sleeper:2', dryRun: true });
    await run.end();
    await run.saveHistory('planned');
    await expect(run.decide({})).rejects.toThrow();
  });

  test('opens again when the plan changed since the approval, and says what changed', async () => {
    const run = await world.start({ image: 'sleeper:3' });
    const first = await run.gate();
    await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:2');
    await run.decide(decisionFor(first));
    const second = await run.gate(first);
    expect(second.planHash).not.toBe(first.planHash);
    expect(second.question).toMatch(
      /The plan changed since it was approved\..*sleeper:2 → sleeper:3 \(was sleeper:1 → sleeper:3\)/,
    );
    await run.decide(decisionFor(second, 'reject'));
    const { report } = await run.end();
    expect(report.outcome).toBe('rejected');
    expect(await world.liveImage()).toBe('sleeper:2');
    await run.saveHistory('plan-changed');
  });

  test('opens again when the target profile was edited while the run waited', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const first = await run.gate();
    world.writeProfile('alecs', { ...sleeperProfile(world.namespace), description: 'edited' });
    await run.decide(decisionFor(first));
    const second = await run.gate(first);
    expect(second.question).toMatch(/the target profile changed/);
    await run.decide(decisionFor(second, 'reject'));
    await run.end();
  });

  test('a target profile that was deleted while the run waited ends it with nothing changed', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const gate = await run.gate();
    world.removeProfile('alecs');
    await run.decide(decisionFor(gate));
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(/there is no target|target is missing/);
    expect(await world.liveImage()).toBe('sleeper:1');
  });

  test('when someone else made the change meanwhile, nothing is left to do', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const gate = await run.gate();
    await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:2');
    await run.decide(decisionFor(gate));
    const { report } = await run.end();
    expect(report.outcome).toBe('succeeded');
    expect(report.headline[0]).toMatch(/Nothing left to change/);
  });

  describe('a proof that cannot be obtained', () => {
    async function atUnknown(): Promise<{ run: TestRun; gate: Gate }> {
      const run = await world.start({ image: 'sleeper:2' });
      const first = await run.approve();
      return { run, gate: await run.gate(first) };
    }

    test('pauses the run and asks; accepted, the change stays and the report says unknown', async () => {
      const { run, gate } = await atUnknown();
      expect(gate.question).toMatch(/The proof could not be obtained/);
      await run.decide(decisionFor(gate));
      const { report } = await run.end();
      expect(report.outcome).toBe('succeeded');
      expect(report.headline[1]).toMatch(/healthy now is unknown/);
      expect(await world.liveImage()).toBe('sleeper:2');
      await run.saveHistory('unknown-accepted');
    });

    test('rejected, the change is undone', async () => {
      const { run, gate } = await atUnknown();
      await run.decide(decisionFor(gate, 'reject'));
      const { report, failure } = await run.end();
      expect(failure?.type).toBe('undone');
      expect(report.undo[0]?.note).toMatch(/the template equals the former one/);
      expect(await world.liveImage()).toBe('sleeper:1');
      await run.saveHistory('unknown-rejected');
    });

    test('cancelled from Temporal after the change, the change is undone', async () => {
      const { run } = await atUnknown();
      await run.handle.cancel();
      const { failure, report } = await run.end();
      expect(failure?.type).toBe('undone');
      expect(report.error).toBe('cancelled from Temporal');
      expect(await world.liveImage()).toBe('sleeper:1');
      await run.saveHistory('cancelled-after-change');
    });

    test('an undo never overwrites an image that someone else set meanwhile', async () => {
      const { run, gate } = await atUnknown();
      await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:9');
      await run.decide(decisionFor(gate, 'reject'));
      const { report } = await run.end();
      expect(report.outcome).toBe('undone');
      expect(report.undo[0]?.drift).toEqual(['spec/template/spec/containers[name=sleeper]/image']);
      expect(await world.liveImage()).toBe('sleeper:9');
    });

    test('an undo leaves what someone else changed meanwhile and names it', async () => {
      const { run, gate } = await atUnknown();
      await world.kubectl('set', 'env', 'deployment/alecs-server', 'ADDED_BY_HAND=1');
      await run.decide(decisionFor(gate, 'reject'));
      const { report } = await run.end();
      expect(report.outcome).toBe('undone');
      expect(report.undo[0]?.drift).toEqual(['spec/template/spec/containers[name=sleeper]/env']);
      expect(report.headline[2]).toMatch(/someone else/);
      expect(await world.liveImage()).toBe('sleeper:1');
    });
  });

  test('cancelled from Temporal at the gate, the run ends aborted with nothing changed', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    await run.gate();
    await run.handle.cancel();
    const { report, failure } = await run.end();
    expect(failure).toBeUndefined();
    expect(report.outcome).toBe('aborted');
    expect(await world.liveImage()).toBe('sleeper:1');
    await run.saveHistory('aborted');
  });

  test('a run that waits goes on with another worker when its own has gone', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const gate = await run.gate();
    await world.stopWorker();
    await world.startWorker();
    await run.decide(decisionFor(gate, 'reject'));
    expect((await run.end()).report.outcome).toBe('rejected');
  });

  test('search attributes tell target, step and outcome', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    await run.decide(decisionFor(await run.gate(), 'reject'));
    await run.end();
    await run.saveHistory('rejected');
    const found = await waitFor(
      async () => {
        const all = (await run.handle.describe()).typedSearchAttributes.getAll();
        return all.length >= 3
          ? Object.fromEntries(all.map(({ key, value }) => [key.name, value]))
          : undefined;
      },
      { what: 'search attributes', timeoutMilliseconds: 10_000 },
    );
    expect(found).toMatchObject({
      RunbookTarget: 'alecs',
      RunbookStep: 'Approve the change',
      RunbookOutcome: 'rejected',
    });
  });
});
