import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { UndoWrite } from '../../../src/activities/kubernetes/read-for-undo.ts';
import type { Change, WorkloadPlan, Written } from '../../../src/contracts/plan.ts';
import type { RunRef } from '../../../src/contracts/run.ts';
import { unique } from '../../support/stack.ts';
import { aRun, Place, type DeploymentWish } from '../support/place.ts';
import { act, failureOf } from '../support/run-activity.ts';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});

const imagePath = 'spec/template/spec/containers[name=main]/image';
const imagePointer = '/spec/template/spec/containers/0/image';

/** A Deployment whose image a run changed from 1 to 2. */
async function changed(wish: DeploymentWish = {}) {
  const name = unique('web');
  const before = await place.deploySettled(name, wish);
  const run = aRun();
  const plan = await place.plan(name);
  await place.write(plan, run.marker('change'));
  await place.settled(name);
  return { name, run, plan, before };
}

async function compare(plan: WorkloadPlan, written: Written) {
  return await act(place.activities.compareTemplate, { target: plan.target, change: plan, written });
}

async function readForUndo(plan: WorkloadPlan, owner: RunRef): Promise<UndoWrite> {
  return await act(place.activities.readForUndo, { target: plan.target, change: plan, owner });
}

/** The plan as if admission had made these changes, too. */
function withChanges(plan: WorkloadPlan, changes: Pick<Change, 'path' | 'before' | 'after'>[]): WorkloadPlan {
  return {
    ...plan,
    changes: [
      ...plan.changes,
      ...changes.map((change) => ({
        ...plan.changes[0]!,
        before: undefined as never,
        after: undefined as never,
        ...change,
      })),
    ],
  };
}

test('undo puts the template back exactly', async () => {
  const { name, run, plan, before } = await changed();
  const { written, drift } = await place.undo(plan, run);
  expect(drift).toEqual([]);
  expect((await place.live(name)).spec).toEqual(before.spec);
  expect(await compare(plan, written)).toEqual({ compared: true, differences: [] });
});

test('what someone else changed elsewhere in the template stays and is named', async () => {
  const { name, run, plan } = await changed();
  const env = [{ name: 'THEIRS', value: '1' }];
  await place.patch(name, [{ op: 'add', path: '/spec/template/spec/containers/0/env', value: env }]);
  const { written, drift } = await place.undo(plan, run);
  expect(drift).toEqual([]);
  expect(await compare(plan, written)).toEqual({
    compared: true,
    differences: ['spec/template/spec/containers[name=main]/env'],
  });
  expect((await place.live(name)).spec.template.spec.containers[0]).toMatchObject({
    image: 'registry.example/web:1',
    env,
  });
});

test('a value of ours that someone else changed meanwhile stays and is drift', async () => {
  const { name, run, plan } = await changed();
  await place.patch(name, [{ op: 'replace', path: imagePointer, value: 'registry.example/web:3' }]);
  const { drift } = await place.undo(plan, run);
  expect(drift).toEqual([imagePath]);
  expect(await place.liveImage(name)).toBe('registry.example/web:3');
});

test('an object that another run wrote since is left as it is', async () => {
  const { name, run, plan } = await changed();
  const other = aRun();
  await place.write(await place.plan(name, 'registry.example/web:3'), other.marker('change'));
  const failure = await failureOf(readForUndo(plan, run));
  expect(failure.type).toBe('Refused');
  expect(failure.message).toMatch(/another run wrote Deployment/);
});

test('a run whose id only begins like ours is another run', async () => {
  const { plan } = await changed();
  const run = aRun('web');
  const longer = { ...run, firstRunId: `${run.firstRunId}-2` };
  const name = plan.write.pin.name;
  await place.patch(name, [
    {
      op: 'replace',
      path: '/metadata/annotations/runbook~1change',
      value: `${longer.workflowId}/${longer.firstRunId}/change`,
    },
  ]);
  expect((await failureOf(readForUndo(plan, run))).type).toBe('Refused');
});

test('the marker of a run before this one does not hinder undo', async () => {
  const { name } = await changed();
  const run = aRun();
  const plan = await place.plan(name, 'registry.example/web:3');
  // Nothing written by this run yet: the marker is still the former run's.
  const { drift } = await place.undo(plan, run);
  expect(drift).toEqual([]);
  expect(await place.liveImage(name)).toBe('registry.example/web:2');
  expect((await failureOf(place.write(plan, run.marker('change')))).type).toBe('Moved');
});

test('what a change added goes, what it removed comes back, whatever their order in the list', async () => {
  const env = (...names: string[]) => names.map((name) => ({ name, value: name }));
  const { name, run, plan, before } = await changed({ container: { env: env('A', 'B', 'C') } });
  const container = '/spec/template/spec/containers/0';
  await place.patch(name, [
    { op: 'replace', path: `${container}/env`, value: env('X', 'A', 'Y', 'B', 'Z') },
    { op: 'add', path: `${container}/workingDir`, value: '/tmp' },
    { op: 'remove', path: '/spec/template/spec/automountServiceAccountToken' },
  ]);
  const list = 'spec/template/spec/containers[name=main]';
  const item = (key: string) => ({ name: key, value: key });
  const full = withChanges(plan, [
    { path: `${list}/env[name=X]`, after: item('X') },
    { path: `${list}/env[name=C]`, before: item('C') },
    { path: `${list}/env[name=Y]`, after: item('Y') },
    { path: `${list}/workingDir`, after: '/tmp' },
    { path: `${list}/env[name=Z]`, after: item('Z') },
    { path: 'spec/template/spec/automountServiceAccountToken', before: false },
  ]);
  const { written, drift } = await place.undo(full, run);
  expect(drift).toEqual([]);
  expect((await place.live(name)).spec.template).toEqual(before.spec.template);
  expect(await compare(plan, written)).toEqual({ compared: true, differences: [] });
});

test('without the former ReplicaSet nothing is said to be equal', async () => {
  const { name, run, plan } = await changed({ spec: { revisionHistoryLimit: 0 } });
  const { written } = await place.undo(plan, run);
  await place.settled(name);
  const gone = { ...plan, formerReplicaSet: { ...plan.formerReplicaSet!, uid: 'another-one' } };
  expect(await compare(gone, written)).toEqual({ compared: false, differences: [] });
});
