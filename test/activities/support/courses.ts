import { ApplicationFailure } from '@temporalio/activity';
import { createActivities, type Activities } from '../../../src/activities/index.ts';
import { createChannels } from '../../../src/activities/notifications/channels.ts';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { Runs } from '../../../src/clients/temporal/runs.ts';
import type { FreeLock, Leftover } from '../../../src/contracts/lock.ts';
import type { WorkloadChange, WorkloadPlan, Written } from '../../../src/contracts/plan.ts';
import type { RollingUpdateRequest } from '../../../src/contracts/rolling-update.ts';
import type { RunRef } from '../../../src/contracts/run.ts';
import type { Target } from '../../../src/contracts/target.ts';
import { sameRun } from '../../../src/domain/lock.ts';
import { seeded } from '../../support/builders.ts';
import type { Place } from './place.ts';
import { act } from './run-activity.ts';

/** Chances per request, by how much hangs on it. */
const chances: Record<string, number> = {
  jsonPatch: 0.3,
  replace: 0.25,
  create: 0.25,
  get: 0.08,
  list: 0.01,
};

type Fault = 'stallBefore' | 'stallAfter' | 'lose' | 'killBefore' | 'killAfter';
const faults: Fault[] = ['stallBefore', 'stallBefore', 'stallAfter', 'lose', 'killBefore', 'killAfter'];

/** The workflow of this actor was ended from outside. */
class Killed extends Error {}
/** Someone aborted the run while an activity hung. */
class Aborted extends Error {}

/** One run: a small model of what the workflow does. */
interface Actor {
  run: RunRef;
  /** No faults happen to it. */
  lucky: boolean;
  dead: boolean;
  ended: boolean;
}

interface Taking {
  since: string | undefined;
  leftover: Leftover | undefined;
}

/** Several runs on one target with two workloads, with faults after a schedule that the seed gives. */
export class Courses {
  readonly name: string;
  readonly workloads: [string, string];
  /** Why the last run did not come to its end, if so. */
  fault: string | undefined;
  readonly #place: Place;
  readonly #random: () => number;
  readonly #actors: Actor[] = [];
  readonly #zombies: Promise<unknown>[] = [];
  #held: { until: number; release: () => void }[] = [];
  #requests = 0;
  #over = false;
  #changed = Promise.withResolvers<undefined>();

  constructor(place: Place, seed: number) {
    this.#place = place;
    this.#random = seeded(seed);
    this.name = `t${seed}`;
    this.workloads = [`${this.name}-a`, `${this.name}-b`];
  }

  /** Two or three runs at once with faults, then one that nothing happens to while the rest of the past still may. */
  async run(): Promise<void> {
    await this.#prepare();
    const many = this.#random() < 0.5 ? 2 : 3;
    const names = ['A', 'B', 'C'].slice(0, many);
    await Promise.all(names.map((name) => this.#course(this.#actor(name, false))));
    const last = this.#actor('last', true);
    await this.#course(last).catch((error: unknown) => {
      this.fault = String(error);
    });
    // What still hangs goes on now, and nothing stops it any more.
    this.#over = true;
    for (const { release } of this.#held) release();
    await Promise.allSettled(this.#zombies);
  }

  /** The image that a run of that name rolls out. */
  image(name: string): string {
    return `registry.example/${name.toLowerCase()}:1`;
  }

  async #prepare(): Promise<void> {
    const [first, second] = this.workloads;
    const workload = { kind: 'Deployment', container: 'main' };
    this.#place.writeProfile(this.name, {
      workload: first,
      workloads: { [first]: workload, [second]: workload },
    });
    await Promise.all(
      this.workloads.map((name) =>
        this.#place.create({
          apiVersion: 'apps/v1',
          kind: 'Deployment',
          metadata: { name },
          spec: {
            replicas: 0,
            // Its controller writes its status all the same, as everywhere; it only makes no ReplicaSets.
            paused: true,
            selector: { matchLabels: { app: name } },
            template: {
              metadata: { labels: { app: name } },
              spec: { containers: [{ name: 'main', image: this.image('start') }] },
            },
          },
        }),
      ),
    );
  }

  #actor(name: string, lucky: boolean): Actor {
    const workflowId = `${this.name}-${name}`;
    const run = { workflowId, firstRunId: `${workflowId}-first`, procedure: 'rollingUpdate' };
    const actor: Actor = { run, lucky, dead: false, ended: false };
    this.#actors.push(actor);
    return actor;
  }

  /** From the look at the lock to its release, as src/workflows/run does it. */
  async #course(actor: Actor): Promise<void> {
    try {
      const { target } = await this.#call(actor, 'resolveTarget', { target: this.name });
      const view = await this.#call(actor, 'lookAtLock', { target, me: actor.run });
      if (view.leftover !== undefined) await this.#settle(actor, target, view.leftover);
      await this.#change(actor, target);
    } catch (error) {
      if (actor.lucky) throw error;
    } finally {
      actor.ended = true;
      this.#notify();
    }
  }

  async #settle(actor: Actor, target: Target, leftover: Leftover): Promise<void> {
    const taking = await this.#take(actor, target, leftover);
    let keepLeftover = taking.leftover !== undefined;
    try {
      if (taking.leftover !== undefined) {
        const undo = this.#random() < 0.5;
        for (const change of [...leftover.undo].reverse())
          await this.#restore(actor, target, change, leftover.run, undo);
        keepLeftover = false;
      }
    } finally {
      await this.#release(actor, target, taking, keepLeftover);
    }
  }

  async #change(actor: Actor, target: Target): Promise<void> {
    const taking = await this.#take(actor, target, undefined);
    if (taking.leftover !== undefined) {
      await this.#release(actor, target, taking, true);
      // The real run ends here and is started again; the settled half-done change is the difference.
      await this.#settle(actor, target, taking.leftover);
      await this.#change(actor, target);
      return;
    }
    let keepLeftover = false;
    try {
      keepLeftover = await this.#writeBoth(actor, target, taking);
    } finally {
      await this.#release(actor, target, taking, keepLeftover);
    }
  }

  /** Whether something of it stays half done. */
  async #writeBoth(actor: Actor, target: Target, taking: Taking): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      const plans: WorkloadPlan[] = [];
      for (const workload of this.workloads) {
        const image = this.image(actor.run.workflowId.slice(this.name.length + 1));
        const request: RollingUpdateRequest = { target: this.name, workload, images: { main: image } };
        plans.push(await this.#call(actor, 'planRollingUpdate', { request }));
      }
      const at = new Date().toISOString();
      const leftover = { run: actor.run, step: 'Change', at, planHash: 'hash', undo: plans };
      const since = taking.since === undefined ? {} : { since: taking.since };
      await this.#call(actor, 'recordLeftover', { target, me: actor.run, ...since, leftover });
      const written: Written[] = [];
      try {
        for (const { write } of plans) {
          const marker = `${actor.run.workflowId}/${actor.run.firstRunId}/Change`;
          written.push(await this.#call(actor, 'applyWrite', { target, write, marker, holder: actor.run }));
        }
        if (actor.lucky || this.#random() < 0.6) return false;
      } catch (error) {
        if (error instanceof Killed) throw error;
        const moved = typeOf(error) === 'Moved' && written.length === 0;
        if (moved && attempt < (actor.lucky ? 50 : 5)) continue;
        if (actor.lucky && !moved && typeOf(error) !== 'Moved') throw error;
      }
      const undone = await this.#undoAll(actor, target, plans);
      if (!actor.lucky) return !undone;
      if (!undone) throw new Error('the last run could not undo what it had begun');
    }
  }

  async #undoAll(actor: Actor, target: Target, plans: WorkloadPlan[]): Promise<boolean> {
    let undone = true;
    for (const change of [...plans].reverse()) {
      try {
        await this.#restore(actor, target, change, actor.run, true);
      } catch (error) {
        if (error instanceof Killed) throw error;
        undone = false;
      }
    }
    return undone;
  }

  /** `undo`: puts the former values back; otherwise it only writes the marker. */
  async #restore(
    actor: Actor,
    target: Target,
    change: WorkloadChange,
    owner: RunRef,
    undo: boolean,
  ): Promise<void> {
    const own = `${actor.run.workflowId}/${actor.run.firstRunId}`;
    const step = `${owner.workflowId}/${owner.firstRunId}/${undo ? 'Undo' : 'Keep'}`;
    const marker = sameRun(owner, actor.run) ? step : `${step} (${own})`;
    const what = undo ? change : { ...change, changes: [], write: { ...change.write, expected: [] } };
    for (let attempt = 1; ; attempt++) {
      try {
        const { write } = await this.#call(actor, 'readForUndo', { target, change: what, owner });
        await this.#call(actor, 'applyWrite', { target, write, marker, holder: actor.run });
        return;
      } catch (error) {
        // Gone, or another run's meanwhile: out of reach of whatever its owner may still send.
        if (!sameRun(owner, actor.run) && typeOf(error) === 'Refused') return;
        if (typeOf(error) !== 'Moved' || attempt >= (actor.lucky ? 50 : 5)) throw error;
      }
    }
  }

  async #take(actor: Actor, target: Target, settling: Leftover | undefined): Promise<Taking> {
    const request = {
      target,
      me: actor.run,
      repair: false,
      emergency: false,
      waitSeconds: 60,
      lookOnly: true,
      frozenUntil: new Date().toISOString(),
    };
    for (;;) {
      const changed = this.#changed.promise;
      const free = await this.#call(actor, 'awaitLock', request);
      if (!isFree(free)) {
        await changed;
        continue;
      }
      try {
        const { since } = await this.#call(actor, 'takeLock', { target, me: actor.run, pin: free.pin });
        const { leftover } = free;
        const same = leftover === undefined || settling === undefined || leftover.at === settling.at;
        if (same) return { since, leftover };
        await this.#release(actor, target, { since, leftover }, true);
        throw new Error('another half-done change is on the lock');
      } catch (error) {
        if (typeOf(error) === 'Moved') continue;
        // The lock may be taken all the same: by an attempt that still hangs.
        if (error instanceof Aborted)
          await this.#release(actor, target, { since: undefined, leftover: undefined }, true);
        throw error;
      }
    }
  }

  async #release(actor: Actor, target: Target, { since }: Taking, keepLeftover: boolean): Promise<void> {
    if (actor.dead) return;
    const taking = since === undefined ? {} : { since };
    await this.#call(actor, 'releaseLock', { target, me: actor.run, ...taking, keepLeftover }, false);
    this.#notify();
  }

  /** One activity with its retries. An attempt that hangs counts as timed out, and goes on as a ghost. */
  async #call<K extends keyof Activities>(
    actor: Actor,
    name: K,
    input: Parameters<Activities[K]>[0],
    mayAbort = true,
  ): Promise<Awaited<ReturnType<Activities[K]>>> {
    for (;;) {
      refuseDead(actor);
      const hung = Promise.withResolvers<'hung'>();
      const activities = this.#activities(actor, () => {
        hung.resolve('hung');
      });
      const activity = activities[name] as (input: unknown) => Promise<unknown>;
      const attempt = act(activity, input).then(
        (value) => ({ value }),
        (error: unknown) => ({ error }),
      );
      this.#zombies.push(attempt);
      const outcome = await Promise.race([attempt, hung.promise]);
      if (name !== 'awaitLock') this.#notify();
      refuseDead(actor);
      if (outcome === 'hung') {
        if (mayAbort && this.#random() < 0.3) throw new Aborted();
        continue;
      }
      if ('value' in outcome) return outcome.value as Awaited<ReturnType<Activities[K]>>;
      const { error } = outcome;
      if (!(error instanceof ApplicationFailure) || error.nonRetryable === true) throw error;
    }
  }

  #activities(actor: Actor, hang: () => void): Activities {
    const runs: Runs = {
      identity: () => Promise.resolve({ temporalNamespace: 'test', temporalCluster: 'test' }),
      describe: (workflowId) => Promise.resolve(this.#statusOf(workflowId)),
      abort: () => Promise.resolve(),
    };
    const gateway = new Proxy(this.#place.gateway, {
      get: (target, key: string) => {
        const method = Reflect.get(target, key) as (...input: unknown[]) => Promise<unknown>;
        const request = (...input: unknown[]): Promise<unknown> => method.apply(target, input);
        if (!(key in chances)) return request;
        return (...input: unknown[]) => this.#faultily(actor, key, hang, () => request(...input));
      },
    });
    return createActivities({
      targetsFolder: this.#place.targetsFolder,
      defaultTarget: undefined,
      searchAttributes: false,
      gatewayFor: (): KubernetesGateway => gateway,
      storage: undefined,
      runs,
      channels: createChannels(undefined),
    });
  }

  #statusOf(workflowId: string): { running: boolean; firstRunId: string; closedAt?: number } | undefined {
    const actor = this.#actors.find(({ run }) => run.workflowId === workflowId);
    if (actor === undefined) return undefined;
    const { firstRunId } = actor.run;
    if (!actor.dead && !actor.ended) return { running: true, firstRunId };
    // Long enough ago for a takeover at once: the grace only makes it less likely that a fence is needed.
    return { running: false, firstRunId, closedAt: Date.now() - 3_600_000 };
  }

  async #faultily(
    actor: Actor,
    method: string,
    hang: () => void,
    request: () => Promise<unknown>,
  ): Promise<unknown> {
    this.#requests += 1;
    this.#releaseDue();
    const happens = !actor.lucky && !this.#over && this.#random() < (chances[method] ?? 0);
    const fault = happens ? faults[Math.floor(this.#random() * faults.length)] : undefined;
    if (fault === 'killBefore') this.#kill(actor);
    if (fault === 'killBefore' || fault === 'stallBefore') await this.#hold(hang);
    const answer = await request();
    if (fault === 'killAfter') this.#kill(actor);
    if (fault === 'killAfter' || fault === 'stallAfter') await this.#hold(hang);
    if (fault === 'lose')
      throw new KubernetesError({ operation: method, reason: 'ConnectionLost', retryable: true });
    return answer;
  }

  #kill(actor: Actor): void {
    actor.dead = true;
    this.#notify();
  }

  async #hold(hang: () => void): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const until = this.#requests + Math.floor(this.#random() ** 2 * 300);
    this.#held.push({
      until,
      release: () => {
        resolve(undefined);
      },
    });
    hang();
    await promise;
  }

  #releaseDue(): void {
    const due = this.#held.filter(({ until }) => until <= this.#requests);
    this.#held = this.#held.filter(({ until }) => until > this.#requests);
    for (const { release } of due) release();
  }

  /** Whoever waits for the lock looks again. */
  #notify(): void {
    this.#changed.resolve(undefined);
    this.#changed = Promise.withResolvers();
  }
}

function refuseDead({ dead }: Actor): void {
  if (dead) throw new Killed();
}

function isFree(answer: FreeLock | { waitsFor: string }): answer is FreeLock {
  return 'pin' in answer;
}

function typeOf(error: unknown): string | null | undefined {
  return error instanceof ApplicationFailure ? error.type : undefined;
}
