import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../src/local/wait.ts';
import { createSleeper, sleeperProfile } from '../support/sleeper.ts';
import { onRealNode, unique } from '../support/stack.ts';
import { decisionFor, World, type TestRun } from '../support/world.ts';

const whenReal = onRealNode ? describe : describe.skip;
const restartedAt = 'jsonpath={.spec.template.metadata.annotations.kubectl\\.kubernetes\\.io/restartedAt}';

async function restart(world: World, input: unknown): Promise<TestRun> {
  return await world.start(input, unique('restart'), 'restartWorkload');
}

whenReal('a restart on the real node', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ deploy: true });
  });
  afterAll(async () => {
    await world.close();
  });

  test('replaces every pod, proves every new one, and reports, within 130 events', async () => {
    const podsOf = async (): Promise<string[]> =>
      (await world.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].metadata.uid}')).split(' ');
    const before = await podsOf();
    const run = await restart(world, {});
    await run.approve();
    const { report, failure } = await run.end();
    expect(failure).toBeUndefined();
    expect(report.headline[1]).toMatch(/^The service is healthy now/);
    await waitFor(async () => ((await podsOf()).some((pod) => before.includes(pod)) ? undefined : true), {
      what: 'the former pods to go',
      timeoutMilliseconds: 60_000,
    });
    expect(await world.kubectl('get', 'deployment', 'alecs-server', '-o', restartedAt)).toBe(
      report.startedAt,
    );
    expect(await run.events()).toBeLessThanOrEqual(130);
    expect(await run.failedTasks()).toBe(0);
    await run.saveHistory('succeeded');
  });
});

describe('a restart in waves', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ namespace: true });
  });
  beforeEach(async () => {
    await createSleeper(world);
    for (const name of ['one', 'two']) {
      await world.kubectl('delete', 'deployment', name, '--ignore-not-found', '--wait=true');
      await world.kubectl('create', 'deployment', name, '--image=sleeper:1', '--replicas=0');
      await world.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=30s');
    }
    const sleeper = { kind: 'Deployment', container: 'sleeper' };
    world.writeProfile('alecs', {
      ...sleeperProfile(world.namespace),
      workloads: { 'alecs-server': sleeper, one: sleeper, two: sleeper },
    });
  });
  afterAll(async () => {
    await world.close();
  });

  const timeOf = async (name: string): Promise<string> =>
    await world.kubectl('get', 'deployment', name, '-o', restartedAt);
  const waves = [['one', 'two'], ['alecs-server']];

  test('restarts wave after wave, with a proof between them', async () => {
    const run = await restart(world, { waves });
    const first = await run.approve();
    const second = await run.gate(first); // nobody could prove the first wave, which has no pods
    expect(await timeOf('one')).not.toBe('');
    expect(await timeOf('two')).toBe(await timeOf('one'));
    expect(await timeOf('alecs-server')).toBe('');
    await run.decide(decisionFor(second));
    await run.approve(second);
    const { report } = await run.end();
    expect(report.outcome).toBe('succeeded');
    expect(report.steps.filter(({ name }) => name === 'Restart').map(({ note }) => note)).toEqual([
      'one, two',
      'alecs-server',
    ]);
    expect(report.plan?.changes).toHaveLength(3);
    expect(await timeOf('alecs-server')).toBe(await timeOf('one'));
    await run.saveHistory('waves');
  });

  test('a wave that fails is undone; one that was proven before stays, and the report says so', async () => {
    const run = await restart(world, { waves });
    const second = await run.gate(await run.approve());
    await run.decide(decisionFor(second));
    const third = await run.gate(second);
    await run.decide(decisionFor(third, 'reject'));
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('undone');
    expect(report.headline[0]).toMatch(/what was proven before stays: one, two restarted/);
    expect(await timeOf('one')).not.toBe('');
    expect(await timeOf('alecs-server')).toBe('');
    await run.saveHistory('second-wave-undone');
  });

  test('an owner that was paused stays so after a proven wave, and the report of a later failure says how to resume it', async () => {
    const owned = 'kustomize.toolkit.fluxcd.io/name=web';
    await world.kubectl('label', 'deployment', 'one', 'two', 'alecs-server', owned);
    const profile = sleeperProfile(world.namespace);
    const sleeper = { kind: 'Deployment', container: 'sleeper' };
    world.writeProfile('alecs', {
      ...profile,
      workloads: { 'alecs-server': sleeper, one: sleeper, two: sleeper },
      approvers: { 'Test Person': { roles: ['lead'] }, 'Other Person': { roles: ['lead'] } },
      approvals: { breakGlass: ['lead'] },
    });
    const run = await restart(world, { waves, requestedBy: 'someone', breakGlass: 'a test' });
    const second = await run.gate(await run.approve());
    await run.decide(decisionFor(second));
    await run.decide(decisionFor(await run.gate(second), 'reject'));
    const { report } = await run.end();
    expect(report.outcome).toBe('undone');
    for (const name of ['one', 'two', 'alecs-server'])
      expect(report.headline[2]).toContain(
        `kubectl --namespace ${world.namespace} annotate deployment.apps/${name} kustomize.toolkit.fluxcd.io/reconcile-`,
      );
  });

  test('a workload that someone changed between the waves is not restarted on the old approval', async () => {
    const run = await restart(world, { waves });
    const second = await run.gate(await run.approve());
    await world.kubectl('rollout', 'restart', 'deployment/alecs-server');
    await run.decide(decisionFor(second));
    const third = await run.gate(second);
    expect(third.question).toMatch(/^The plan changed since it was approved\..*alecs-server/);
    await run.decide(decisionFor(third, 'reject'));
    const { report } = await run.end();
    expect(report.outcome).toBe('rejected');
    expect(report.headline[0]).toMatch(/what was proven before stays/);
    await run.saveHistory('changed-between-waves');
  });

  test('unknown workloads are refused by name, all at once, and nothing is restarted', async () => {
    const run = await restart(world, { waves: [['one', 'nope'], ['neither']] });
    const { report } = await run.end();
    expect(report.error).toMatch(/nope.*neither/);
    expect(await timeOf('one')).toBe('');
    await run.saveHistory('refused');
  });
});
