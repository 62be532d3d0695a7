import { workflowInfo } from '@temporalio/workflow';
import type { FreeLock, Leftover, LockView } from '../../contracts/lock.ts';
import type { Plan } from '../../contracts/plan.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { checkFreeze } from '../../domain/guards/freeze.ts';
import { describeHolder, sameRun, type RunIdentity } from '../../domain/lock.ts';
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
  #view: LockView = { own: false };
  #sentence: string | undefined;
  /** A dead run's half-done change that nobody has decided about stays on the lock. */
  #leftoverStays = false;
  #settled: Leftover | undefined;
  readonly #me: RunRef;

  constructor(me: RunRef) {
    this.#me = me;
  }

  get held(): boolean {
    return this.#held;
  }

  /** How the run stands with the lock, for whoever asks. */
  get sentence(): string | undefined {
    return this.#sentence;
  }

  /** The run in whose name this one writes: itself, or the root that holds the lock. */
  get holder(): RunIdentity {
    const { workflowId, firstRunId } = this.#inheritedFrom ?? this.#me;
    return { workflowId, firstRunId };
  }

  /** Takes note of how the lock stood before the run asked for anything. */
  saw(view: LockView): void {
    this.#view = view;
    const { holder } = view;
    if (holder !== undefined && !view.own) this.#sentence = describeHolder(holder, holder.step);
  }

  /** `plan` with what was seen on the lock: a freeze is a finding, a holder only a fact, since one may wait for it. */
  judge<P extends Plan>(plan: P, repair: boolean): P {
    const { freeze, holder, own } = this.#view;
    if (own || this.#held) return plan;
    const finding = freeze === undefined ? undefined : checkFreeze(freeze, repair);
    const facts = [
      ...(finding === undefined ? [] : [`freeze: ${finding.sentence}`]),
      ...(holder?.state === 'running' ? [`lock: ${describeHolder(holder, holder.step)}`] : []),
    ];
    return {
      ...plan,
      findings: finding === undefined ? plan.findings : [...plan.findings, finding],
      summary: [...plan.summary, ...facts].slice(-50),
    };
  }

  /** People have decided about the half-done change of a dead run; this run carries it out. */
  settle(leftover: Leftover): void {
    this.#settled = leftover;
  }

  /** It is carried out: from here on the half-done change need not stay on the lock. */
  settled(): void {
    this.#leftoverStays = false;
  }

  /**
   * Takes the lock, waiting as long as it may. Returns what the holder before has left, in words and, if it is what
   * people have decided about, as such. @throws LockHeld, GuardStopped (another half-done change is on the lock)
   */
  async take(target: Target, patience: LockPatience): Promise<FreeLock> {
    // Whatever is on a lock that this run may or may not have got in the end is not its own to remove.
    this.#leftoverStays = true;
    const free = await this.#take(target, patience);
    this.#sentence = `this run holds the target (${free.sentence})`;
    this.#leftoverStays = free.leftover !== undefined;
    return free;
  }

  /** The half-done change that people have not been asked about. */
  unsettled({ leftover }: FreeLock): Leftover | undefined {
    if (leftover === undefined) return undefined;
    return sameRun(leftover.run, this.#settled?.run) && leftover.at === this.#settled?.at
      ? undefined
      : leftover;
  }

  async #take(target: Target, patience: LockPatience): Promise<FreeLock> {
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
    this.#sentence = answer.waitsFor;
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

  /**
   * Gives the lock back, if this run has taken it. `halfDone`: what this run noted on it is to be undone by another.
   */
  async release(halfDone = false): Promise<void> {
    await this.#release(halfDone || this.#leftoverStays);
    this.#sentence = undefined;
  }

  /** A lock that cannot be given back does not fail the run: the next one asks Temporal about this one, and takes it over. */
  async releaseAtEnd(halfDone: boolean): Promise<void> {
    try {
      await this.release(halfDone);
    } catch {
      this.#sentence = 'the lock could not be given back; the next run takes it over';
    }
  }

  async #release(keepLeftover: boolean): Promise<void> {
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
