import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  ContinueAsNew,
  continueAsNew,
  defineQuery,
  metricMeter,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Leftover, LockView } from '../../contracts/lock.ts';
import { countOne, metrics } from '../../contracts/metrics.ts';
import type { GuardFinding, Plan, WorkloadChange } from '../../contracts/plan.ts';
import type { Risk } from '../../contracts/policy.ts';
import {
  controls,
  type BreakGlass,
  type Decision,
  type Gate,
  type Outcome,
  type Proof,
  type ReportTable,
  type RunDescription,
  type RunRef,
  type RunReport,
} from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { policyFor } from '../../domain/approvals.ts';
import { halfDone, type RunIdentity } from '../../domain/lock.ts';
import { stoppedBy } from '../../domain/plan/plan.ts';
import { differenceOf, endedByGuards, questionFor, type Asked } from '../../domain/questions.ts';
import { riskOf, stopping } from '../../domain/risk.ts';
import { recordOf, type EndedRun } from '../../domain/run-record.ts';
import { useHeartbeat } from '../activity-options.ts';
import { readCarried, type Carried } from './carried.ts';
import { Chronicle } from './chronicle.ts';
import { Controls } from './controls.ts';
import { storeEvidence } from './evidence.ts';
import { explain, failure, isMoved, RunEnded } from './failures.ts';
import { Gatekeeper, type Question } from './gatekeeper.ts';
import { Interruption } from './interruption.ts';
import { Progress } from './progress.ts';
import { TargetLock } from './target-lock.ts';
import { UndoStack, type UndoResult } from './undo-stack.ts';

const describeQuery = defineQuery<RunDescription>(controls.describe);

/** How often a change meets a moved object before the run gives up: status noise costs one, a fight costs five. */
const mostRechecks = 5;

/** A plan travels through histories and onto the lock; what is larger would need object storage. */
const mostPlanBytes = 64 * 1024;

/** Who asks for what: known once the request is checked. */
export interface RunSubject {
  target: Target;
  request: {
    requestedBy?: string | undefined;
    reason?: string | undefined;
    emergency?: boolean | undefined;
    breakGlass?: string | undefined;
  };
  /** Whether the worker could register the search attributes. */
  searchAttributes: boolean;
}

/** What a procedure says about itself when it begins. */
export interface RunOptions {
  /** The procedure's arguments: a run that continues as a new one passes them on. */
  input: unknown;
  carried: unknown;
  /** A repair is not stopped by a freeze, and may be started as an emergency. */
  repair?: boolean;
  /** Made again and again by a schedule: people are told of its end only when something is not as it should be. */
  quiet?: boolean;
}

/** The headings of a procedure's page that stand for the shared part of a change. */
interface ChangeSteps {
  lock: string;
  recheck: string;
  approve: string;
  change: string;
}

/** A change that was approved and needs the lock. */
export interface ApprovedChange<P extends Plan> {
  steps: ChangeSteps;
  plan: P;
  planAgain: () => Promise<P>;
  /** What has to be done under the lock before it is planned again. */
  prepare?: () => Promise<void>;
  /** What another run would have to undo if this one dies. */
  workloads: (plan: P) => WorkloadChange[];
}

/**
 * Begins a run: registers every handler before the first await, so that nothing sent early is lost.
 * The verbs below are all that procedures share; what needs more is plain Temporal code in the procedure.
 */
export function beginRun(procedure: string, options: RunOptions): Run {
  return new Run(procedure, options);
}

export class Run {
  readonly ref: RunRef;
  readonly #options: RunOptions;
  readonly #carried: Carried | undefined;
  readonly #startedAt: string;
  readonly #progress: Progress;
  readonly #gatekeeper: Gatekeeper;
  readonly #controls: Controls;
  readonly #lock: TargetLock;
  readonly #chronicle: Chronicle;
  readonly #interruption: Interruption;
  readonly #undos = new UndoStack();
  readonly #proofs: Proof[] = [];
  readonly #kept: string[] = [];
  #subject: RunSubject | undefined;
  #plan: Plan | undefined;
  #approved: Plan | undefined;
  #breakGlass: BreakGlass | undefined;
  readonly #followUps = new Map<string, { lasting: boolean }>();
  #openGate: Gate | undefined;
  /** Until when an approved run waits for a freeze to end. */
  #deadline: string | undefined;
  #outcome: Outcome | undefined;
  #result: unknown;
  #table: ReportTable | undefined;
  /** What was written and stays whatever happens, once anything was. */
  #left: EndedRun['left'];

  constructor(procedure: string, options: RunOptions) {
    const { workflowId, firstExecutionRunId } = workflowInfo();
    this.ref = { workflowId, firstRunId: firstExecutionRunId, procedure };
    this.#options = options;
    this.#carried = readCarried(options.carried);
    this.#startedAt = this.#carried?.startedAt ?? new Date().toISOString();
    this.#lock = new TargetLock(this.ref);
    this.#chronicle = new Chronicle(this.ref, this.#carried);
    this.#progress = new Progress(() => this.#describe());
    this.#controls = new Controls(this.#carried, {
      onChange: () => {
        this.#interruption.controlled();
        this.#progress.show();
      },
      mayContinue: () => this.#gatekeeper.waitingFor !== undefined && !this.#lock.held,
    });
    this.#interruption = new Interruption(this.#controls);
    this.#gatekeeper = new Gatekeeper(this.#carried, {
      currentStep: () => this.#progress.current,
      count: () => {
        this.#controls.count();
      },
      full: () => this.#controls.full,
      onDecision: (record) => {
        this.#chronicle.decided(record);
        this.#progress.show();
      },
    });
    setHandler(describeQuery, () => this.#describe(), {
      description: 'Steps, plan, and what the run waits for.',
    });
    this.#gatekeeper.listen();
    this.#controls.listen();
    this.#progress.show();
  }

  /** Whether somebody gave more than one input: what the others say would be ignored. */
  get hasSecondInput(): boolean {
    return this.#carried === undefined && (this.#options.carried ?? undefined) !== undefined;
  }

  /** When the run began, ISO 8601; the same after it continued as a new one. */
  get startedAt(): string {
    return this.#startedAt;
  }

  /** The run in whose name this one writes, for every activity that changes something. */
  get holder(): RunIdentity {
    return this.#lock.holder;
  }

  /** Says which target this run is about, as soon as that is known. */
  about(subject: RunSubject): void {
    this.#subject = subject;
    useHeartbeat(subject.target.profile.heartbeatSeconds);
    if (subject.searchAttributes) this.#progress.useSearchAttributes(subject.target.profile.target);
  }

  /** Takes note of how the target's lock stands before the run asks for anything. */
  sawLock(view: LockView): void {
    this.#lock.saw(view);
  }

  /** Names this run and step in the annotation of every object that the step writes. */
  marker(step: string): string {
    return `${this.ref.workflowId}/${this.ref.firstRunId}/${step}`;
  }

  /** Does one step of the page, after a pause if there is one. `note` says in one sentence what came out. */
  async step<T>(name: string, work: () => T | Promise<T>, note?: (result: T) => string): Promise<T> {
    await this.#untilResumed();
    const step = this.#progress.begin(name);
    try {
      const result = await this.#interruption.stoppable(work);
      this.#progress.mark(step, 'done', note?.(result));
      return result;
    } catch (error) {
      this.#progress.mark(step, 'failed', this.#interruption.explain(error).message);
      throw error;
    }
  }

  /** Makes the plan; a guard that stops or cannot be evaluated ends the run with nothing changed. */
  async plan<P extends Plan>(name: string, make: () => Promise<P>): Promise<P> {
    return await this.step(
      name,
      async () => {
        const plan = this.#lock.judge(await make(), this.#options.repair === true);
        this.#plan = plan;
        const bytes = JSON.stringify(plan.changes).length;
        if (bytes > mostPlanBytes)
          throw failure(
            'Refused',
            `the plan has ${Math.ceil(bytes / 1024)} KiB; more than ${mostPlanBytes / 1024} KiB are not supported`,
          );
        const stop = endedByGuards(plan, this.#subject?.request.breakGlass);
        if (stop !== undefined) {
          this.#chronicle.guardStopped(plan, stop);
          throw failure('GuardStopped', stop);
        }
        return plan;
      },
      (plan) => `${sizeOf(plan)} would change; plan ${plan.hash.slice(0, 12)}`,
    );
  }

  /** Waits for a decision on `plan`. Returns when it is approved; rejected or silent, the run ends here. */
  async gate(name: string, plan: Plan, question: string): Promise<void> {
    const { breakGlass } = this.#subject?.request ?? {};
    const overridden = stopping(plan.findings);
    const { risk, why } = riskOf(plan, this.#subject?.request.emergency === true);
    const decision = await this.ask(
      name,
      {
        question: questionFor(plan, { question, breakGlass, risks: why, former: this.#former }),
        planHash: plan.hash,
        target: plan.target,
        onReject:
          this.#kept.length > 0
            ? 'the run ends, what it proved before stays'
            : 'the run ends and changes nothing',
      },
      { risk, breakGlass: overridden.length > 0 },
    );
    if (decision.decision === 'reject')
      throw new RunEnded(
        'rejected',
        `Rejected by ${decision.approver}${decision.reason === undefined ? '' : `: ${decision.reason}`}`,
      );
    this.#approved = plan;
    if (overridden.length === 0) return;
    const guards = overridden.map(({ guard }) => guard);
    this.#breakGlass = { by: this.#openGate?.approvedBy ?? [], reason: breakGlass ?? '', guards };
    this.#chronicle.brokeGlass(plan, this.#breakGlass, stoppedBy(overridden) ?? '');
  }

  /** What people looked at before the run continued as this one. */
  get #former(): Asked['former'] {
    const { gate, changes = [] } = this.#carried ?? {};
    return gate === undefined ? undefined : { gate: gate.id, planHash: gate.planHash, changes };
  }

  /** Asks people and returns what they decided. Silence ends the run; when it cannot stay here, it continues as a new one. */
  async ask(
    name: string,
    question: Omit<Question, 'step' | 'holds' | 'policy'>,
    stakes: { risk: Risk; breakGlass: boolean } = { risk: 'normal', breakGlass: false },
  ): Promise<Pick<Decision, 'decision' | 'approver' | 'reason'>> {
    await this.#untilResumed();
    const step = this.#progress.begin(name);
    const { target } = question;
    const policy = policyFor(target.profile, {
      procedure: this.ref.procedure,
      requester: this.#subject?.request.requestedBy,
      ...stakes,
    });
    const asked = { ...question, policy, step: name, holds: this.#lock.held };
    const opened = (gate: Gate): void => {
      this.#openGate = gate;
      if (!this.#lock.held) this.#deadline = gate.deadline;
      this.#progress.mark(step, 'waiting');
      this.#chronicle.gateOpened(target, gate);
    };
    const remind = (gate: Gate): void => {
      this.#chronicle.gateReminder(target, gate);
    };
    const answer = await this.#interruption
      .stoppable(() => this.#gatekeeper.ask(asked, opened, remind))
      .catch((error: unknown) => {
        this.#progress.mark(step, 'failed', this.#interruption.explain(error).message);
        throw error;
      });
    switch (answer.result) {
      case 'approved': {
        const approver = answer.by.join(', ');
        this.#progress.mark(step, 'done', `approved by ${approver}`);
        return { decision: 'approve', approver };
      }
      case 'rejected':
        this.#progress.mark(step, 'failed', `rejected by ${answer.decision.approver}`);
        return answer.decision;
      case 'timedOut':
        this.#progress.mark(step, 'failed', 'nobody decided before the deadline');
        throw new RunEnded(
          'timedOut',
          `The gate was open until ${this.#openGate?.deadline ?? 'its deadline'}`,
        );
      case 'again':
        return await this.#continueAsNew();
    }
  }

  /**
   * Takes the lock, plans again, and makes the change with the fresh plan's pins. Another hash gives the lock back and
   * opens a new gate; an object that moved between reading and writing is planned again, a few times, by itself.
   */
  async locked<P extends Plan, T>(
    { steps, plan, planAgain, prepare, workloads }: ApprovedChange<P>,
    change: (current: P) => Promise<T>,
  ): Promise<T> {
    let agreed = plan;
    const keptBefore = this.#kept.length;
    const unprepared = this.#undos.size;
    for (let attempt = 1; ; attempt++) {
      if (!this.#lock.held) {
        await this.takeLock(steps.lock, agreed.target);
        await prepare?.();
      }
      const prepared = this.#undos.size;
      const current = await this.plan(steps.recheck, planAgain);
      if (current.changes.length === 0)
        throw new RunEnded('succeeded', 'Nothing left to change: someone else made this change meanwhile');
      const difference = differenceOf(agreed, current);
      if (difference !== undefined) {
        await this.#takeBack(unprepared);
        await this.giveLockBack();
        await this.gate(steps.approve, current, difference);
        agreed = current;
        continue;
      }
      // People see what they approved; a check of one wave is a part of it.
      this.#plan = this.#approved ?? current;
      try {
        await this.#record(current, steps.change, workloads(current));
        this.#chronicle.changes(current, steps.change);
        return await change(current);
      } catch (error) {
        if (!isMoved(error) || attempt >= mostRechecks || this.#kept.length > keptBefore) throw error;
        // Moved means that this attempt wrote nothing, so there is nothing to undo; the next one registers its own.
        this.#undos.forget(prepared);
      }
    }
  }

  /**
   * Takes the target's lock; what it waits for is shown. Returns the half-done change that {@link settle} was called
   * for, if it is still there. @throws LockHeld, GuardStopped (another half-done change is on the lock)
   */
  async takeLock(name: string, target: Target): Promise<Leftover | undefined> {
    const free = await this.step(
      name,
      () =>
        this.#lock.take(target, {
          repair: this.#options.repair === true,
          emergency: this.#subject?.request.emergency === true,
          frozenUntil: this.#deadline ?? new Date().toISOString(),
          waiting: (sentence) => {
            this.#progress.noteCurrent('waiting', sentence);
          },
        }),
      ({ sentence }) => sentence,
    );
    this.#chronicle.lockTaken(free.sentence);
    const unsettled = this.#lock.unsettled(free);
    if (unsettled === undefined) return free.leftover;
    await this.giveLockBack();
    throw failure(
      'GuardStopped',
      `run ${unsettled.run.workflowId} died in the middle of "${unsettled.step}" since this run looked; start again: then its undo is offered`,
    );
  }

  /** Gives the lock back before the run has ended. */
  async giveLockBack(): Promise<void> {
    await this.#lock.release();
  }

  /** People have decided about the half-done change of a dead run; this run carries it out. */
  settle(leftover: Leftover): void {
    this.#chronicle.settles(leftover);
    this.#lock.settle(leftover);
  }

  /** It is carried out: from here on the half-done change need not stay on the lock. */
  settled(): void {
    this.#lock.settled();
  }

  /** Registers how to undo a step: before the step, since a step that timed out may have taken effect. */
  onFailure(name: string, undo: () => Promise<UndoResult>): void {
    this.#undos.push(name, undo);
  }

  /** Whether people have agreed that this guard is overridden. */
  overrides(guard: GuardFinding['guard']): boolean {
    return this.#breakGlass?.guards.includes(guard) ?? false;
  }

  /** Something that people have to do later; without success only what is `lasting`, as long as nothing ends it. */
  followUp(sentence: string, { lasting }: { lasting: boolean }): void {
    this.#followUps.set(sentence, { lasting });
  }

  /** The run has done it itself. */
  followedUp(sentence: string): void {
    this.#followUps.delete(sentence);
  }

  /** What was changed and proven so far stays, whatever comes after; `what` names it in the report. */
  keep(what: string): void {
    this.#undos.forget();
    this.#kept.push(what);
  }

  /** Nothing is left that would have to be taken back. */
  forgetUndos(): void {
    this.#undos.forget();
  }

  /** From now on something is written that stays, proven or not: `what` says so in the report of a run that fails. */
  leaves(what: string, about: 'service' | 'backup'): void {
    this.#left = { what, about };
  }

  /** Checks after the change. Fail throws; unknown pauses and asks, and never passes by itself. */
  async prove(name: string, plan: Plan, check: () => Promise<Proof>): Promise<void> {
    const proof = await this.judge(name, check);
    switch (proof.verdict) {
      case 'pass':
        return;
      case 'fail':
        throw failure('ProofFailed', proof.evidence.join('; '));
      case 'unknown':
        await this.#askAboutUnknown(name, plan, proof);
    }
  }

  /** A step whose result is a verdict: its mark shows it, and the caller decides what follows. */
  async judge(name: string, check: () => Promise<Proof>): Promise<Proof> {
    const proof = await this.step(
      name,
      check,
      ({ verdict, evidence }) => `${verdict}: ${evidence.join('; ')}`,
    );
    if (proof.verdict !== 'pass') this.#progress.markLast(proof.verdict === 'fail' ? 'failed' : 'unknown');
    this.#proofs.push(proof);
    return proof;
  }

  /** Adds a proof that does not decide anything any more, such as health after an undo. */
  record(proof: Proof): void {
    this.#proofs.push(proof);
  }

  /** What came out so far, for the report whatever comes after: as data, and as a table for people. */
  found(result: unknown, table?: ReportTable): void {
    this.#result = result;
    this.#table = table;
  }

  /** `result`: what came out, as data, for the report. */
  async planned(result?: unknown): Promise<RunReport> {
    this.#result = result ?? this.#result;
    return await this.#end('planned', 'planned');
  }

  async succeeded(what: string, result?: unknown): Promise<RunReport> {
    this.#result = result ?? this.#result;
    return await this.#end('succeeded', what);
  }

  /**
   * Ends a run that did not get to its end: completes it when nothing was wrong (rejected, timed out), else
   * undoes what was done and fails it. Takes any error, since a stray one would leave the run open for ever.
   */
  async ended(error: unknown): Promise<RunReport> {
    if (error instanceof ContinueAsNew) throw error;
    this.#controls.end();
    return await CancellationScope.nonCancellable(async () => {
      try {
        return await this.#endAfter(error);
      } catch (fault) {
        if (fault instanceof ApplicationFailure) throw fault;
        throw failure('Internal', explain(fault).message);
      }
    });
  }

  /** Waits while someone has paused the run. Under the lock that is bounded: others wait for the target. */
  async #untilResumed(): Promise<void> {
    if (this.#controls.paused === undefined) return;
    this.#progress.show();
    const { pauseSeconds = 0 } = (this.#plan ?? this.#subject)?.target.profile.lock ?? {};
    await this.#interruption.untilResumed(this.#lock.held ? pauseSeconds : undefined);
  }

  /**
   * Ends what was prepared under the lock before that is given back: without it nobody could, and people may think for
   * days. What could not be ended stays registered, so the run's end tries it once more.
   */
  async #takeBack(kept: number): Promise<void> {
    if (this.#undos.size === kept) return;
    if ((await this.#undo(kept)) !== 'undone')
      throw failure('Unavailable', 'the plan changed, and what was prepared for it could not be taken back');
    this.#undos.forget(kept);
  }

  async #record(plan: Plan, step: string, undo: WorkloadChange[]): Promise<void> {
    if (undo.length === 0) return;
    await this.#interruption.stoppable(() =>
      this.#lock.record(
        plan.target,
        halfDone({ run: this.ref, step, at: new Date().toISOString(), planHash: plan.hash }, undo),
      ),
    );
  }

  /** A new run with the same input starts from the top; it plans again and asks again, until the same deadline. */
  async #continueAsNew(): Promise<never> {
    // An abort that comes while the last ones are answered was told that it ends the run.
    await this.#interruption.stoppable(() => condition(allHandlersFinished));
    const carried: Carried = {
      startedAt: this.#startedAt,
      gate: this.#openGate,
      changes: this.#plan?.changes ?? [],
      ...this.#gatekeeper.carry(this.#openGate),
      ...this.#chronicle.carry(),
      controls: this.#controls.records,
      ignoredSignals: this.#controls.ignored,
      paused: this.#controls.paused,
      times: (this.#carried?.times ?? 0) + 1,
    };
    return await continueAsNew<(input: unknown, carried: Carried) => Promise<RunReport>>(
      this.#options.input,
      carried,
    );
  }

  async #endAfter(error: unknown): Promise<RunReport> {
    const nothingToUndo = this.#undos.size === 0;
    // What was prepared for a change that people did not want in the end, such as a paused owner, is taken back first.
    const outcome = error instanceof RunEnded && nothingToUndo ? 'undone' : await this.#undo();
    if (error instanceof RunEnded && outcome === 'undone')
      return error.outcome === 'succeeded'
        ? await this.#end('succeeded', error.message)
        : await this.#end(error.outcome, error.message, error.message);
    const first = this.#explain(error);
    const stopped = first.type === 'Aborted' || first.type === 'Cancelled' || first.type === 'Flooded';
    if (nothingToUndo && stopped && this.#left === undefined)
      return await this.#end('aborted', first.message, first.message);
    const report = await this.#end(outcome, first.message, first.message, first.type);
    throw ApplicationFailure.create({
      type: outcome,
      message: report.headline.join(' '),
      nonRetryable: true,
      details: [report],
      ...(error instanceof Error ? { cause: error } : {}),
    });
  }

  #explain(error: unknown): { type: string; message: string } {
    if (!(error instanceof RunEnded)) return this.#interruption.explain(error);
    return { type: 'Aborted', message: `${error.message}; what was prepared for it could not be taken back` };
  }

  async #undo(kept = 0): Promise<Outcome> {
    return await this.#undos.carryOut((name, undo) => this.step(name, undo, (result) => result.note), kept);
  }

  async #askAboutUnknown(name: string, plan: Plan, proof: Proof): Promise<void> {
    const stays = this.#left !== undefined;
    const question = `The proof could not be obtained (${proof.evidence.join('; ')}). ${stays ? 'Approve to accept that, reject to end the run as failed; what it wrote stays.' : 'Approve to keep the change, reject to undo it.'}`;
    const answer = await this.ask(name, {
      question,
      planHash: plan.hash,
      target: plan.target,
      onReject: stays ? 'the run ends as failed, what it wrote stays' : 'the run undoes its change and ends',
    }).catch((error: unknown) => {
      if (!(error instanceof RunEnded)) throw error;
      return undefined;
    });
    if (answer?.decision !== 'approve')
      throw failure('ProofFailed', `${proof.name} stayed unknown and nobody accepted that`);
  }

  async #end(outcome: Outcome, what: string, error?: string, errorType?: string): Promise<RunReport> {
    this.#controls.end();
    this.#outcome = outcome;
    return await CancellationScope.nonCancellable(async () => {
      // Whoever has sent a decision is told what became of it before the run is gone.
      if (!allHandlersFinished()) await condition(allHandlersFinished, '1 minute');
      const ended = this.#endedRun(outcome, what, error, errorType);
      const { target } = ended;
      const audit =
        target === undefined
          ? undefined
          : await this.#chronicle.close(target, recordOf(ended), this.#options.quiet === true);
      const record = recordOf({ ...ended, ...(audit === undefined ? {} : { audit }) });
      const evidence = await storeEvidence(record, this.#chronicle.unwritten);
      await this.#lock.releaseAtEnd(outcome === 'undoFailed');
      await this.#chronicle.settle();
      this.#progress.finish(outcome);
      const labels = { procedure: this.ref.procedure, outcome, target: target?.profile.target ?? '' };
      countOne(metricMeter, metrics.runsEnded, labels);
      return { ...record, evidence };
    });
  }

  #endedRun(
    outcome: Outcome,
    what: string,
    error: string | undefined,
    errorType: string | undefined,
  ): EndedRun {
    return {
      run: this.ref,
      outcome,
      what,
      error,
      errorType,
      kept: this.#kept,
      left: this.#left,
      followUps: [...this.#followUps].flatMap(([sentence, { lasting }]) =>
        lasting || outcome === 'succeeded' ? [sentence] : [],
      ),
      target: this.#plan?.target ?? this.#subject?.target,
      request: this.#subject?.request,
      plan: this.#plan,
      startedAt: this.#startedAt,
      endedAt: new Date().toISOString(),
      steps: this.#progress.steps,
      decisions: this.#gatekeeper.records,
      ignoredDecisions: this.#gatekeeper.ignored,
      controls: this.#controls.records,
      ignoredSignals: this.#controls.ignored,
      proofs: this.#proofs,
      undo: this.#undos.records,
      ...(this.#result === undefined ? {} : { result: this.#result }),
      ...(this.#table === undefined ? {} : { table: this.#table }),
      ...(this.#breakGlass === undefined ? {} : { breakGlass: this.#breakGlass }),
    };
  }

  #describe(): RunDescription {
    const plan = this.#plan;
    const gate = this.#gatekeeper.waitingFor;
    const { paused } = this.#controls;
    return {
      run: this.ref,
      ...(this.#subject === undefined ? {} : { target: this.#subject.target.profile.target }),
      ...(this.#outcome === undefined ? {} : { outcome: this.#outcome }),
      ...(gate === undefined ? {} : { waitingFor: gate }),
      ...(paused === undefined ? {} : { paused }),
      ...(this.#lock.sentence === undefined ? {} : { lock: this.#lock.sentence }),
      ...(plan === undefined
        ? {}
        : { plan: { hash: plan.hash, summary: plan.summary, findings: plan.findings } }),
      steps: this.#progress.steps,
      decisions: this.#gatekeeper.records,
      controls: this.#controls.records,
    };
  }
}

function sizeOf({ changes, objects }: Plan): string {
  if (objects !== undefined) return `${objects} object${objects === 1 ? '' : 's'}`;
  return `${changes.length} value${changes.length === 1 ? '' : 's'}`;
}
