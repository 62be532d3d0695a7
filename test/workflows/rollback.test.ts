import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createSleeper } from '../support/sleeper.ts';
import { onRealNode, unique } from '../support/stack.ts';
import { decisionFor, image, World, type TestRun } from '../support/world.ts';

const whenReal = onRealNode ? describe : describe.skip;

async function rollback(world: World, input: unknown): Promise<TestRun> {
  return await world.start(input, unique('rollback'), 'rollback');
}

whenReal('a rollback on the real node', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ deploy: true });
    await world.kubectl('set', 'image', 'deployment/alecs-server', `alecs=${image('1.7.5')}`);
    await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=60s');
    await world.untilStill();
  });
  afterAll(async () => {
    await world.close();
  });

  test('goes back one revision, proves every new pod, and reports, within 130 events', async () => {
    const run = await rollback(world, { reason: 'errors since the release' });
    const gate = await run.gate();
    const { plan } = await run.describe();
    expect(plan?.summary.join('\n')).toMatch(/1\.7\.4/);
    await run.decide(decisionFor(gate));
    const { report, failure } = await run.end();
    expect(failure).toBeUndefined();
    expect(report.outcome).toBe('succeeded');
    expect(report.headline[1]).toMatch(/^The service is healthy now/);
    expect(await world.liveImage()).toBe(image('1.7.4'));
    expect(await run.events()).toBeLessThanOrEqual(130);
    expect(await run.failedTasks()).toBe(0);
    await run.saveHistory('succeeded');
  });

  test('to a release that is not healthy, it is undone: the former state is back and serves', async () => {
    await world.kubectl('set', 'image', 'deployment/alecs-server', `alecs=${image('1.7.6')}`);
    await world.kubectl('set', 'image', 'deployment/alecs-server', `alecs=${image('1.7.5')}`);
    await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=60s');
    const run = await rollback(world, {});
    await run.approve();
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('undone');
    expect(report.undo[0]?.note).toMatch(/the template equals the former one/);
    expect(report.headline[1]).toMatch(/^The service is healthy now/);
    expect(await world.liveImage()).toBe(image('1.7.5'));
    await run.saveHistory('undone');
  });
});

describe('a rollback', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ namespace: true });
  });
  beforeEach(async () => {
    await createSleeper(world);
    await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:2');
    await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=30s');
  });
  afterAll(async () => {
    await world.close();
  });

  test('refuses the current revision, and one that is gone, and names those there are', async () => {
    const current = await (await rollback(world, { revision: 2 })).end();
    expect(current.report.error).toMatch(/revision 2 is the current one/);
    const gone = await rollback(world, { revision: 7 });
    const { report } = await gone.end();
    expect(report.error).toMatch(/revision 7.*\b1\b/);
    expect(report.outcome).toBe('failed');
    await gone.saveHistory('refused');
  });

  test('puts environment, resources and image back exactly; none of their values enters the history', async () => {
    const canary = 'p4ssw0rd-in-the-clear';
    await world.kubectl('set', 'env', 'deployment/alecs-server', `PASSWORD=${canary}`, 'OTHER=1');
    await world.kubectl('set', 'resources', 'deployment/alecs-server', '--limits=cpu=100m');
    const former = await world.kubectl(
      'get',
      'deployment',
      'alecs-server',
      '-o',
      'jsonpath={.spec.template}',
    );
    await world.kubectl('set', 'env', 'deployment/alecs-server', 'PASSWORD-', 'OTHER-');
    await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:3');
    await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=30s');
    const run = await rollback(world, { revision: 4 });
    const first = await run.approve();
    await run.approve(first);
    expect((await run.end()).report.outcome).toBe('succeeded');
    const live = await world.kubectl('get', 'deployment', 'alecs-server', '-o', 'jsonpath={.spec.template}');
    expect(JSON.parse(live)).toEqual(JSON.parse(former));
    expect(JSON.stringify(await run.handle.fetchHistory())).not.toContain(canary);
    await run.saveHistory('unknown-accepted');
  });

  test('is undone on a no at the proof, also where values are not in the plan', async () => {
    await world.kubectl('set', 'env', 'deployment/alecs-server', 'SECRET=one');
    await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=30s');
    const former = await world.kubectl(
      'get',
      'deployment',
      'alecs-server',
      '-o',
      'jsonpath={.spec.template}',
    );
    const run = await rollback(world, {});
    const second = await run.gate(await run.approve());
    await run.decide(decisionFor(second, 'reject'));
    expect((await run.end()).failure?.type).toBe('undone');
    const live = await world.kubectl('get', 'deployment', 'alecs-server', '-o', 'jsonpath={.spec.template}');
    expect(JSON.parse(live)).toEqual(JSON.parse(former));
    await run.saveHistory('unknown-rejected');
  });

  test('goes on while the target is frozen, with a note; a rolling update does not', async () => {
    const lease = `alecs.${world.namespace}`;
    const first = await rollback(world, {});
    await run(first, 'reject');
    await world.kubectl(
      '-n',
      'runbooks',
      'annotate',
      'lease',
      lease,
      'runbook/freeze=month end',
      '--overwrite',
    );
    const update = await (await world.start({ image: 'sleeper:9' })).end();
    expect(update.report.error).toMatch(/frozen by someone, by hand.*month end/);
    const repair = await rollback(world, {});
    await repair.gate();
    expect((await repair.describe()).plan?.summary.join('\n')).toMatch(/this is a repair and goes on/);
    await run(repair, 'approve');
    expect(await world.liveImage()).toBe('sleeper:1');
    await world.kubectl('-n', 'runbooks', 'annotate', 'lease', lease, 'runbook/freeze-');
    await repair.saveHistory('frozen');
  });

  test('in an emergency it aborts the run that holds the target, lets it undo, and goes on', async () => {
    const holder = await world.start({ image: 'sleeper:5' });
    const held = await holder.gate(await holder.approve()); // holds the target, waits for an answer about health
    expect(held.id).toBe('gate-2');
    const repair = await rollback(world, { emergency: true });
    await repair.approve();
    const aborted = await holder.end();
    expect(aborted.failure?.type).toBe('undone');
    expect(aborted.report.error).toMatch(/^aborted by rollback-.*: emergency rollback needs the target/);
    // The holder's undo went where the rollback wanted to go; "the one before" would now be the bad release.
    const { report } = await repair.end();
    expect(report.outcome).toBe('succeeded');
    expect(report.headline[0]).toMatch(/Nothing left to change/);
    expect(await world.liveImage()).toBe('sleeper:2');
    await repair.saveHistory('emergency');
  });

  async function run(started: TestRun, decision: 'approve' | 'reject'): Promise<void> {
    const gate = await started.gate();
    await started.decide(decisionFor(gate, decision));
    if (decision === 'approve') await started.approve(gate);
    await started.end();
  }
});
