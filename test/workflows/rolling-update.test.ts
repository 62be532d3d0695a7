import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { demoImage, demoLayers } from '../../src/local/demo-image.ts';
import { pushImage } from '../../src/local/registry-push.ts';
import { onRealNode, stack } from '../support/stack.ts';
import { decisionFor, image, World } from '../support/world.ts';

const whenReal = onRealNode ? describe : describe.skip;

whenReal('a rolling update on the real node', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ deploy: true });
  });
  afterAll(async () => {
    await world.close();
  });

  test('rolls out, proves every new pod, and reports, within 130 events', async () => {
    const run = await world.start({ image: image('1.7.5'), reason: 'a good release', requestedBy: 'me' });
    await run.approve();
    const { report, failure } = await run.end();

    expect(failure).toBeUndefined();
    expect(report.outcome).toBe('succeeded');
    expect(report.headline[1]).toMatch(/^The service is healthy now/);
    expect(report.proofs[0]?.verdict).toBe('pass');
    expect(report.evidence.state).toBe('stored');
    expect(await world.liveImage()).toBe(image('1.7.5'));
    expect(await run.events()).toBeLessThanOrEqual(130);
    expect(await run.failedTasks()).toBe(0);
    await run.saveHistory('succeeded');
  });

  test('a release that is already there changes nothing and asks nobody', async () => {
    const { report } = await (await world.start({ image: image('1.7.5') })).end();
    expect(report.outcome).toBe('succeeded');
    expect(report.decisions).toEqual([]);
    expect(report.headline[0]).toMatch(/Nothing to change/);
  });

  test('a dry run plans and ends', async () => {
    const { report } = await (await world.start({ image: image('1.7.4'), dryRun: true })).end();
    expect(report.outcome).toBe('planned');
    expect(report.plan?.changes).toEqual([
      expect.objectContaining({
        path: 'spec/template/spec/containers[name=alecs]/image',
        before: image('1.7.5'),
        after: image('1.7.4'),
      }),
    ]);
    expect(await world.liveImage()).toBe(image('1.7.5'));
  });

  test('a bad release is undone by itself: endpoint, readiness, Deployment status, verdict', async () => {
    const run = await world.start({ image: image('1.7.6') });
    await run.approve();
    const { report, failure } = await run.end();

    expect(failure?.type).toBe('undone');
    expect(report.outcome).toBe('undone');
    expect(report.error).toMatch(
      /^NotReady: container alecs of pod alecs-server-\S+ is not ready \d+ s after it started; its probe fails$/,
    );
    expect(report.undo).toEqual([expect.objectContaining({ state: 'done', drift: [] })]);
    expect(report.undo[0]?.note).toMatch(/the template equals the former one/);
    expect(report.headline[1]).toMatch(/^The service is healthy now/);
    expect(await world.liveImage()).toBe(image('1.7.5'));
    // The limit of 130 is for the approved path; undoing has some thirty events more.
    expect(await run.events()).toBeLessThanOrEqual(160);
    await run.saveHistory('undone');
  });

  test('an image by digest is pulled from its registry, and the run is proven by it', async () => {
    const release = demoImage(await demoLayers(() => undefined), '1.7.4');
    const reference = await pushImage(stack().registry ?? '', 'alecs', '1.7.4', release);
    const run = await world.start({ image: reference });
    await run.approve();
    const { report } = await run.end();
    expect(report.outcome).toBe('succeeded');
    expect(reference).toMatch(/@sha256:[0-9a-f]{64}$/);
    expect(await world.liveImage()).toBe(reference);
  });

  test('every history records which deployment and build of the worker ran it', async () => {
    const run = await world.start({ image: image('1.7.5'), dryRun: true });
    await run.end();
    const { events } = await run.handle.fetchHistory();
    const completed = (events ?? []).flatMap((event) => event.workflowTaskCompletedEventAttributes ?? []);
    expect(completed[0]).toMatchObject({
      workerDeploymentName: 'runbooks',
      workerVersion: { buildId: 'development' },
    });
  });

  test('a rejected run completes with nothing changed', async () => {
    const run = await world.start({ image: image('1.7.6') });
    await run.decide(decisionFor(await run.gate(), 'reject'));
    const { report, failure } = await run.end();
    expect(failure).toBeUndefined();
    expect(report.outcome).toBe('rejected');
    expect(await world.liveImage()).not.toBe(image('1.7.6'));
  });
});
