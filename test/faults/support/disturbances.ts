import { setTimeout as pause } from 'node:timers/promises';
import { mustBeOnce, mustEqual, within } from './checks.ts';
import type { Fault } from './faults.ts';
import type { ActivityRecord } from './journal.ts';
import type { WatchFate } from './kubernetes-proxy.ts';
import type { Stage } from './stage.ts';
import type { WorkerProcess, WorkerTap } from './worker-process.ts';

const awaySeconds = 60;

/** The API server is away from the moment that an activity begins. */
export function apiServerAway({ id }: ActivityRecord): Fault {
  return async (stage, reference) => {
    const back = Promise.withResolvers<unknown>();
    let left = false;
    await stage.startWorker((worker) => ({
      taskArriving: async (task) => {
        if (task.id !== id || left) return;
        left = true;
        await worker().kubernetes.leave();
        void pause(awaySeconds * 1000)
          .then(() => worker().kubernetes.comeBack())
          .then(back.resolve, back.reject);
      },
    }));
    await stage.startRun();
    await within(back.promise, 60 + awaySeconds, 'the API server to come back');
    mustEqual(await stage.end(), reference);
    return `away for ${awaySeconds} s`;
  };
}

/** Every request takes two seconds more than it should. */
export const everyRequestSlow: Fault = async (stage, reference) => {
  const worker = await stage.startWorker();
  worker.kubernetes.delayMilliseconds = 2000;
  await stage.startRun();
  mustEqual(await stage.end(), reference);
  return '';
};

/** The first watches are broken off after their first events, the next ones are told that they are too old. */
export const watchesBroken: Fault = async (stage, reference) => {
  const fates: WatchFate[] = ['drop', 'drop', 'drop', 'drop', 'gone', 'gone', 'gone', 'gone'];
  const worker = await stage.startWorker();
  worker.kubernetes.watchFate = () => fates.shift() ?? 'forward';
  await stage.startRun();
  mustEqual(await stage.end(), reference);
  if (fates.length > 0) throw new Error(`only ${8 - fates.length} of 8 watches were opened`);
  return '';
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
    mustEqual(await stage.end(), reference);
    return '';
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
    mustEqual(await stage.end(), reference);
    return '';
  };
}

/** What someone else does to the workload while a run is at work on it. */
export interface Edit {
  name: string;
  line: string[];
  /** What the cluster must hold of it in the end, as text. */
  leaves: string;
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
    const { outcome, state, effects } = await stage.end();
    const deployment = state.find((line) => line.includes('"kind":"Deployment"')) ?? '';
    if (!deployment.includes(edit.leaves)) throw new Error(`the edit is gone from ${deployment}`);
    mustFit(stage, outcome, deployment);
    mustBeOnce(effects);
    return `ended as ${outcome}`;
  };
}

function mustFit({ scenario }: Stage, outcome: string, deployment: string): void {
  const changed = deployment.includes(scenario.leaves);
  if (outcome === 'succeeded' && changed) return;
  if (['undone', 'aborted', 'failed'].includes(outcome) && !changed) return;
  throw new Error(`ended as ${outcome}, and the change is ${changed ? 'there' : 'not there'}: ${deployment}`);
}
