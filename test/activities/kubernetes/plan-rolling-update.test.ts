import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { unique } from '../../support/stack.ts';
import { Place } from '../support/place.ts';
import { act, failureOf } from '../support/run-activity.ts';

let place: Place;
/** Most tests only read it. */
const shared = unique('web');
beforeAll(async () => {
  place = await Place.open();
  await place.deploySettled(shared, {
    podSpec: { initContainers: [{ name: 'prepare', image: 'registry.example/prepare:1' }] },
  });
});
afterAll(async () => {
  await place.close();
});

const digest = `registry.example/web@sha256:${createHash('sha256').update('web').digest('hex')}`;

test('a plan says what will change, from what to what, and what a reader should know', async () => {
  const plan = await place.plan(shared);
  const live = await place.live(shared);
  expect(plan.changes).toEqual([
    {
      ...place.ref(shared),
      uid: live.metadata.uid,
      path: 'spec/template/spec/containers[name=main]/image',
      before: 'registry.example/web:1',
      after: 'registry.example/web:2',
    },
  ]);
  expect(plan.images).toEqual({ main: 'registry.example/web:2' });
  expect(plan.formerImages).toEqual({ main: 'registry.example/web:1' });
  expect(plan.formerReplicaSet?.name).toMatch(new RegExp(`^${shared}-`));
  expect(plan.findings.map(({ verdict }) => verdict)).toEqual(['clear', 'clear', 'clear']);
  expect(plan.summary.join('\n')).toContain(
    `Deployment ${place.namespace}/${shared}: spec/template/spec/containers[name=main]/image: registry.example/web:1 → registry.example/web:2`,
  );
  expect(plan.summary.join('\n')).toMatch(
    /disruption budget: none\nautoscaler: none\nwritten by: test \(Update\)/,
  );
  expect(live.spec.template.spec.containers[0]?.image).toBe('registry.example/web:1');
});

test('two plans in a row have the same hash', async () => {
  expect((await place.plan(shared)).hash).toBe((await place.plan(shared)).hash);
});

test('another image, another container, and a changed profile each give another hash', async () => {
  const plan = await place.plan(shared);
  const other = await place.plan(shared, 'registry.example/web:3');
  const both = await place.planImages(shared, {
    main: 'registry.example/web:2',
    prepare: 'registry.example/prepare:2',
  });
  place.writeProfile(shared, { proof: { bakeSeconds: 2 } });
  const longer = await place.plan(shared);
  place.writeProfile(shared);
  expect(new Set([plan, other, both, longer].map(({ hash }) => hash)).size).toBe(4);
  expect((await place.plan(shared)).hash).toBe(plan.hash);
});

test('status, scale, labels and annotations written by others leave the hash as it is', async () => {
  const name = unique('busy');
  await place.deploySettled(name);
  const { hash } = await place.plan(name);
  await place.patch(name, [
    { op: 'add', path: '/metadata/annotations/example~1note', value: 'x' },
    { op: 'add', path: '/metadata/labels', value: { team: 'x' } },
  ]);
  await place.gateway.raw('PATCH', `/apis/apps/v1/namespaces/${place.namespace}/deployments/${name}/scale`, {
    query: new URLSearchParams({ fieldManager: 'hpa' }),
    body: { contentType: 'application/merge-patch+json', text: JSON.stringify({ spec: { replicas: 1 } }) },
  });
  expect((await place.live(name)).spec.replicas).toBe(1);
  expect((await place.plan(name)).hash).toBe(hash);
  await place.remove(name);
});

test('several images at once, an init container, and a digest are planned together', async () => {
  const plan = await place.planImages(shared, { main: digest, prepare: 'registry.example/prepare:2' });
  expect(plan.changes.map(({ path, after }) => [path, after])).toEqual([
    ['spec/template/spec/containers[name=main]/image', digest],
    ['spec/template/spec/initContainers[name=prepare]/image', 'registry.example/prepare:2'],
  ]);
});

test('an image that is there already plans no change', async () => {
  const plan = await place.plan(shared, 'registry.example/web:1');
  expect(plan.changes).toEqual([]);
  expect(plan.summary[0]).toBe('nothing would change');
});

test('a disruption budget and an autoscaler of the workload are named', async () => {
  const name = unique('kept');
  await place.deploySettled(name);
  await place.create({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: `${name}-budget` },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: name } } },
  });
  await place.create({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: `${name}-scaler` },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: 2,
      maxReplicas: 5,
    },
  });
  const text = (await place.plan(name)).summary.join('\n');
  expect(text).toMatch(new RegExp(`disruption budget: ${name}-budget allows (\\d+|unknown) now`));
  expect(text).toContain(`autoscaler: ${name}-scaler keeps 2 to 5 replicas`);
});

test('an unknown workload is refused with those that exist', async () => {
  const request = { target: shared, workload: 'constructor', image: 'registry.example/web:2' };
  const failure = await failureOf(act((input) => place.activities.planRollingUpdate(input), { request }));
  expect(failure.type).toBe('NotFound');
  expect(failure.message).toBe(`target ${shared} has no workload "constructor"; it has ${shared}`);
});

test('unknown containers are refused, all of them at once', async () => {
  const wanted = { nginx: 'registry.example/x:1', constructor: 'registry.example/x:1' };
  const failure = await failureOf(place.planImages(shared, wanted));
  expect(failure.type).toBe('NotFound');
  expect(failure.message).toBe(
    `Deployment ${shared} has no container "nginx", "constructor"; it has main, prepare`,
  );
});

test.each(['StatefulSet', 'DaemonSet'])('a %s is refused by name', async (kind) => {
  const name = unique('other');
  place.writeProfile(name, { workloads: { [name]: { kind, container: 'main' } } });
  const failure = await failureOf(place.plan(name));
  expect(failure.type).toBe('InvalidRequest');
  expect(failure.message).toContain(`${name} is a ${kind}, which this procedure does not support`);
});

test('a workload of the profile that the cluster lacks is NotFound', async () => {
  const name = unique('gone');
  place.writeProfile(name);
  const failure = await failureOf(place.plan(name));
  expect(failure.type).toBe('NotFound');
  expect(failure.message).toContain(name);
});
