import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { UndoWrite } from '../../../src/activities/kubernetes/read-for-undo.ts';
import { changeAnnotation } from '../../../src/contracts/names.ts';
import type { WorkloadPlan, Written } from '../../../src/contracts/plan.ts';
import type { RunRef } from '../../../src/contracts/run.ts';
import { unique } from '../../support/stack.ts';
import { aRun, Place } from '../support/place.ts';
import { container, forget, planRollback, release, revisionsOf } from '../support/releases.ts';
import { act, failureOf, textOf } from '../support/run-activity.ts';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});

const canary = 'canary-e01d44';
const variables = (...names: string[]) => names.map((name) => ({ name, value: `${canary}-${name}` }));
const sidecar = { name: 'sidecar', image: 'registry.example/sidecar:1', env: variables('S') };
const main = (image: string, ...names: string[]) => ({
  name: 'main',
  image: `registry.example/web:${image}`,
  env: variables(...names),
});

/**
 * A Deployment whose second release removed a container, took variables away, put others in between and changed an
 * image, and the plan of a run that goes back to the first.
 */
async function planned() {
  const name = unique('web');
  const podSpec = { containers: [sidecar, main('1', 'A', 'B', 'C')] };
  const first = await place.deploySettled(name, { podSpec });
  const second = await release(place, name, [
    { op: 'replace', path: '/spec/template/spec/containers', value: [main('2', 'A', 'X', 'C')] },
    { op: 'add', path: '/metadata/annotations/kubernetes.io~1change-cause', value: 'second' },
  ]);
  return { name, first, second, run: aRun(), plan: await planRollback(place, name) };
}

/** The same once the run has written. */
async function rolledBack() {
  const made = await planned();
  const written = await place.write(made.plan, made.run.marker('change'));
  await place.settled(made.name);
  return { ...made, written };
}

async function readForUndo(plan: WorkloadPlan, owner: RunRef): Promise<UndoWrite> {
  return await act(place.activities.readForUndo, { target: plan.target, change: plan, owner });
}

async function compare(plan: WorkloadPlan, written: Written) {
  return await act(place.activities.compareTemplate, { target: plan.target, change: plan, written });
}

const templateOf = async (name: string) => (await place.live(name)).spec.template;
const revisionNumbers = async (name: string) => (await revisionsOf(place, name)).map(({ number }) => number);

describe('a write of an earlier template', () => {
  test('puts it in place as it was, so that Kubernetes takes its ReplicaSet again', async () => {
    const { name, first, plan, run } = await rolledBack();
    const live = await place.settled(name);
    expect(live.spec.template).toEqual(first.spec.template);
    expect(live.metadata.annotations?.[changeAnnotation]).toBe(run.marker('change'));
    expect(live.metadata.annotations).not.toHaveProperty(['kubernetes.io/change-cause']);
    expect(await revisionNumbers(name)).toEqual([3, 2]);
    expect((await revisionsOf(place, name))[0]?.replicaSet.metadata.uid).toBe(plan.write.template?.to.uid);
  });

  test('recognises on a second attempt what the first one wrote, and writes nothing', async () => {
    const { name, plan, run, written } = await rolledBack();
    const second = await place.write(plan, run.marker('change'));
    expect(second.generation).toBe(written.generation);
    expect((await place.live(name)).metadata.generation).toBe(written.generation);
  });

  test('recognises it although someone else changed another part of the template since', async () => {
    const { name, plan, run } = await rolledBack();
    await place.patch(name, [{ op: 'add', path: `${container}/workingDir`, value: '/tmp' }]);
    expect((await place.write(plan, run.marker('change'))).uid).toBe(plan.write.pin.uid);
  });

  test('is not taken for done when someone else has put a former value back since', async () => {
    const { name, plan, run } = await rolledBack();
    await place.patch(name, [
      { op: 'replace', path: '/spec/template/spec/containers/1/image', value: 'registry.example/web:2' },
    ]);
    expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Overwritten');
  });

  test('with a stale pin means Moved, and nothing is written', async () => {
    const { name, second, plan, run } = await planned();
    await place.patch(name, [{ op: 'add', path: '/metadata/labels', value: { by: 'someone-else' } }]);
    expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
    expect(await templateOf(name)).toEqual(second.spec.template);
  });

  test('over the same template, put in place by someone else, means Moved', async () => {
    const { name, first, plan, run } = await planned();
    await place.patch(name, [
      { op: 'replace', path: '/spec/template/spec', value: first.spec.template.spec as never },
    ]);
    expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  });

  test('that comes late, after its undo, is refused, and the undone state stays', async () => {
    const { name, second, plan, run } = await rolledBack();
    await place.undo(plan, run);
    expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
    expect(await templateOf(name)).toEqual(second.spec.template);
  });

  test('that comes late, after an undo with nothing to put back, is refused as well', async () => {
    const { name, second, plan, run } = await planned();
    await place.undo(plan, run);
    expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
    expect(await templateOf(name)).toEqual(second.spec.template);
  });

  test('whose ReplicaSet is gone is NotFound, says which, and writes nothing', async () => {
    const { name, second, plan, run } = await planned();
    await forget(place, name, 1);
    const failure = await failureOf(place.write(plan, run.marker('change')));
    expect(failure.type).toBe('NotFound');
    expect(failure.message).toContain(`ReplicaSet ${plan.write.template?.to.name}`);
    expect(textOf(failure)).not.toContain(canary);
    expect(await templateOf(name)).toEqual(second.spec.template);
  });
});

describe('the undo of a rollback', () => {
  test('puts the former template back exactly, order and change cause included', async () => {
    const { name, second, plan, run } = await rolledBack();
    const { written, drift } = await place.undo(plan, run);
    expect(drift).toEqual([]);
    const live = await place.settled(name);
    expect(live.spec).toEqual(second.spec);
    expect(live.metadata.annotations?.['kubernetes.io/change-cause']).toBe('second');
    expect(await revisionNumbers(name)).toEqual([4, 3]);
    expect(await compare(plan, written)).toEqual({ compared: true, differences: [] });
  });

  test('never carries values of variables', async () => {
    const { plan, run } = await rolledBack();
    const undo = await readForUndo(plan, run);
    expect(JSON.stringify([plan, undo])).not.toContain(canary);
  });

  test('on a second attempt recognises the first', async () => {
    const { name, plan, run } = await rolledBack();
    const { write } = await readForUndo(plan, run);
    const undoing = { ...plan, write };
    const first = await place.write(undoing, run.marker('undo'));
    await place.settled(name);
    expect((await place.write(undoing, run.marker('undo'))).generation).toBe(first.generation);
  });

  test('leaves what someone else set meanwhile and names it; the rest goes back', async () => {
    const { name, plan, run } = await rolledBack();
    const images = '/spec/template/spec/containers/1/image';
    await place.patch(name, [{ op: 'replace', path: images, value: 'registry.example/web:theirs' }]);
    const { written, drift } = await place.undo(plan, run);
    expect(drift).toEqual(['spec/template/spec/containers[name=main]/image']);
    const { containers } = (await templateOf(name)).spec;
    expect(containers.map(({ name: one, image }) => [one, image])).toEqual([
      ['main', 'registry.example/web:theirs'],
    ]);
    expect(
      (containers[0] as unknown as ReturnType<typeof main>).env.map(({ name: one }) => one).sort(),
    ).toEqual(['A', 'C', 'X']);
    expect((await compare(plan, written)).differences).toContain(
      'spec/template/spec/containers[name=main]/image',
    );
  });

  test('knows its own write again although drift is left', async () => {
    const { name, plan, run } = await rolledBack();
    await release(place, name, [
      { op: 'replace', path: '/spec/template/spec/containers/1/image', value: 'registry.example/web:theirs' },
    ]);
    const { write } = await readForUndo(plan, run);
    const undoing = { ...plan, write };
    const first = await place.write(undoing, run.marker('undo'));
    await place.settled(name);
    expect((await place.write(undoing, run.marker('undo'))).generation).toBe(first.generation);
  });

  test('says so when someone else removed the container whose values it would put back', async () => {
    const { name, plan, run } = await rolledBack();
    await place.patch(name, [
      { op: 'replace', path: '/spec/template/spec/containers', value: [{ ...sidecar, name: 'theirs' }] },
    ]);
    const { drift } = await place.undo(plan, run);
    const gone = 'spec/template/spec/containers[name=main]';
    expect(drift).toEqual(expect.arrayContaining([`${gone}/image`, `${gone}/env[name=X]`]));
    expect((await templateOf(name)).spec.containers.map(({ name: one }) => one)).toEqual(['theirs']);
  });

  test('may be done by another run, when the one that made the change died', async () => {
    const { name, second, plan, run } = await rolledBack();
    const other = aRun();
    const { write } = await readForUndo(plan, run);
    await place.write({ ...plan, write }, other.marker('undo'));
    expect(await templateOf(name)).toEqual(second.spec.template);
    expect((await failureOf(readForUndo(plan, run))).message).toMatch(/another run wrote/);
    expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
  });

  test('without the former ReplicaSet is NotFound, and nothing is written', async () => {
    const { name, first, plan, run } = await rolledBack();
    await forget(place, name, 2);
    const failure = await failureOf(place.undo(plan, run));
    expect(failure.type).toBe('NotFound');
    expect(failure.message).toContain('is gone');
    expect(await templateOf(name)).toEqual(first.spec.template);
  });
});
