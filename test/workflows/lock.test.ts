import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { applyWrite } from '../../src/activities/kubernetes/apply-write.ts';
import type { Holder, Leftover } from '../../src/contracts/lock.ts';
import { lockNamespace } from '../../src/contracts/names.ts';
import { rollingUpdateSteps as steps } from '../../src/contracts/rolling-update.ts';
import type { RunDescription } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { dataConverter } from '../../src/worker.ts';
import { failureOf } from '../activities/support/run-activity.ts';
import { reached, Sleeper, until } from '../support/sleepers.ts';
import { kubectlIn, openGateway, unique } from '../support/stack.ts';
import { decisionFor, demoProfile, World, type TestRun } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('./nested/index.ts', import.meta.url));
  const logger = new DefaultLogger('ERROR');
  const bundle = await bundleWorkflowCode({ workflowsPath, ...dataConverter, logger });
  world = await World.create({ namespace: true, bundle });
});
afterAll(async () => {
  await world.close();
});

const patient = { lock: { waitSeconds: 60 } };

/** A run that changed its workload and stands at the question about its unknown health: it holds the target. */
async function aHolder(sleeper: Sleeper): Promise<TestRun> {
  const run = await sleeper.start();
  await run.gate(await run.approve());
  return run;
}

async function holderOf(sleeper: Sleeper): Promise<Holder | undefined> {
  const { holder } = await sleeper.lock();
  return holder === undefined ? undefined : (JSON.parse(holder) as Holder);
}

async function waitsForLock(run: TestRun, what: RegExp): Promise<RunDescription> {
  return await until(run, `waiting: ${what.source}`, ({ lock }) => lock !== undefined && what.test(lock));
}

/** Answers the last gate of a holder, and so ends it. */
async function finish(run: TestRun): Promise<void> {
  const gate = (await run.describe()).waitingFor;
  if (gate !== undefined) await run.decide(decisionFor(gate));
  await run.end();
}

async function setLease(sleeper: Sleeper, annotation: string): Promise<void> {
  const name = `${sleeper.name}.${world.namespace}`;
  await kubectlIn(lockNamespace)('annotate', 'lease', name, '--overwrite', annotation);
}

describe('a second run on a held target', () => {
  test('shows the holder in its plan, waits for it, and goes on when that ends', async () => {
    const sleeper = await Sleeper.create(world, { profile: patient });
    const holder = await aHolder(sleeper);
    const run = await sleeper.start({ image: 'sleeper:3' });
    const gate = await run.gate();
    const seen = new RegExp(`run ${holder.handle.workflowId} \\(rollingUpdate\\) holds the target`);
    const { plan, lock } = await run.describe();
    expect(plan?.summary.join('\n')).toMatch(seen);
    expect(lock).toMatch(seen);
    await run.decide(decisionFor(gate));
    const waiting = await until(
      run,
      'waiting for the lock',
      (one) => one.steps.at(-1)?.state === 'waiting' && reached(one, steps.lock),
    );
    expect(waiting.steps.at(-1)?.note).toMatch(seen);
    await finish(holder);
    await run.gate(gate);
    await finish(run);
    expect(await sleeper.image()).toBe('sleeper:3');
    expect(await sleeper.lock()).toEqual({});
    await run.saveHistory('lock-waited');
  });

  test('is refused when that does not end in time, naming the holder and its step', async () => {
    const sleeper = await Sleeper.create(world, { profile: { lock: { waitSeconds: 1 } } });
    const holder = await aHolder(sleeper);
    const run = await sleeper.start({ image: 'sleeper:3' });
    await run.approve();
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(new RegExp(`run ${holder.handle.workflowId} .*now at "${steps.verify}"`));
    expect((await holderOf(sleeper))?.workflowId).toBe(holder.handle.workflowId);
    await run.saveHistory('lock-held');
    await finish(holder);
  });

  test('started at the same moment: one after the other, never both', async () => {
    const sleeper = await Sleeper.create(world, { profile: patient });
    const both = await Promise.all([sleeper.start(), sleeper.start()]);
    const gates = await Promise.all(both.map((run) => run.approve()));
    const first = await waitFor(
      async () => {
        const holder = await holderOf(sleeper);
        return both.find((run) => run.handle.workflowId === holder?.workflowId);
      },
      { what: 'one of the two to hold the target', timeoutMilliseconds: 30_000 },
    );
    await first.gate(gates[both.indexOf(first)]);
    await finish(first);
    const second = both.find((run) => run !== first)!;
    const { report } = await second.end();
    expect(report.headline[0]).toMatch(/Nothing left to change/);
  });
});

describe('a target whose holder died in the middle of a change', () => {
  /** What a late write of the dead run would carry. */
  async function terminated(sleeper: Sleeper): Promise<{ dead: TestRun; leftover: Leftover }> {
    const dead = await aHolder(sleeper);
    await dead.handle.terminate('a test');
    const { leftover } = await sleeper.lock();
    return { dead, leftover: JSON.parse(leftover!) as Leftover };
  }

  test.each(['approve', 'reject'] as const)(
    'asks about it first; after %s a late write of the dead run is refused',
    async (decision) => {
      const sleeper = await Sleeper.create(world);
      const { dead, leftover } = await terminated(sleeper);
      const run = await sleeper.start({ image: 'sleeper:3' });
      const gate = await run.gate();
      expect(gate.question).toMatch(new RegExp(`^Half-done change: run ${dead.handle.workflowId} `));
      await run.decide(decisionFor(gate, decision));
      const next = await run.gate(gate);
      expect(next.question).toBe('Roll out these images?');
      expect(await sleeper.image()).toBe(decision === 'approve' ? 'sleeper:1' : 'sleeper:2');
      expect(await sleeper.marker()).toMatch(
        new RegExp(`^${dead.handle.workflowId}/.*\\(${run.handle.workflowId}/`),
      );
      await refusesLate(leftover);
      await run.decide(decisionFor(next, 'reject'));
      expect((await run.end()).report.outcome).toBe('rejected');
      expect(await sleeper.lock()).toEqual({});
      await run.saveHistory(decision === 'approve' ? 'lock-leftover-undone' : 'lock-leftover-kept');
    },
  );

  test('stays a question when the run that was to settle it is aborted', async () => {
    const sleeper = await Sleeper.create(world);
    await terminated(sleeper);
    const run = await sleeper.start({ image: 'sleeper:3' });
    await run.approve();
    await until(run, 'taking the lock', (one) => reached(one, 'Take the lock'));
    await run.handle.signal('abort', {});
    expect((await run.end()).report.outcome).toBe('aborted');
    expect(await sleeper.lock()).toHaveProperty('leftover');
  });

  test('is no question when its object is gone, and the lock is not stuck', async () => {
    const sleeper = await Sleeper.create(world);
    await terminated(sleeper);
    await world.kubectl('delete', 'deployment', sleeper.name);
    await world.kubectl('create', 'deployment', sleeper.name, '--image=sleeper:1', '--replicas=0');
    const run = await sleeper.start({ image: 'sleeper:3' });
    const gate = await run.approve();
    const next = await run.gate(gate);
    const note = (await run.describe()).steps.find(({ name }) => name === 'Undo the half-done change')?.note;
    expect(note).toMatch(/was deleted and made anew/);
    await run.decide(decisionFor(next, 'reject'));
    await run.end();
    expect(await sleeper.lock()).toEqual({});
  });

  async function refusesLate({ undo, run }: Leftover): Promise<void> {
    const gateway = openGateway();
    try {
      const marker = `${run.workflowId}/${run.firstRunId}/${steps.change}`;
      // Past its check of the lock already.
      const late = applyWrite(gateway, undo[0]!.write, marker, AbortSignal.timeout(10_000));
      expect((await failureOf(late)).type).toBe('Moved');
    } finally {
      await gateway.close();
    }
  }
});

test('a lock that another Temporal holds refuses the run and names runbook unlock', async () => {
  const sleeper = await Sleeper.create(world);
  const holder = await aHolder(sleeper);
  const held = await holderOf(sleeper);
  await setLease(sleeper, `runbook/holder=${JSON.stringify({ ...held, temporalCluster: 'elsewhere' })}`);
  const run = await sleeper.start({ image: 'sleeper:3' });
  await run.approve();
  const { report, failure } = await run.end();
  expect(failure?.type).toBe('failed');
  expect(report.error).toMatch(/in another Temporal.*runbook unlock/);
  await holder.handle.terminate();
});

describe('a freeze', () => {
  test('set while a run stands at its gate holds it back after the approval until it is over', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    const gate = await run.gate();
    await sleeper.freeze();
    await run.decide(decisionFor(gate));
    await waitsForLock(run, /^frozen by Test Person/);
    expect(await sleeper.image()).toBe('sleeper:1');
    await sleeper.unfreeze();
    await run.gate(gate);
    await finish(run);
    expect(await sleeper.image()).toBe('sleeper:2');
    await run.saveHistory('lock-unfrozen');
  });

  test('that outlasts the deadline of the gate ends the approved run with nothing changed', async () => {
    const sleeper = await Sleeper.create(world, { profile: { gate: { deadlineSeconds: 4 } } });
    const run = await sleeper.start();
    const gate = await run.gate();
    await sleeper.freeze();
    await run.decide(decisionFor(gate));
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(/frozen by Test Person.*until the deadline/);
    expect(await sleeper.image()).toBe('sleeper:1');
    await run.saveHistory('lock-frozen');
  });

  test('stops a new run at its plan and names who froze the target', async () => {
    const sleeper = await Sleeper.create(world);
    await sleeper.freeze();
    const { report } = await (await sleeper.start()).end();
    expect(report.error).toMatch(/frozen by Test Person since .*runbook unfreeze/);
    expect(report.steps.at(-1)).toMatchObject({ name: steps.plan, state: 'failed' });
  });
});

describe('a profile', () => {
  const changed = ({ name }: Sleeper): void => {
    world.writeProfile(name, {
      ...demoProfile(world.namespace),
      target: name,
      workload: name,
      workloads: { [name]: { kind: 'Deployment', container: 'sleeper' } },
      proof: { bakeSeconds: 2, intervalSeconds: 1 },
    });
  };

  test.each(['gate', 'lock'] as const)(
    'that changes while a run waits at its %s makes the plan another one, which is asked about again',
    async (where) => {
      const sleeper = await Sleeper.create(world, { profile: patient });
      const run = await sleeper.start();
      const gate = await run.gate();
      if (where === 'lock') await sleeper.freeze();
      else changed(sleeper);
      await run.decide(decisionFor(gate));
      if (where === 'lock') {
        await waitsForLock(run, /^frozen/);
        changed(sleeper);
        await sleeper.unfreeze();
      }
      const again = await run.gate(gate);
      expect(again.question).toMatch(/^The plan changed/);
      expect(await holderOf(sleeper)).toBeUndefined();
      await run.decide(decisionFor(again, 'reject'));
      expect((await run.end()).report.outcome).toBe('rejected');
      expect(await sleeper.image()).toBe('sleeper:1');
    },
  );

  test('that is deleted while a run waits at its gate ends the run, and the lock is given back', async () => {
    const sleeper = await Sleeper.create(world);
    const run = await sleeper.start();
    const gate = await run.gate();
    world.removeProfile(sleeper.name);
    await run.decide(decisionFor(gate));
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(new RegExp(sleeper.name));
    expect(await sleeper.image()).toBe('sleeper:1');
    expect(await sleeper.lock()).toEqual({});
  });
});

describe('a child workflow', () => {
  async function start(sleeper: Sleeper, holds: boolean): Promise<{ parent: TestRun; child: TestRun }> {
    const request = { target: sleeper.name, image: 'sleeper:2' };
    const parent = await world.start({ request, holds }, unique('parent'), 'parent');
    const child = await waitFor(
      async () => {
        const { raw } = await parent.handle.describe();
        return raw.pendingChildren?.[0]?.workflowId ?? undefined;
      },
      { what: 'the child to start', timeoutMilliseconds: 30_000 },
    );
    return { parent, child: world.attach(child) };
  }

  test('writes under the lock of its parent and leaves that to it', async () => {
    const sleeper = await Sleeper.create(world);
    const { parent, child } = await start(sleeper, true);
    const gate = await child.approve();
    await child.gate(gate);
    expect((await child.describe()).lock).toMatch(/inherited from its root run/);
    await finish(child);
    expect(await sleeper.image()).toBe('sleeper:2');
    await parent.gate();
    expect((await holderOf(sleeper))?.workflowId).toBe(parent.handle.workflowId);
    await finish(parent);
    expect(await sleeper.lock()).toEqual({});
    expect(await child.failedTasks()).toBe(0);
    await child.saveHistory('lock-inherited');
  });

  test('of a parent that does not hold the target takes the lock itself and gives it back', async () => {
    const sleeper = await Sleeper.create(world);
    const { parent, child } = await start(sleeper, false);
    const gate = await child.approve();
    await child.gate(gate);
    expect((await holderOf(sleeper))?.workflowId).toBe(child.handle.workflowId);
    await finish(child);
    await parent.gate();
    expect(await sleeper.lock()).toEqual({});
    await finish(parent);
  });

  test('cannot be claimed to be one: what is given beside the input is refused', async () => {
    const sleeper = await Sleeper.create(world);
    const holder = await aHolder(sleeper);
    const held = await holderOf(sleeper);
    const claim = { workflowId: held?.workflowId, runId: held?.firstRunId };
    const handle = await world.client.workflow.start('rollingUpdate', {
      taskQueue: world.queue,
      workflowId: unique('claimant'),
      args: [
        { target: sleeper.name, image: 'sleeper:3' },
        { parent: claim, root: claim, inheritedFrom: held },
      ],
    });
    const { report } = await world.attach(handle.workflowId).end();
    expect(report).toMatchObject({ outcome: 'failed' });
    expect(report.error).toMatch(/^rollingUpdate: takes one input/);
    expect(await holderOf(sleeper)).toEqual(held);
    await finish(holder);
  });
});

describe('an emergency rollback', () => {
  test('aborts the run that holds the target, waits until that has undone its change, and goes on', async () => {
    const sleeper = await Sleeper.create(world, { profile: patient });
    await world.kubectl('set', 'image', `deployment/${sleeper.name}`, 'sleeper=sleeper:2');
    await world.kubectl('rollout', 'status', `deployment/${sleeper.name}`, '--timeout=30s');
    const holder = await sleeper.start({ image: 'sleeper:3' });
    await holder.gate(await holder.approve());
    const input = { target: sleeper.name, revision: 1, emergency: true, reason: 'a test' };
    const run = await world.start(input, unique('rollback'), 'rollback');
    const gate = await run.approve();
    const ended = await holder.end();
    expect(ended.failure?.type).toBe('undone');
    expect(ended.report.error).toMatch(
      new RegExp(`^aborted by ${run.handle.workflowId}: emergency rollback`),
    );
    // What it was to replace is another revision now, so people are asked again.
    const again = await run.gate(gate);
    await run.decide(decisionFor(again));
    await finishAll(run, again);
    expect(await sleeper.image()).toBe('sleeper:1');
    expect(await sleeper.lock()).toEqual({});
  });

  test('gives up after its time when the holder does not end, and says that it was told', async () => {
    const sleeper = await Sleeper.create(world, { profile: { lock: { preemptSeconds: 2 } } });
    await world.kubectl('set', 'image', `deployment/${sleeper.name}`, 'sleeper=sleeper:2');
    await world.kubectl('rollout', 'status', `deployment/${sleeper.name}`, '--timeout=30s');
    // A holder that no worker serves: it runs, and never hears of the abort.
    const deaf = await world.client.workflow.start('rollingUpdate', {
      taskQueue: unique('nobody'),
      workflowId: unique('deaf'),
      args: [{}],
    });
    const { workflowId, firstExecutionRunId } = deaf;
    await sleeper.freeze();
    const cluster = await world.client.workflowService.getClusterInfo({});
    const holder: Holder = {
      ...{ workflowId, firstRunId: firstExecutionRunId, procedure: 'rollingUpdate', since: 'today' },
      ...{ temporalNamespace: world.client.options.namespace, temporalCluster: cluster.clusterId },
    };
    await setLease(sleeper, `runbook/holder=${JSON.stringify(holder)}`);
    const input = { target: sleeper.name, emergency: true, reason: 'a test' };
    const run = await world.start(input, unique('rollback'), 'rollback');
    await run.approve();
    const { report } = await run.end();
    expect(report.error).toMatch(
      new RegExp(`run ${workflowId} .*it was told to abort and has not ended yet`),
    );
    await deaf.terminate();
  });

  async function finishAll(run: TestRun, after: Awaited<ReturnType<TestRun['gate']>>): Promise<void> {
    await run.approve(after);
    await run.end();
  }
});

test('an abort that comes while a run waits to continue as a new one ends it, as its sender was told', async () => {
  const sleeper = await Sleeper.create(world);
  const run = await world.start({ target: sleeper.name, image: 'sleeper:2' }, unique('slow'), 'slowToAnswer');
  await run.gate();
  const waiting = await run.handle.startUpdate('wait', { waitForStage: 'ACCEPTED' });
  await Promise.all(Array.from({ length: 510 }, () => run.handle.signal('junk')));
  await until(run, 'past its gate', ({ waitingFor }) => waitingFor === undefined);
  await run.handle.signal('abort', { by: 'Test Person' });
  await until(run, 'ending', ({ outcome }) => outcome === 'aborted');
  await run.handle.signal('answer');
  await waiting.result();
  expect((await run.end()).report).toMatchObject({ outcome: 'aborted', error: 'aborted by Test Person' });
});
