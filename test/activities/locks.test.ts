import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createActivities, type Activities } from '../../src/activities/index.ts';
import { createChannels } from '../../src/activities/notifications/channels.ts';
import { KubernetesError } from '../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../src/clients/kubernetes/gateway.ts';
import type { Runs, RunStatus } from '../../src/clients/temporal/runs.ts';
import { lockAnnotations, type FreeLock, type Leftover, type LockPin } from '../../src/contracts/lock.ts';
import { lockNamespace } from '../../src/contracts/names.ts';
import type { ObjectRef } from '../../src/contracts/kubernetes.ts';
import type { Control } from '../../src/contracts/run.ts';
import type { Target } from '../../src/contracts/target.ts';
import { leaseName, readLease, type LockContent } from '../../src/domain/lock.ts';
import { waitFor } from '../../src/local/wait.ts';
import { unique } from '../support/stack.ts';
import { narrowWorker } from './support/narrow-worker.ts';
import { aRun, Place } from './support/place.ts';
import { act, anEnvironment, failureOf } from './support/run-activity.ts';

/** A Temporal that says what the test wrote into it. */
class ScriptedRuns implements Runs {
  readonly statuses = new Map<string, RunStatus>();
  readonly aborted: { workflowId: string; control: Control }[] = [];
  reachable = true;
  /** So many aborts do not arrive. */
  lostAborts = 0;

  identity(): Promise<{ temporalNamespace: string; temporalCluster: string }> {
    return this.reachable
      ? Promise.resolve({ temporalNamespace: 'test', temporalCluster: 'test' })
      : Promise.reject(new Error('unreachable'));
  }

  describe(workflowId: string): Promise<RunStatus | undefined> {
    return this.reachable
      ? Promise.resolve(this.statuses.get(workflowId))
      : Promise.reject(new Error('unreachable'));
  }

  abort(workflowId: string, control: Control): Promise<void> {
    this.aborted.push({ workflowId, control });
    if (this.lostAborts <= 0) return Promise.resolve();
    this.lostAborts -= 1;
    return Promise.reject(new Error('lost'));
  }

  runs({ workflowId, firstRunId }: Run, change: Partial<RunStatus> = {}): void {
    this.statuses.set(workflowId, { running: true, firstRunId, ...change });
  }
}

type Run = ReturnType<typeof aRun>;

let place: Place;
let runs: ScriptedRuns;
let activities: Activities;
let target: Target;

beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});
beforeEach(async () => {
  runs = new ScriptedRuns();
  activities = activitiesWith(place.gateway);
  const name = unique('target');
  place.writeProfile(name);
  ({ target } = await act(activities.resolveTarget, { target: name }));
});

function activitiesWith(gateway: KubernetesGateway): Activities {
  return createActivities({
    targetsFolder: place.targetsFolder,
    defaultTarget: undefined,
    searchAttributes: false,
    gatewayFor: () => gateway,
    storage: undefined,
    runs,
    channels: createChannels(undefined),
  });
}

/** The same gateway with another behaviour of one method. */
function gatewayWith(change: Partial<KubernetesGateway>): KubernetesGateway {
  return new Proxy(place.gateway, {
    get: (original, key: keyof KubernetesGateway) => {
      const method: unknown = change[key] ?? Reflect.get(original, key);
      return typeof method === 'function' ? (method.bind(original) as unknown) : method;
    },
  });
}

const leaseRef = (): ObjectRef => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: lockNamespace,
  name: leaseName(target.profile),
});

async function live(): Promise<LockContent> {
  return readLease(await place.gateway.get(leaseRef()));
}

async function annotate(key: keyof typeof lockAnnotations, value: string | null): Promise<void> {
  const lease = await place.gateway.get(leaseRef());
  const annotations = { ...lease.metadata.annotations };
  if (value === null) Reflect.deleteProperty(annotations, lockAnnotations[key]);
  else annotations[lockAnnotations[key]] = value;
  const metadata = { ...lease.metadata, annotations };
  await place.gateway.replace({ ...lease, metadata }, { fieldManager: 'someone' });
}

async function take(me: Run, pin: LockPin, by = activities): ReturnType<Activities['takeLock']> {
  return await act(by.takeLock, { target, me, pin });
}

async function release(me: Run, keepLeftover = false, since?: string): Promise<void> {
  const taking = since === undefined ? {} : { since };
  await act(activities.releaseLock, { target, me, ...taking, keepLeftover });
}

interface Asking {
  repair?: boolean;
  emergency?: boolean;
  waitSeconds?: number;
  lookOnly?: boolean;
  frozenUntil?: string;
  root?: { workflowId: string; runId: string };
}

async function awaitIt(
  me: Run,
  asking: Asking = {},
  environment = anEnvironment(),
): ReturnType<Activities['awaitLock']> {
  const request = {
    ...{ target, me, repair: false, emergency: false, waitSeconds: 30, lookOnly: false },
    frozenUntil: fromNow(30),
    ...asking,
  };
  return await act(activities.awaitLock, request, environment);
}

function fromNow(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}

/** A wait that has said what it waits for. */
async function waiting(me: Run, asking: Asking = {}): Promise<{ said: string; end: Promise<FreeLock> }> {
  const environment = anEnvironment();
  const said: string[] = [];
  environment.on('heartbeat', (sentence: unknown) => {
    if (typeof sentence === 'string') said.push(sentence);
  });
  const end = awaitIt(me, asking, environment) as Promise<FreeLock>;
  end.catch(() => undefined);
  const first = await waitFor(() => Promise.resolve(said[0]), {
    what: 'a wait for the lock to say why',
    timeoutMilliseconds: 10_000,
  });
  return { said: first, end };
}

/** A run that holds the target and that Temporal says is running. */
async function aHolder(change: Partial<RunStatus> = {}): Promise<Run> {
  const holder = aRun();
  await take(holder, (await lock(holder)).pin);
  runs.runs(holder, change);
  return holder;
}

async function lock(me: Run): Promise<FreeLock> {
  return (await awaitIt(me, { lookOnly: true })) as FreeLock;
}

function leftoverOf(run: Run): Leftover {
  const { workflowId, firstRunId, procedure } = run;
  const at = new Date().toISOString();
  return { run: { workflowId, firstRunId, procedure }, step: 'Change', at, planHash: 'h', undo: [] };
}

describe('taking a lock', () => {
  test('twice is taking it once', async () => {
    const me = aRun();
    const { pin } = await lock(me);
    const first = await take(me, pin);
    const { pin: taken } = await live();
    expect(await take(me, pin)).toEqual(first);
    expect((await live()).pin).toEqual(taken);
  });

  test('at a version that has passed is refused as moved and writes nothing', async () => {
    const { pin } = await lock(aRun());
    await aHolder();
    const before = await live();
    expect((await failureOf(take(aRun(), pin))).type).toBe('Moved');
    expect(await live()).toEqual(before);
  });

  // Regression: this was a fault of the runbook, which is not tried again, and ended the run.
  test('while Temporal does not say which cluster it is takes nothing and is tried again', async () => {
    const me = aRun();
    await release(me);
    const { pin } = await lock(me);
    runs.reachable = false;
    expect(await failureOf(take(me, pin))).toMatchObject({ type: 'Unavailable', nonRetryable: false });
    expect((await live()).holder).toBeUndefined();
    runs.reachable = true;
    await take(me, pin);
  });

  test('whose answer was lost is recognised at the next try', async () => {
    const me = aRun();
    await release(me);
    const { pin } = await lock(me);
    const lossy = gatewayWith({
      replace: async (object, options) => {
        await place.gateway.replace(object, options);
        throw new KubernetesError({ operation: 'PUT', reason: 'ConnectionLost', retryable: true });
      },
    });
    expect((await failureOf(take(me, pin, activitiesWith(lossy)))).type).toBe('Unavailable');
    const { since } = await take(me, pin);
    expect((await live()).holder).toMatchObject({ workflowId: me.workflowId, since });
  });

  test.each([true, false])('by many at once lets exactly one win (the Lease exists: %s)', async (exists) => {
    if (exists) await release(aRun());
    const { pin } = await lock(aRun());
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => take(aRun(), pin)));
    const won = results.filter((result) => result.status === 'fulfilled');
    expect(won).toHaveLength(1);
    expect((await live()).holder).toEqual(won[0]?.value);
  });

  test('whose Lease was deleted meanwhile is refused as moved; looked at again, it is free', async () => {
    const me = aRun();
    await release(me);
    const { pin } = await lock(me);
    const { metadata } = await place.gateway.get(leaseRef());
    await place.gateway.delete(leaseRef(), { preconditions: { uid: metadata.uid! } });
    expect((await failureOf(take(me, pin))).type).toBe('Moved');
    await take(me, (await lock(me)).pin);
  });

  test('keeps a freeze and what a dead run left', async () => {
    const dead = await aHolder();
    await act(activities.recordLeftover, { target, me: dead, leftover: leftoverOf(dead) });
    await release(dead, true);
    await annotate('freeze', 'stop');
    const me = aRun();
    const free = (await awaitIt(me, { repair: true })) as FreeLock;
    await take(me, free.pin);
    expect(await live()).toMatchObject({ freeze: {}, leftover: { run: { workflowId: dead.workflowId } } });
  });

  test('where the namespace of the locks is missing and may not be made names runbook setup', async () => {
    const missing = (operation: string, status: number): KubernetesError =>
      new KubernetesError({ operation, status, reason: 'NotFound', retryable: false });
    const without = gatewayWith({
      create: (object) =>
        Promise.reject(object.kind === 'Namespace' ? missing('POST', 403) : missing('POST', 404)),
    });
    const refused = await failureOf(take(aRun(), null, activitiesWith(without)));
    expect(refused.type).toBe('NotFound');
    expect(refused.message).toMatch(/no namespace runbooks.*runbook setup/);
  });
});

describe('waiting for a lock', () => {
  test('that is free ends at once', async () => {
    expect(await awaitIt(aRun())).toEqual({ pin: null, sentence: 'the target was free' });
  });

  test('that is held ends as soon as it is released, long before it asks again', async () => {
    const holder = await aHolder({ step: 'Verify health' });
    const { said, end } = await waiting(aRun());
    expect(said).toMatch(new RegExp(`^run ${holder.workflowId} .*now at "Verify health"$`));
    const released = performance.now();
    await release(holder);
    expect(await end).toMatchObject({ sentence: 'the target was free' });
    expect(performance.now() - released).toBeLessThan(900);
  });

  test('that is held only says so when it is asked to look', async () => {
    await aHolder();
    expect(await awaitIt(aRun(), { lookOnly: true })).toEqual({
      waitsFor: expect.stringMatching(/holds the target since/),
    });
  });

  test('that stays held ends with the holder and what to do', async () => {
    const holder = await aHolder();
    const refused = await failureOf(awaitIt(aRun(), { waitSeconds: 0 }));
    expect(refused.type).toBe('LockHeld');
    expect(refused.message).toMatch(new RegExp(`${holder.workflowId}.*start again when it has ended`));
  });

  test('of a run that has ended long ago takes it over, with what that run left', async () => {
    const dead = await aHolder();
    await act(activities.recordLeftover, { target, me: dead, leftover: leftoverOf(dead) });
    runs.runs(dead, { running: false, closedAt: Date.now() - 46_000 });
    expect(await awaitIt(aRun())).toMatchObject({
      sentence: expect.stringMatching(/^taken over from/),
      leftover: { run: { workflowId: dead.workflowId } },
    });
  });

  test('of a run that has just ended leaves its workers the grace to notice', async () => {
    const dead = await aHolder();
    runs.runs(dead, { running: false, closedAt: Date.now() });
    const began = Date.now();
    const { said, end } = await waiting(aRun(), { waitSeconds: 0 });
    expect(said).toMatch(/^waits 15 s for workers/);
    expect(await end).toMatchObject({ sentence: expect.stringMatching(/^taken over/) });
    expect(Date.now() - began).toBeGreaterThanOrEqual(15_000);
  });

  test.each(['deleted', 'started anew under the same id'])(
    'of a workflow that was %s waits the grace too',
    async (what) => {
      const dead = await aHolder();
      runs.statuses.delete(dead.workflowId);
      if (what !== 'deleted') runs.runs({ ...dead, firstRunId: 'later' });
      expect(await awaitIt(aRun(), { lookOnly: true })).toEqual({
        waitsFor: expect.stringMatching(/^waits 15 s for workers/),
      });
    },
  );

  test('of a run that Temporal does not name the chain of is not taken over', async () => {
    const holder = await aHolder();
    runs.runs({ ...holder, firstRunId: '' }, { running: false, closedAt: 0 });
    expect(await awaitIt(aRun(), { lookOnly: true })).toEqual({
      waitsFor: expect.stringMatching(/Temporal does not say/),
    });
  });

  test('of a run in another Temporal is refused and names runbook unlock', async () => {
    const holder = await aHolder();
    const { holder: content } = await live();
    await annotate('holder', JSON.stringify({ ...content, temporalCluster: 'elsewhere' }));
    const refused = await failureOf(awaitIt(aRun()));
    expect(refused.type).toBe('GuardStopped');
    expect(refused.message).toMatch(new RegExp(`${holder.workflowId}.*runbook unlock`));
  });

  test('with Temporal unreachable never takes over; when it answers again, it does', async () => {
    const holder = await aHolder();
    runs.runs(holder, { running: false, closedAt: Date.now() - 3_600_000 });
    runs.reachable = false;
    const refused = await failureOf(awaitIt(aRun(), { waitSeconds: 1 }));
    expect(refused.type).toBe('LockHeld');
    expect(refused.message).toMatch(/Temporal does not say/);
    const { end } = await waiting(aRun());
    runs.reachable = true;
    expect(await end).toMatchObject({ sentence: expect.stringMatching(/^taken over/) });
  });

  test('that is frozen ends when it is unfrozen, and a repair does not wait at all', async () => {
    await release(aRun());
    await annotate('freeze', 'audit');
    expect(await awaitIt(aRun(), { repair: true })).toMatchObject({ sentence: 'the target was free' });
    const { said, end } = await waiting(aRun());
    expect(said).toMatch(/^frozen by someone.*audit$/);
    await annotate('freeze', null);
    expect(await end).toMatchObject({ sentence: 'the target was free' });
  });

  test.each(['a moment ago', 'no time at all'])(
    'that is frozen past the deadline (%s) is refused',
    async (when) => {
      await release(aRun());
      await annotate('freeze', 'audit');
      const refused = await failureOf(
        awaitIt(aRun(), { frozenUntil: when === 'a moment ago' ? fromNow(-1) : when }),
      );
      expect(refused.type).toBe('GuardStopped');
      expect(refused.message).toMatch(/^the target is frozen.*was until the deadline$/);
    },
  );

  test('that was frozen for longer than it would wait for a holder still waits for the holder then', async () => {
    const holder = await aHolder();
    await annotate('freeze', 'audit');
    const { end } = await waiting(aRun(), { waitSeconds: 1 });
    const second = Date.now() + 1100;
    await waitFor(() => Promise.resolve(Date.now() > second || undefined), {
      what: 'a freeze of more than a second',
      timeoutMilliseconds: 3000,
    });
    await annotate('freeze', null);
    await release(holder);
    expect(await end).toMatchObject({ sentence: 'the target was free' });
  });

  test('that cannot be read is refused and names the annotation', async () => {
    await release(aRun());
    await annotate('holder', '{');
    const refused = await failureOf(awaitIt(aRun()));
    expect(refused.type).toBe('GuardStopped');
    expect(refused.message).toMatch(/runbook\/holder.*runbook unlock/);
  });

  test('in an emergency aborts the holder once and goes on when that has released', async () => {
    const holder = await aHolder();
    const me = aRun();
    const { end } = await waiting(me, { emergency: true });
    await annotate('freeze', 'a change that wakes the wait');
    await annotate('freeze', null);
    await release(holder);
    await end;
    expect(runs.aborted).toEqual([
      {
        workflowId: holder.workflowId,
        control: { by: me.workflowId, reason: 'emergency rollingUpdate needs the target' },
      },
    ]);
  });

  test('in an emergency sends the abort again when it was lost', async () => {
    const holder = await aHolder();
    runs.lostAborts = 1;
    const { end } = await waiting(aRun(), { emergency: true });
    await waitFor(() => Promise.resolve(runs.aborted.length === 2 || undefined), {
      what: 'the second abort',
      timeoutMilliseconds: 5000,
    });
    await release(holder);
    await end;
  });

  test('in an emergency ends when the holder does not, and says that it was told', async () => {
    await aHolder();
    const refused = await failureOf(awaitIt(aRun(), { emergency: true, waitSeconds: 1 }));
    expect(refused.type).toBe('LockHeld');
    expect(refused.message).toMatch(/it was told to abort and has not ended yet/);
    runs.lostAborts = 100;
    expect((await failureOf(awaitIt(aRun(), { emergency: true, waitSeconds: 0 }))).message).toMatch(
      /it could not be told to abort/,
    );
  });

  test('whose root holds it gets it from the root; a root that Temporal does not know gives nothing', async () => {
    const root = await aHolder();
    const { workflowId, firstRunId } = root;
    const child = aRun();
    const inherited = { pin: (await live()).pin, inheritedFrom: { workflowId, firstRunId } };
    expect(await awaitIt(child, { root: { workflowId, runId: firstRunId } })).toMatchObject(inherited);
    const other = { workflowId: 'nobody', runId: 'none' };
    expect(await awaitIt(child, { root: other, lookOnly: true })).toHaveProperty('waitsFor');
  });
});

describe('releasing a lock', () => {
  test('twice is releasing it once', async () => {
    const me = await aHolder();
    await release(me);
    await release(me);
    const { holder, leftover, faults } = await live();
    expect({ holder, leftover, faults }).toEqual({ faults: [] });
  });

  test('of another run leaves it alone', async () => {
    await aHolder();
    const before = await live();
    await release(aRun());
    expect(await live()).toEqual(before);
  });

  test.each([true, false])('that nobody holds stops a late take (the Lease exists: %s)', async (exists) => {
    if (exists) await release(aRun());
    const me = aRun();
    const { pin } = await lock(me);
    await release(me);
    expect((await failureOf(take(me, pin))).type).toBe('Moved');
    expect((await live()).holder).toBeUndefined();
  });

  test('late does not release what the same run has taken again', async () => {
    const me = aRun();
    const { since } = await take(me, (await lock(me)).pin);
    await release(me, false, since);
    await waitFor(() => Promise.resolve(new Date().toISOString() > since || undefined), {
      what: 'the next millisecond',
      timeoutMilliseconds: 1000,
    });
    const again = await take(me, (await lock(me)).pin);
    await release(me, false, since);
    expect((await live()).holder).toEqual(again);
    const late = { target, me, since, leftover: leftoverOf(me) };
    expect((await failureOf(act(activities.recordLeftover, late))).type).toBe('LockLost');
  });

  test('keeps what is half done when it is told so, and a freeze always', async () => {
    const me = await aHolder();
    await act(activities.recordLeftover, { target, me, leftover: leftoverOf(me) });
    await annotate('freeze', 'audit');
    await release(me, true);
    expect(await live()).toMatchObject({ freeze: {}, leftover: { run: { workflowId: me.workflowId } } });
  });

  test('noting a change after the lock was lost is refused and names the holder', async () => {
    const me = await aHolder();
    await release(me);
    const note = { target, me, leftover: leftoverOf(me) };
    expect((await failureOf(act(activities.recordLeftover, note))).message).toMatch(/^nobody holds target/);
    const other = await aHolder();
    const refused = await failureOf(act(activities.recordLeftover, note));
    expect(refused.type).toBe('LockLost');
    expect(refused.message).toMatch(new RegExp(`run ${other.workflowId} holds`));
  });
});

describe('a worker with the rights of deploy/kubernetes/worker.yaml', () => {
  test('can look, wait, take, note and release', async () => {
    await release(aRun());
    const worker = await narrowWorker(place, [
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'watch', 'patch'] },
    ]);
    try {
      const { activities: narrow } = worker;
      const me = aRun();
      await act(narrow.lookAtLock, { target, me });
      const free = (await act(narrow.awaitLock, {
        ...{ target, me, repair: false, emergency: false, waitSeconds: 1, lookOnly: false },
        frozenUntil: fromNow(1),
      })) as FreeLock;
      await take(me, free.pin, narrow);
      await act(narrow.recordLeftover, { target, me, leftover: leftoverOf(me) });
      await act(narrow.releaseLock, { target, me, keepLeftover: false });
      expect((await live()).leftover).toBeUndefined();
    } finally {
      await worker.close();
    }
  });

  test('without the role for locks is told which namespace and role are missing', async () => {
    const forbidden = gatewayWith({
      get: () =>
        Promise.reject(
          new KubernetesError({ operation: 'GET', status: 403, reason: 'Forbidden', retryable: false }),
        ),
    });
    const refused = await failureOf(act(activitiesWith(forbidden).lookAtLock, { target, me: aRun() }));
    expect(refused.type).toBe('Forbidden');
    expect(refused.message).toMatch(/namespace runbooks.*runbook setup.*worker\.yaml/);
  });
});
