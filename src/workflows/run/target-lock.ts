import { workflowInfo } from '@temporalio/workflow';
import type { FreeLock, Leftover } from '../../contracts/lock.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { change, wait } from '../activity-options.ts';
import { failure, isMoved } from './failures.ts';

/** How often the lock may slip away between looking and taking. */
const mostTries = 10;

/** How to wait for a lock. */
export interface LockPatience {
  repair: boolean;
  emergency: boolean;
  frozenUntil: string;
  /** Called with what the run waits for. */
  waiting: (sentence: string) => void;
}

/** The root of this run's parents, as Temporal knows it. */
export function rootRun(): { workflowId: string; runId: string } | undefined {
  const { parent, root } = workflowInfo();
  return parent === undefined ? undefined : root;
}

/** The lock of one target, as one run holds it: a Lease in the target's cluster. */
export class TargetLock {
  #target: Target | undefined;
  #inheritedFrom: RunIdentity | undefined;
  #tried = false;
  #held = false;
  /** When this run took the lock: tells one taking from the next. Undefined while it is not known to be taken. */
  #since: string | undefined;
  readonly #me: RunRef;

  constructor(me: RunRef) {
    this.#me = me;
  }

  get held(): boolean {
    return this.#held;
  }

  /** The run in whose name this one writes: itself, or the root that holds the lock. */
  get holder(): RunIdentity {
    const { workflowId, firstRunId } = this.#inheritedFrom ?? this.#me;
    return { workflowId, firstRunId };
  }

  /** Takes the lock, waiting as long as it may. @throws LockHeld, GuardStopped */
  async take(target: Target, patience: LockPatience): Promise<FreeLock> {
    this.#target = target;
    for (let attempt = 1; attempt <= mostTries; attempt++) {
      const free = await this.#untilFree(target, patience);
      this.#inheritedFrom = free.inheritedFrom;
      if (free.inheritedFrom === undefined && !(await this.#tryToTake(target, free))) continue;
      this.#held = true;
      return free;
    }
    throw failure('LockHeld', `the lock of target ${target.profile.target} changed hands ${mostTries} times`);
  }

  async #untilFree(target: Target, patience: LockPatience): Promise<FreeLock> {
    const { repair, emergency, frozenUntil } = patience;
    const { waitSeconds, preemptSeconds } = target.profile.lock;
    const root = rootRun();
    const request = {
      target,
      me: this.#me,
      ...(root === undefined ? {} : { root }),
      repair,
      emergency,
      waitSeconds: emergency ? preemptSeconds : waitSeconds,
      frozenUntil,
    };
    const answer = await wait('Look whether the target is free').awaitLock({ ...request, lookOnly: true });
    if ('pin' in answer) return answer;
    patience.waiting(answer.waitsFor);
    const free = await wait(`Wait: ${answer.waitsFor}`).awaitLock({ ...request, lookOnly: false });
    if (!('pin' in free)) throw failure('Internal', 'waiting for the lock ended without it');
    return free;
  }

  async #tryToTake(target: Target, { pin }: FreeLock): Promise<boolean> {
    this.#tried = true;
    this.#since = undefined;
    try {
      const take = change(`Take the lock of ${target.profile.target}`).takeLock;
      this.#since = (await take({ target, me: this.#me, pin })).since;
      return true;
    } catch (error) {
      if (isMoved(error)) return false;
      throw error;
    }
  }

  /** Notes on the lock what is about to change; whoever finds the run dead can undo that. */
  async record(target: Target, leftover: Leftover): Promise<void> {
    await change('Note on the lock what is about to change').recordLeftover({
      target,
      me: this.holder,
      ...this.#taking(),
      leftover,
    });
  }

  /** Gives the lock back. A lock that cannot be given back is taken over by the next run, which asks Temporal about this one. */
  async release(keepLeftover: boolean): Promise<void> {
    if (this.#target === undefined || !this.#tried || this.#inheritedFrom !== undefined) return;
    this.#held = false;
    const release = { target: this.#target, me: this.#me, ...this.#taking(), keepLeftover };
    await change('Give the lock back').releaseLock(release);
    // Only now: a cancellation may have kept it from being given back, then the run's end does it.
    this.#tried = false;
  }

  #taking(): { since?: string } {
    return this.#since === undefined || this.#inheritedFrom !== undefined ? {} : { since: this.#since };
  }
}
