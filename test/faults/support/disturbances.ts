import { setTimeout as pause } from 'node:timers/promises';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { decisionFor } from '../../support/world.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { mustBeOnce, mustBeSame, mustEqual, mustHaveFreeLock } from './checks.ts';
import { within } from './within.ts';
import { unmarked } from './cluster-state.ts';
import type { Fault } from './faults.ts';
import type { ActivityRecord } from './journal.ts';
import type { WatchFate } from './server-proxy.ts';
import type { Stage } from './stage.ts';
import type { WorkerProcess, WorkerTap } from './worker-process.ts';

const awaySeconds = 60;

/** A server is away from the moment that an activity begins. */
export function serverAway({ id }: ActivityRecord, which: 'kubernetes' | 'storage'): Fault {
  return async (stage, reference) => {
    const back = Promise.withResolvers<unknown>();
    let left = false;
    await stage.startWorker((worker) => ({
      taskArriving: async (task) => {
        if (task.id !== id || left) return;
        left = true;
        await worker()[which].leave();
        void pause(awaySeconds * 1000)
          .then(() => worker()[which].comeBack())
          .then(back.resolve, back.reject);
      },
    }));
    await stage.startRun();
    await within(back.promise, 60 + awaySeconds, 'the server to come back');
    return [`away for ${awaySeconds} s`, mustEqual(await stage.end(), reference)].filter(Boolean).join('; ');
  };
}

/** Every request takes two seconds more than it should. */
export const everyRequestSlow: Fault = async (stage, reference) => {
  const worker = await stage.startWorker();
  worker.kubernetes.delayMilliseconds = 2000;
  await stage.startRun();
  return mustEqual(await stage.end(), reference);
};

/** Of ten requests to the storage one is lost on its way, one only its answer, and one takes five seconds. */
export const storageBad: Fault = async (stage, reference) => {
  let seen = 0;
  await stage.startWorker(() => ({
    storeArriving: async () => {
      seen += 1;
      if (seen % 10 === 9) await pause(5000);
      return seen % 10 === 3 ? 'lose' : 'forward';
    },
    storeAnswered: () => (seen % 10 === 6 ? 'lose' : 'forward'),
  }));
  await stage.startRun();
  return mustEqual(await stage.end(), reference);
};

/** The first watches are broken off after their first events, the next ones are told that they are too old. */
export const watchesBroken: Fault = async (stage, reference) => {
  const fates: WatchFate[] = ['drop', 'drop', 'drop', 'drop', 'gone', 'gone', 'gone', 'gone'];
  const worker = await stage.startWorker();
  worker.kubernetes.watchFate = () => fates.shift() ?? 'forward';
  await stage.startRun();
  const remark = mustEqual(await stage.end(), reference);
  if (fates.length > 0) throw new Error(`only ${8 - fates.length} of 8 watches were opened`);
  return remark;
};

/** Two workers share the run; one of them dies when it gets its n-th task. */
export function oneOfTwoKilled(tasks: number): Fault {
  return async (stage, reference) => {
    const struck = Promise.withResolvers<undefined>();
    let seen = 0;
    const tap = (worker: () => WorkerProcess): WorkerTap => ({
      taskArrived: async () => {
        if (++seen !== tasks) return;
        await worker().kill();
        struck.resolve(undefined);
      },
    });
    await Promise.all([stage.startWorker(tap), stage.startWorker(tap)]);
    await stage.startRun();
    await within(struck.promise, 60, 'the fault to strike');
    return mustEqual(await stage.end(), reference);
  };
}

/** Temporal is killed when it has just given an activity away, and started again on the same histories. */
export function temporalKilled({ id }: ActivityRecord): Fault {
  return async (stage, reference) => {
    const restarted = Promise.withResolvers<undefined>();
    let struck = false;
    await stage.startWorker(() => ({
      taskArrived: (task) => {
        if (task.id !== id || struck) return;
        struck = true;
        stage.temporal?.restart().then(restarted.resolve, restarted.reject);
      },
    }));
    await stage.startRun();
    await within(restarted.promise, 120, 'Temporal to be killed and started again');
    return mustEqual(await stage.end(), reference);
  };
}

/**
 * A run is terminated when it holds the lock and has changed something, while another one waits for the lock. The other
 * one stops, since something is half done; the next one is asked about that, and puts the former state back.
 */
export const holderTerminated: Fault = async (stage) => {
  const before = await stage.settledState();
  await stage.startWorker();
  stage.stopAnswering();
  await stage.startRun();
  await stage.run.gate(await stage.run.approve());
  const other = { image: 'sleeper:3' };
  const waiting = await stage.startOther(other);
  await waiting.approve();
  await waitFor(
    async () => ((await waiting.describe()).lock?.includes('holds the target') === true ? true : undefined),
    {
      what: 'the other run to wait for the lock',
      timeoutMilliseconds: 30_000,
    },
  );
  await stage.run.handle.terminate('a test');
  const stopped = (await waiting.end()).report;
  if (stopped.outcome !== 'failed' || !/died in the middle/.test(stopped.error ?? ''))
    throw new Error(`the run that waited ended as ${stopped.outcome}: ${stopped.error ?? '-'}`);
  const third = await stage.startOther(other);
  const asked = await third.gate();
  if (!asked.question.startsWith('Half-done change')) throw new Error(`the next run asks: ${asked.question}`);
  await third.decide(decisionFor(asked));
  const planned = await third.gate(asked);
  await third.decide(decisionFor(planned, 'reject'));
  const { outcome } = (await third.end()).report;
  if (outcome !== 'rejected') throw new Error(`the next run ended as ${outcome}`);
  const state = await stage.settledState();
  mustBeSame('state after the half-done change was undone', unmarked(state), unmarked(before));
  // The dead run gave nothing back; who took the lock over did.
  mustHaveFreeLock({ state, effects: [] });
  return 'the one that waited stopped and said why; the next one undid the half-done change';
};

/** What someone else does to the workload while a run is at work on it. */
export interface Edit {
  name: string;
  line: string[];
  /** What the cluster must hold of it in the end, as text. */
  leaves: string;
  /** What a plan says that replaces it on purpose, such as that of a rollback. */
  shown?: string;
}

/** An edit just before an activity begins: it stays, and the run's own values are there entirely or not at all. */
export function editedBefore({ id }: ActivityRecord, edit: Edit): Fault {
  return async (stage) => {
    const edited = Promise.withResolvers<string>();
    let begun = false;
    await stage.startWorker(() => ({
      taskArriving: async (task) => {
        if (task.id !== id || begun) return;
        begun = true;
        stage.place.kubectl(...edit.line).then(edited.resolve, edited.reject);
        await edited.promise.catch(() => undefined);
      },
    }));
    await stage.startRun();
    await within(edited.promise, 60, 'the edit');
    const ending = await stage.end();
    const { outcome, state, effects } = ending;
    const deployment = state.find((line) => isWorkload(JSON.parse(line) as KubernetesObject)) ?? '';
    const isGone = !deployment.includes(edit.leaves);
    const replaced =
      isGone &&
      outcome === 'succeeded' &&
      edit.shown !== undefined &&
      stage.approvedPlan.includes(edit.shown);
    if (isGone && !replaced)
      throw new Error(`the edit is gone from ${deployment}; approved: ${stage.approvedPlan}`);
    mustFit(stage, outcome, deployment);
    mustHaveFreeLock(ending);
    mustBeOnce(effects);
    return `ended as ${outcome}${replaced ? ', the plan that people approved replaced the edit' : ''}`;
  };
}

function isWorkload({ kind, metadata }: KubernetesObject): boolean {
  return kind === 'Deployment' && metadata.name === 'alecs-server';
}

function mustFit({ scenario }: Stage, outcome: string, deployment: string): void {
  const changed = deployment.includes(scenario.leaves);
  if (outcome === 'succeeded' && changed) return;
  if (['undone', 'aborted', 'failed'].includes(outcome) && !changed) return;
  throw new Error(`ended as ${outcome}, and the change is ${changed ? 'there' : 'not there'}: ${deployment}`);
}
