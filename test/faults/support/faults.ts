import { setTimeout as pause } from 'node:timers/promises';
import { mustBeAgreed, mustBeBack, mustBeSame, mustEqual, mustHaveFreeLock } from './checks.ts';
import { within } from './within.ts';
import { changesOf } from './effects.ts';
import type { ActivityRecord } from './journal.ts';
import { heartbeatSeconds, type Reference, type Stage } from './stage.ts';
import type { ActivityTask, Verdict } from './temporal-proxy.ts';
import type { TracedRequest, WorkerProcess, WorkerTap } from './worker-process.ts';

/** Does harm to a run and leads it to its end. @returns a remark. @throws when the result is not as it must be. */
export type Fault = (stage: Stage, reference: Reference) => Promise<string>;

/** Nothing happens: what the other runs are compared with. */
export async function undisturbed(stage: Stage): Promise<Reference> {
  await stage.startWorker();
  await stage.startRun();
  const ending = await stage.end();
  if (ending.outcome !== stage.scenario.outcome)
    throw new Error(`ended as ${ending.outcome} instead of ${stage.scenario.outcome} without any fault`);
  return { ...ending, activities: [...stage.journal.activities.values()] };
}

/** The worker has the task and has asked for nothing yet. */
export function killedAtStart({ id }: ActivityRecord): Fault {
  return killed((strike) => ({
    taskArrived: (task) => (task.id === id ? strike().then(() => undefined) : undefined),
    // It may be quicker than the news that it has the task.
    requestArriving: (request) => (request.task?.id === id ? strike() : 'forward'),
  }));
}

/** The API server has answered the activity's n-th write; the worker does not know. */
export function killedAfterWrite({ id }: ActivityRecord, write: number): Fault {
  let seen = 0;
  return killed((strike) => ({
    requestAnswered: (request) => (isWriteOf(id, request) && ++seen === write ? strike() : 'forward'),
  }));
}

/** The object storage has answered the activity's n-th write; the worker does not know. */
export function killedAfterStored({ id }: ActivityRecord, write: number): Fault {
  let seen = 0;
  return killed((strike) => ({
    storeAnswered: (request) => (isWriteOf(id, request) && ++seen === write ? strike() : 'forward'),
  }));
}

/** The API server has given the activity its n-th answer; the worker does not know. */
export function killedAfterAnswer({ id }: ActivityRecord, answer: number): Fault {
  let seen = 0;
  return killed((strike) => ({
    requestAnswered: (request) => (request.task?.id === id && ++seen === answer ? strike() : 'forward'),
  }));
}

/** The activity has done everything; Temporal does not know. */
export function killedAtEnd({ id }: ActivityRecord): Fault {
  return killed((strike) => ({ taskReporting: (task) => (task.id === id ? strike() : 'forward') }));
}

/** One worker after the other is killed when it has done its activity and Temporal does not know. */
export function killedAtEveryEnd(activities: ActivityRecord[]): Fault {
  return async (stage, reference) => {
    for (const { id } of activities) {
      const struck = Promise.withResolvers<undefined>();
      await stage.startWorker((worker) => ({
        taskReporting: async (task) => {
          if (task.id !== id) return 'forward';
          await worker().kill();
          struck.resolve(undefined);
          return 'lose';
        },
      }));
      if (id === activities[0]?.id) await stage.startRun();
      else await stage.forgetWorker();
      await within(struck.promise, 60, `the end of ${id}`);
    }
    await stage.startWorker();
    await stage.forgetWorker();
    return mustEqual(await stage.end(), reference);
  };
}

function killed(tapFor: (strike: () => Promise<Verdict>) => WorkerTap): Fault {
  return async (stage, reference) => {
    const struck = Promise.withResolvers<undefined>();
    await stage.startWorker((worker) =>
      tapFor(async () => {
        await worker().kill();
        struck.resolve(undefined);
        return 'lose' as const;
      }),
    );
    await stage.startRun();
    await within(struck.promise, 60, 'the fault to strike');
    await stage.startWorker();
    await stage.forgetWorker();
    return mustEqual(await stage.end(), reference);
  };
}

/** What stands on the lock when a late write arrives. */
export type LockThen = 'free' | 'held by a later run';

/**
 * The worker hangs while its write is on the way; the run ends elsewhere, and then the write arrives. The run is
 * cancelled before anyone else has tried the write: only the undo's own write can stop the late one.
 */
export function lateOnTheWire(activity: ActivityRecord, then: LockThen = 'free'): Fault {
  const { id } = activity;
  return zombie(activity, { cancel: 'at once', then }, (hang, thawed) => ({
    requestArriving: async (request): Promise<Verdict> => {
      if (isWriteOf(id, request)) {
        hang();
        await thawed;
      }
      return 'forward';
    },
  }));
}

/**
 * The worker hangs just before it writes, with everything read that it reads before. Another worker makes the
 * same write, and the undo brings the former values back: nothing but a version tells then from now.
 */
export function lateToSend(activity: ActivityRecord, then: LockThen = 'free'): Fault {
  const { id, answersBeforeWrite = 0 } = activity;
  let answers = 0;
  return zombie(activity, { cancel: 'after takeover', then }, (hang) => ({
    // Frozen first, then given the task: its clocks for this attempt start when it wakes up.
    taskArriving: (task) => {
      if (task.id === id && answersBeforeWrite === 0) hang();
    },
    requestAnswered: (request) => {
      if (request.task?.id === id && ++answers === answersBeforeWrite) hang();
      return 'forward';
    },
  }));
}

function zombie(
  { id, type }: ActivityRecord,
  { cancel, then }: { cancel: 'at once' | 'after takeover'; then: LockThen },
  tapFor: (hang: () => void, thawed: Promise<undefined>) => WorkerTap,
): Fault {
  return async (stage, reference) => {
    const hung = Promise.withResolvers<undefined>();
    const thawed = Promise.withResolvers<undefined>();
    const wrote = Promise.withResolvers<number>();
    const reported = Promise.withResolvers<undefined>();
    const zombieTap = (worker: () => WorkerProcess): WorkerTap => {
      const tap = tapFor(() => {
        worker().freeze();
        stage.stopAnswering();
        hung.resolve(undefined);
      }, thawed.promise);
      return {
        ...tap,
        requestAnswered: (request, answer) => {
          if (isWriteOf(id, request)) wrote.resolve(answer.status);
          return tap.requestAnswered?.(request, answer) ?? 'forward';
        },
        taskReporting: (task) => {
          if (task.id === id) reported.resolve(undefined);
          return 'forward';
        },
      };
    };
    const late = await stage.startWorker(zombieTap);
    await stage.startRun();
    await within(hung.promise, 60, 'the worker to hang');
    const overdue = pause(heartbeatSeconds * 1500);
    // Polls of a worker that hangs would swallow tasks.
    late.temporal.cut();
    const takenOver = Promise.withResolvers<undefined>();
    await stage.startWorker(() => ({ taskReporting: reports(id, takenOver.resolve) }));
    await stage.forgetWorker();
    if (cancel === 'after takeover') await within(takenOver.promise, 90, 'the other worker to take over');
    await stage.run.handle.cancel();
    const ended = await stage.end();
    const { stays } = stage.scenario;
    const agreed = { before: stage.agreed, after: reference.state };
    // A run that is past its changes is not stopped by a cancellation any more.
    if (type !== 'applyWrite' && ended.outcome === 'succeeded') mustEqual(ended, reference);
    else if (stays === true && ended.outcome === 'failed') {
      mustBeAgreed(ended, agreed);
      mustHaveFreeLock(ended);
    } else mustBeBack(ended, stage.agreed);
    if (then === 'held by a later run') await stage.giveLockToOther();
    const left = await stage.settledState();
    await overdue;
    late.thaw();
    thawed.resolve(undefined);
    const status = await within(wrote.promise, 15, 'the late write').catch(() => undefined);
    // A worker that finds its attempt timed out by its own clock reports nothing.
    await within(reported.promise, 5, 'a report of the late worker').catch(() => undefined);
    const state = await stage.settledState();
    const { effects } = stage.journal;
    if (stays === true) {
      mustBeAgreed({ ...ended, state, effects }, agreed);
    } else {
      mustBeSame('state after the late write', state, left);
      mustBeSame('changes after the late write', changesOf(effects), changesOf(ended.effects));
    }
    if (then === 'free' && (stays !== true || !accepted(status))) mustHaveFreeLock({ ...ended, effects });
    // Its connection may have timed out by its own clock before it read its task.
    if (status === undefined && cancel === 'after takeover') return 'it woke up and gave up by itself';
    if (status === undefined) throw new Error('the late write was never answered');
    const what = stays === true && accepted(status) ? ': an object of the approved plan, which stays' : '';
    return `late write answered ${status}${what}`;
  };
}

function accepted(status: number | undefined): boolean {
  return status !== undefined && status < 300;
}

function reports(id: string, then: (nothing: undefined) => void): (task: ActivityTask) => Verdict {
  return (task) => {
    if (task.id === id) then(undefined);
    return 'forward';
  };
}

function isWriteOf(id: string, { task, mutating }: TracedRequest): boolean {
  return mutating && task?.id === id;
}
