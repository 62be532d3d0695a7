import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';
import { changeAnnotation, lockNamespace } from '../../src/contracts/names.ts';
import { readLease } from '../../src/domain/lock.ts';
import { waitFor } from '../../src/local/wait.ts';
import { Courses } from './support/courses.ts';
import { Place } from './support/place.ts';

/** More of them, from another start, for a long run. */
const many = Number(process.env.LOCK_SEEDS ?? 60);
const first = Number(process.env.LOCK_FIRST_SEED ?? 1);
/** So many at once: most of the time is spent waiting for answers. */
const atOnce = 6;

/** One accepted write, by the version that the store gave it. */
interface Event {
  version: number;
  object: KubernetesObject;
}

const events = new Map<string, Event[]>();
const stop = new AbortController();
const watching: Promise<void>[] = [];
let place: Place;

beforeAll(async () => {
  place = await Place.open();
  for (const [apiVersion, kind, namespace] of [
    ['apps/v1', 'Deployment', place.namespace],
    ['coordination.k8s.io/v1', 'Lease', lockNamespace],
  ] as const)
    watching.push(follow(apiVersion, kind, namespace).catch(() => undefined));
});

afterAll(async () => {
  stop.abort();
  await Promise.all(watching);
  await place.close();
});

async function follow(apiVersion: string, kind: string, namespace: string): Promise<void> {
  for await (const event of place.gateway.watch({ apiVersion, kind, namespace }, { signal: stop.signal })) {
    for (const object of event.type === 'SYNC' ? event.items : [event.object]) {
      const known = events.get(object.metadata.name) ?? [];
      events.set(object.metadata.name, known);
      known.push({ version: Number(object.metadata.resourceVersion), object });
    }
  }
}

test(`of several runs on a target never an earlier one writes after a later one (seeds ${first} to ${first + many - 1})`, async () => {
  const seeds = Array.from({ length: many }, (_, index) => first + index);
  const faults: string[] = [];
  const next = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift())
      for (const fault of await tryOne(seed)) faults.push(`seed ${seed}: ${fault}`);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
  expect(faults).toEqual([]);
}, 3_600_000);

async function tryOne(seed: number): Promise<string[]> {
  const courses = new Courses(place, seed);
  await courses.run();
  const faults = courses.fault === undefined ? [] : [`the last run: ${courses.fault}`];
  const live = await Promise.all(courses.workloads.map((name) => place.live(name)));
  await waitFor(
    () => {
      const complete = live.every(({ metadata }) =>
        (events.get(metadata.name) ?? []).some(({ version }) => version >= Number(metadata.resourceVersion)),
      );
      return Promise.resolve(complete || undefined);
    },
    { what: 'the watch to show everything', timeoutMilliseconds: 20_000 },
  );
  for (const name of courses.workloads) {
    const image = await place.liveImage(name);
    if (image !== courses.image('last')) faults.push(`${name} ends with ${image ?? 'nothing'}`);
  }
  faults.push(...judge(courses));
  for (const name of [...courses.workloads, leaseOf(courses)]) events.delete(name);
  return faults;
}

function leaseOf({ name }: Courses): string {
  return `${name}.${place.namespace}`;
}

/** A write as the annotations tell: by whom, under which taking of the lock, and whether it dealt with a dead run's change. */
interface Accepted {
  version: number;
  name: string;
  marker: string;
  taking: number;
  settles: boolean;
}

function judge(courses: Courses): string[] {
  const takings = takingsOf(courses);
  const writes = courses.workloads.flatMap((name) => writesTo(name, takings));
  writes.sort((left, right) => left.version - right.version);
  const faults: string[] = [];
  const latest = new Map<string, number>();
  let latestOwn = -1;
  for (const { name, marker, taking, settles } of writes) {
    if (taking < 0) faults.push(`${name}: ${marker} was written by a run that did not hold the lock`);
    // On one object any later write ends the earlier holders' ones; one of a change of its own does so on every object.
    if (taking < Math.max(latest.get(name) ?? -1, latestOwn))
      faults.push(`${name}: ${marker} was written after a later holder's write`);
    latest.set(name, Math.max(taking, latest.get(name) ?? -1));
    if (!settles) latestOwn = Math.max(latestOwn, taking);
  }
  return faults;
}

/** Every taking of the lock, in order. */
function takingsOf(courses: Courses): { version: number; run: string }[] {
  const takings: { version: number; run: string; since: string }[] = [];
  for (const { version, object } of events.get(leaseOf(courses)) ?? []) {
    const { holder } = readLease(object);
    if (holder === undefined) continue;
    const run = `${holder.workflowId}/${holder.firstRunId}`;
    const former = takings.at(-1);
    if (former?.run !== run || former.since !== holder.since)
      takings.push({ version, run, since: holder.since });
  }
  return takings;
}

function writesTo(name: string, takings: { version: number; run: string }[]): Accepted[] {
  const accepted: Accepted[] = [];
  let former: string | undefined;
  let generation: number | undefined;
  for (const { version, object } of events.get(name) ?? []) {
    const marker = object.metadata.annotations?.[changeAnnotation];
    const changed = marker !== former || object.metadata.generation !== generation;
    former = marker;
    generation = object.metadata.generation;
    if (marker === undefined || !changed) continue;
    const settling = / \((.*)\)$/.exec(marker)?.[1];
    const run = settling ?? marker.split('/').slice(0, 2).join('/');
    const taking = takings.findLastIndex((one) => one.run === run && one.version < version);
    accepted.push({ version, name, marker, taking, settles: settling !== undefined });
  }
  return accepted;
}
