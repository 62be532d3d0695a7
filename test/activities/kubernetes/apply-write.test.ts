import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { changeAnnotation } from '../../../src/contracts/names.ts';
import type { Write } from '../../../src/contracts/plan.ts';
import { unique } from '../../support/stack.ts';
import { aRun, holder, Place } from '../support/place.ts';
import { act, anEnvironment, failureOf } from '../support/run-activity.ts';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});

/** A settled Deployment with image 1 and the plan of a run to image 2. */
async function planned() {
  const name = unique('web');
  await place.deploySettled(name);
  const run = aRun();
  return { name, run, plan: await place.plan(name) };
}

const someoneElses = { op: 'add', path: '/metadata/labels', value: { by: 'someone-else' } } as const;

test('a write changes what was planned and says who made it', async () => {
  const { name, run, plan } = await planned();
  const written = await place.write(plan, run.marker('change'));
  const live = await place.live(name);
  expect(live.spec.template.spec.containers[0]?.image).toBe('registry.example/web:2');
  expect(live.metadata.annotations?.[changeAnnotation]).toBe(run.marker('change'));
  expect(live.metadata.generation).toBe(written.generation);
});

test('a second attempt recognises the write of the first and writes nothing', async () => {
  const { name, run, plan } = await planned();
  const first = await place.write(plan, run.marker('change'));
  await place.settled(name);
  const second = await place.write(plan, run.marker('change'));
  expect(second.uid).toBe(first.uid);
  expect((await place.live(name)).metadata.generation).toBe(first.generation);
});

// Regression: this was Moved, so the run forgot its undo and reported that nothing was changed.
test("someone else's write after an earlier attempt took effect means Overwritten: there is something to undo", async () => {
  const { name, run, plan } = await planned();
  await place.write(plan, run.marker('change'));
  await place.patch(name, [
    { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'registry.example/web:theirs' },
  ]);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Overwritten');
  expect(await place.liveImage(name)).toBe('registry.example/web:theirs');
});

test("someone else's write since the plan means Moved, and nothing is written", async () => {
  const { name, run, plan } = await planned();
  const theirs = await place.patch(name, [someoneElses]);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  expect((await place.live(name)).metadata.resourceVersion).toBe(theirs.metadata.resourceVersion);
});

test('a container inserted before ours since the plan means Moved, not a refused patch', async () => {
  const { name, run, plan } = await planned();
  const sidecar = { name: 'sidecar', image: 'registry.example/sidecar:1' };
  await place.patch(name, [{ op: 'add', path: '/spec/template/spec/containers/0', value: sidecar }]);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  expect(await place.liveImage(name)).toBe('registry.example/web:1');
});

test("the same value written by someone else is not taken for this run's own write", async () => {
  const { name, run, plan } = await planned();
  await place.patch(name, [
    { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'registry.example/web:2' },
  ]);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
});

test('a late first write after write and undo is refused, and the undone state stays', async () => {
  const { name, run, plan } = await planned();
  await place.write(plan, run.marker('change'));
  await place.undo(plan, run);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  expect(await place.liveImage(name)).toBe('registry.example/web:1');
});

test('an undo with nothing to put back still writes, so that a late first write is refused', async () => {
  const { name, run, plan } = await planned();
  await place.undo(plan, run);
  expect((await place.live(name)).metadata.annotations?.[changeAnnotation]).toBe(run.marker('undo'));
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  expect(await place.liveImage(name)).toBe('registry.example/web:1');
});

test('an activity that was cancelled before its write does not write', async () => {
  const { name, run, plan } = await planned();
  const environment = anEnvironment();
  environment.cancel();
  const input = { target: plan.target, write: plan.write, marker: run.marker('change'), holder };
  await expect(act(place.activities.applyWrite, input, environment)).rejects.toThrow(/cancel/i);
  expect((await place.live(name)).metadata.annotations?.[changeAnnotation]).toBeUndefined();
});

test('an object that was deleted and made anew is never written', async () => {
  const { name, run, plan } = await planned();
  await place.remove(name);
  await place.deploySettled(name);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  expect((await failureOf(place.undo(plan, run))).message).toMatch(/was deleted and made anew/);
  expect((await place.live(name)).metadata.annotations?.[changeAnnotation]).toBeUndefined();
});

test('an object that is gone is NotFound', async () => {
  const { name, run, plan } = await planned();
  await place.remove(name);
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('NotFound');
  expect((await failureOf(place.undo(plan, run))).type).toBe('NotFound');
});

test('an object without annotations gets its first one; a value that is gone already was removed by us', async () => {
  const name = unique('plain');
  const made = await place.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { a: '1', b: '2' },
  });
  const { plan, run } = await planned();
  const { uid = '', resourceVersion = '' } = made.metadata;
  const write: Write = {
    pin: { ...place.ref(name, 'v1', 'ConfigMap'), uid, resourceVersion },
    operations: [
      { op: 'test', path: '/metadata/uid', value: uid },
      { op: 'remove', path: '/data/b' },
    ],
    hasAnnotations: false,
    expected: [{ path: 'data/b' }],
  };
  const input = { target: plan.target, write, marker: run.marker('change'), holder };
  const first = await act(place.activities.applyWrite, input);
  expect(await act(place.activities.applyWrite, input)).toEqual(first);
  const live = await place.gateway.get(place.ref(name, 'v1', 'ConfigMap'));
  expect(live.data).toEqual({ a: '1' });
  expect(live.metadata.annotations).toEqual({ [changeAnnotation]: run.marker('change') });
});

test('a patch that never fits is refused as such, although its pin is fresh', async () => {
  const { name, run, plan } = await planned();
  const write: Write = { ...plan.write, operations: [{ op: 'remove', path: '/spec/nothing' }] };
  const input = { target: plan.target, write, marker: run.marker('change'), holder };
  await place.settled(name);
  expect((await failureOf(act(place.activities.applyWrite, input))).type).toBe('Refused');
});
