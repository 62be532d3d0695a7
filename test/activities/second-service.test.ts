import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { onRealNode } from '../support/stack.ts';
import { image } from '../support/world.ts';
import { aRun, Place } from './support/place.ts';
import { act } from './support/run-activity.ts';
import { ready } from './support/talking-pods.ts';

const whenReal = onRealNode ? describe : describe.skip;

/** Another service altogether: another port and path, another way to ask it, another word for well. */
const program = `
require('node:http').createServer((request, response) => {
  response.statusCode = request.url === '/livez/deep' ? 200 : 404;
  response.end(JSON.stringify({ ok: true, workers: 3 }));
}).listen(7070);`;
const question = `
fetch('http://127.0.0.1:7070/livez/deep').then(async (answer) => {
  console.log(await answer.text());
  process.exitCode = answer.ok ? 0 : 1;
});`;

whenReal('a second, different service', () => {
  let place: Place;
  const name = 'invoice-renderer';
  beforeAll(async () => {
    place = await Place.open();
    const container = {
      image: image('1.7.4'),
      imagePullPolicy: 'IfNotPresent',
      command: ['/usr/local/bin/node', '-e', program],
      resources: { requests: { cpu: '50m' } },
      readinessProbe: { httpGet: { path: '/livez/deep', port: 7070 }, periodSeconds: 1, timeoutSeconds: 3 },
    };
    const renderer = { ...container, name: 'renderer' };
    await place.deploy(name, { container: renderer, replicas: 1 });
    place.writeProfile(name, {
      workloads: { [name]: { kind: 'Deployment', container: 'renderer' } },
      health: {
        via: 'exec',
        path: '/livez/deep',
        command: ['/usr/local/bin/node', '-e', question],
        expectBody: { ok: true, workers: 3 },
      },
    });
    await ready(place, name);
    await place.settled(name);
  });
  afterAll(async () => {
    await place.close();
  });

  test('is planned, changed, watched, proven and undone by the same code, by its profile alone', async () => {
    const { activities } = place;
    const run = aRun();
    const plan = await place.planImages(name, { renderer: image('1.7.5') });
    expect(plan.changes.map(({ path }) => path)).toEqual([
      'spec/template/spec/containers[name=renderer]/image',
    ]);
    const { target, images } = plan;
    const written = await place.write(plan, run.marker('change'));
    await act(activities.followRollout, { target, written, images });
    const proof = await act(activities.proveHealthy, { target, written, images, bakeSeconds: 0 });
    expect(proof.verdict).toBe('pass');
    expect(proof.evidence[0]).toContain('1 pod: /livez/deep answered 200 with ok: true, workers: 3');

    const undone = await place.undo(plan, run);
    await act(activities.followRollout, { target, written: undone.written, images: plan.formerImages });
    const compared = { target, change: plan, written: undone.written };
    expect(await act(activities.compareTemplate, compared)).toEqual({
      compared: true,
      differences: [],
    });
    expect(
      await act(activities.proveHealthy, {
        target,
        written: undone.written,
        images: plan.formerImages,
        bakeSeconds: 0,
      }),
    ).toMatchObject({
      verdict: 'pass',
    });
  });
});
