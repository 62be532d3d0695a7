import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { RestartPlan, WorkloadPlan } from '../../../src/contracts/plan.ts';
import type { RestartWorkloadRequest } from '../../../src/contracts/restart-workload.ts';
import { unique } from '../../support/stack.ts';
import { aRun, Place } from '../support/place.ts';
import { release, revisionsOf } from '../support/releases.ts';
import { act, failureOf } from '../support/run-activity.ts';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});

const restartedAt = '2026-03-01T03:00:00.000Z';
const later = '2026-03-01T04:00:00.000Z';
const annotation = 'kubectl.kubernetes.io/restartedAt';
const path = 'spec/template/metadata/annotations/kubectl.kubernetes.io~1restartedAt';

async function plan(
  target: string,
  request: RestartWorkloadRequest = {},
  at = restartedAt,
): Promise<RestartPlan> {
  return await act(
    (input: { request: RestartWorkloadRequest; restartedAt: string }) => place.activities.planRestart(input),
    { request: { target, ...request }, restartedAt: at },
  );
}

/** The only workload of a plan, in the shape that the tests' place writes and undoes. */
function only({ waves, ...rest }: RestartPlan): WorkloadPlan {
  return { ...rest, ...waves[0]![0]! };
}

/** Deployments that one profile names. */
async function several(...prefixes: string[]): Promise<string[]> {
  const names = prefixes.map((prefix) => unique(prefix));
  for (const name of names) await place.deploySettled(name);
  const workloads = Object.fromEntries(
    [...names, 'stateful', 'daemon'].map((name) => [name, { kind: kindOf(name), container: 'main' }]),
  );
  place.writeProfile(names[0]!, { workloads });
  return names;
}

function kindOf(name: string): string {
  if (name === 'stateful') return 'StatefulSet';
  return name === 'daemon' ? 'DaemonSet' : 'Deployment';
}

test('a restart changes one annotation of the template, as kubectl does', async () => {
  const name = unique('web');
  const before = await place.deploySettled(name);
  const made = await plan(name);
  expect(made.changes).toEqual([
    { ...place.ref(name), uid: before.metadata.uid, path, after: restartedAt, generated: true },
  ]);
  expect(made.waves.map((wave) => wave.map(({ write }) => write.pin.name))).toEqual([[name]]);
  expect(only(made).images).toEqual({ main: 'registry.example/web:1' });
  expect(made.summary.join('\n')).toContain(`${path}: (none) → ${restartedAt}`);
  expect(made.summary.join('\n')).toContain('disruption budget: none');
  await place.write(only(made), aRun().marker('change'));
  const live = await place.live(name);
  expect(live.spec.template.metadata?.annotations).toEqual({ [annotation]: restartedAt });
  expect(live.spec.template.spec).toEqual(before.spec.template.spec);
});

test("the time is no part of the hash, but someone else's restart meanwhile is", async () => {
  const name = unique('web');
  await place.deploySettled(name);
  const first = await plan(name);
  expect((await plan(name, {}, later)).hash).toBe(first.hash);
  await place.write(only(first), aRun().marker('change'));
  await place.settled(name);
  const second = await plan(name, {}, later);
  expect(second.hash).not.toBe(first.hash);
  expect(second.changes[0]).toMatchObject({ before: restartedAt, after: later });
});

test('a second attempt recognises the restart of the first', async () => {
  const name = unique('web');
  await place.deploySettled(name);
  const made = only(await plan(name));
  const marker = aRun().marker('change');
  const first = await place.write(made, marker);
  await place.settled(name);
  expect((await place.write(made, marker)).generation).toBe(first.generation);
});

test('undo takes the annotation away, so that Kubernetes takes the former ReplicaSet again', async () => {
  const name = unique('web');
  const before = await place.deploySettled(name);
  const run = aRun();
  const made = only(await plan(name));
  await place.write(made, run.marker('change'));
  await place.settled(name);
  const { drift } = await place.undo(made, run);
  expect(drift).toEqual([]);
  const after = await place.settled(name);
  expect(after.spec.template).toEqual(before.spec.template);
  expect((await revisionsOf(place, name))[0]?.replicaSet.metadata.uid).toBe(made.formerReplicaSet?.uid);
  expect((await failureOf(place.write(made, run.marker('change')))).type).toBe('Moved');
});

test('undo puts the time of a former restart back, and leaves annotations of others', async () => {
  const name = unique('web');
  await place.deploySettled(name);
  await place.write(only(await plan(name)), aRun().marker('change'));
  await place.settled(name);
  const run = aRun();
  const made = only(await plan(name, {}, later));
  await place.write(made, run.marker('change'));
  await place.patch(name, [{ op: 'add', path: '/spec/template/metadata/annotations/theirs', value: 'x' }]);
  const { drift } = await place.undo(made, run);
  expect(drift).toEqual([]);
  expect((await place.live(name)).spec.template.metadata?.annotations).toEqual({
    [annotation]: restartedAt,
    theirs: 'x',
  });
});

test('undo of a first restart leaves annotations that others have set since', async () => {
  const name = unique('web');
  await place.deploySettled(name);
  const run = aRun();
  const made = only(await plan(name));
  await place.write(made, run.marker('change'));
  await place.patch(name, [{ op: 'add', path: '/spec/template/metadata/annotations/theirs', value: 'x' }]);
  expect((await place.undo(made, run)).drift).toEqual([]);
  expect((await place.live(name)).spec.template.metadata?.annotations).toEqual({ theirs: 'x' });
});

test('waves keep their order, and every workload has a write of its own', async () => {
  const [one = '', two = '', three = ''] = await several('web', 'api', 'job');
  const made = await plan(one, { waves: [[two], [three, one]] });
  expect(made.waves.map((wave) => wave.map(({ write }) => write.pin.name).sort())).toEqual([
    [two],
    [one, three].sort(),
  ]);
  expect(made.changes.map(({ name }) => name).sort()).toEqual([one, two, three].sort());
  expect(made.summary[0]).toBe(`wave 1: ${two} (0 replicas)`);
  expect(made.summary[1]).toMatch(/^wave 2: /);
  // What a guard says of the namespace is said once.
  expect(made.findings.filter(({ guard }) => guard === 'quota')).toHaveLength(1);
  expect(made.findings.filter(({ guard }) => guard === 'paused')).toHaveLength(3);
});

test('one workload that a guard protects stops all', async () => {
  const [one = '', two = ''] = await several('web', 'api');
  await release(place, two, [{ op: 'add', path: '/spec/paused', value: true }]);
  const { findings } = await plan(one, { waves: [[one], [two]] });
  expect(findings.filter(({ verdict }) => verdict === 'stops').map(({ sentence }) => sentence)).toEqual([
    expect.stringContaining(`Deployment ${two} is paused`),
  ]);
});

test('unknown workloads are named all at once, and so are those of other kinds', async () => {
  const [one = ''] = await several('web');
  const unknown = await failureOf(
    plan(one, {
      waves: [
        ['nope', one],
        ['constructor', 'stateful'],
      ],
    }),
  );
  expect(unknown.type).toBe('NotFound');
  expect(unknown.message).toBe(
    `target ${one} has no workload "nope", "constructor"; it has ${one}, stateful, daemon`,
  );
  const others = await failureOf(plan(one, { waves: [['stateful'], [one, 'daemon']] }));
  expect(others.type).toBe('InvalidRequest');
  expect(others.message).toBe(
    'restartWorkload changes Deployments; stateful is a StatefulSet, daemon is a DaemonSet, which this procedure does not support',
  );
});
