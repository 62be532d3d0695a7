import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { procedures } from '../../src/contracts/procedures.ts';
import { createSleeper, sleeperProfile } from '../support/sleeper.ts';
import { unique } from '../support/stack.ts';
import { decisionFor, World } from '../support/world.ts';

const good = 'sleeper:2';

// Every line: what a person typed, and what the run must say about it.
const inputs: [string, unknown, RegExp][] = [
  [
    'no input',
    undefined,
    /^rollingUpdate: one fault in the input: image: is missing.*An input that works: \{"image":/,
  ],
  ['an empty object', {}, /image: is missing/],
  ['null', null, /image: is missing/],
  ['a text', 'rollingUpdate', /must be one JSON object, not a string/],
  ['a list', [{ image: good }], /must be one JSON object, not a list/],
  ['a number', 7, /must be one JSON object, not a number/],
  ['an unknown key', { image: good, imagee: 'x' }, /unknown field "imagee"/],
  ['a text instead of true', { image: good, dryRun: 'true' }, /dryRun: must be true or false/],
  ['a number instead of an image', { image: 175 }, /image: must be a string/],
  ['a malformed image', { image: 'not an image' }, /image: is not an image reference/],
  ['an image without tag', { image: 'ghcr.io/a/b' }, /image: names neither a tag nor a digest/],
  ['both forms of image', { image: good, images: { sleeper: good } }, /give image or images, not both/],
  [
    'an unknown target',
    { image: good, target: 'nowhere' },
    /there is no target "nowhere"; known targets: alecs/,
  ],
  ['a target that is a path', { image: good, target: '../../etc/passwd' }, /target: /],
  ['an unknown workload', { image: good, workload: 'other' }, /has no workload "other"; it has/],
  ['an unknown container', { images: { nope: good } }, /has no container "nope"; it has sleeper/],
  [
    'a StatefulSet',
    { image: good, workload: 'a-stateful-set' },
    /a-stateful-set is a StatefulSet, which this procedure does not support/,
  ],
  [
    'a DaemonSet',
    { image: good, workload: 'a-daemon-set' },
    /a-daemon-set is a DaemonSet, which this procedure does not support/,
  ],
  ['a workload that the cluster does not have', { image: good, workload: 'gone' }, /404 NotFound/],
  ['several faults at once', { dryRun: 1, extra: 1, image: 'x' }, /^rollingUpdate: 3 faults in the input/],
];

describe('a run with bad input fails at once with a sentence that says what is wrong', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ namespace: true });
    await createSleeper(world);
    world.writeProfile('alecs', {
      ...sleeperProfile(world.namespace),
      workloads: {
        'alecs-server': { kind: 'Deployment', container: 'sleeper' },
        gone: { kind: 'Deployment', container: 'sleeper' },
        'a-stateful-set': { kind: 'StatefulSet', container: 'sleeper' },
        'a-daemon-set': { kind: 'DaemonSet', container: 'sleeper' },
      },
    });
  });
  afterAll(async () => {
    await world.close();
  });

  test.each(inputs)('%s', async (name, input, sentence) => {
    const run = await world.start(input);
    const { report, failure } = await run.end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(sentence);
    expect(failure?.message).not.toMatch(/ {4}at |\.ts:/);
    expect(report.headline[0]).toMatch(/^Failed; nothing was changed\./);
    expect(await run.failedTasks()).toBe(0);
    expect(await world.liveImage()).toBe('sleeper:1');
    if (name === 'an empty object') await run.saveHistory('bad-input');
  });

  test('a megabyte of JSON gives a short answer that does not repeat it', async () => {
    const run = await world.start({ image: good, note: 'n'.repeat(1_000_000), [`k${'e'.repeat(1000)}y`]: 1 });
    const { failure } = await run.end();
    expect(failure?.type).toBe('failed');
    expect(failure?.message.length).toBeLessThan(1500);
    expect(await run.failedTasks()).toBe(0);
  });

  // Regression: {"dryRun":true} as a second --input was ignored, and the change was made.
  test('a second input is refused, not ignored', async () => {
    const handle = await world.client.workflow.start('rollingUpdate', {
      taskQueue: world.queue,
      workflowId: unique('second'),
      args: [{ image: good }, { dryRun: true }],
    });
    const { report } = await world.attach(handle.workflowId).end();
    expect(report.error).toBe(
      'rollingUpdate: takes one input, and more were given; put everything into one JSON object',
    );
    expect(report.headline[0]).toMatch(/^Failed; nothing was changed\./);
  });

  test('a workflow type that does not exist ends at once and names those that do', async () => {
    const handle = await world.client.workflow.start('rollingupdate', {
      taskQueue: world.queue,
      workflowId: unique('typo'),
      args: [{}],
    });
    const run = world.attach(handle.workflowId);
    await expect(handle.result()).rejects.toMatchObject({
      cause: {
        message: `there is no procedure "rollingupdate"; known workflow types: ${procedures.map((one) => one.workflowType).join(', ')}`,
      },
    });
    expect(await run.failedTasks()).toBe(0);
  });

  test('an input and a signal in an encoding that nobody knows are refused, and the run goes on', async () => {
    const foreign = { metadata: { encoding: Buffer.from('binary/encrypted') }, data: Buffer.from('AAAA') };
    const { connection } = world.client;
    const workflowId = unique('foreign');
    await connection.workflowService.startWorkflowExecution({
      namespace: 'default',
      workflowId,
      requestId: workflowId,
      workflowType: { name: 'rollingUpdate' },
      taskQueue: { name: world.queue },
      input: { payloads: [foreign] },
    });
    const started = world.attach(workflowId);
    expect((await started.end()).report.error).toMatch(/unknown field "input in an unknown encoding"/);

    const run = await world.start({ image: good });
    const gate = await run.gate();
    await connection.workflowService.signalWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: run.handle.workflowId },
      signalName: 'approve',
      input: { payloads: [foreign] },
    });
    await run.decide(decisionFor(gate, 'reject'));
    expect((await run.end()).report.outcome).toBe('rejected');
    expect(await run.failedTasks()).toBe(0);
  });

  test('a paused workload is named by its guard, and nobody is asked', async () => {
    await world.kubectl('rollout', 'pause', 'deployment/alecs-server');
    const run = await world.start({ image: good });
    const { report } = await run.end();
    await world.kubectl('rollout', 'resume', 'deployment/alecs-server');
    expect(report.error).toMatch(/^guard paused: Deployment alecs-server is paused/);
    expect(report.decisions).toEqual([]);
    await run.saveHistory('guard-stopped');
  });

  test('a workload that GitOps owns is not changed, and the run says where to change it', async () => {
    await world.kubectl(
      'annotate',
      'deployment',
      'alecs-server',
      'argocd.argoproj.io/tracking-id=shop:apps/Deployment:x/y',
    );
    const { report } = await (await world.start({ image: good })).end();
    await world.kubectl('annotate', 'deployment', 'alecs-server', 'argocd.argoproj.io/tracking-id-');
    expect(report.error).toMatch(
      /belongs to Argo CD .*Change it in the repository of that Argo CD Application/,
    );
  });
});
