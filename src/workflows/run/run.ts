import {
  ApplicationFailure,
  CancellationScope,
  defineQuery,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { Plan } from '../../contracts/plan.ts';
import {
  controls,
  type Outcome,
  type Proof,
  type RunDescription,
  type RunRecord,
  type RunRef,
  type RunReport,
  type UndoRecord,
} from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { comparePlans, stoppedBy } from '../../domain/plan/plan.ts';
import { headline } from '../../domain/report.ts';
import { storeEvidence } from './evidence.ts';
import { explain, failure, isMoved, RunEnded } from './failures.ts';
import { Gatekeeper } from './gatekeeper.ts';
import { Progress } from './progress.ts';

const describeQuery = defineQuery<RunDescription>(controls.describe);

/** How often a change meets a moved object before the run gives up: status noise costs one, a fight costs five. */
const mostRechecks = 5;

/** What an undo reports when it is done. It throws when it could not put things back. */
export interface UndoResult {
  note: string;
  drift: string[];
}

/** Who asks for what: known once the request is checked. */
export interface RunSubject {
  target: Target;
  request: { requestedBy?: string | undefined; reason?: string | undefined };
  /** Whether the worker could register the search attributes. */
  searchAttributes: boolean;
}

/**
 * Begins a run: registers every handler before the first await, so that nothing sent early is lost.
 * The verbs below are all that procedures share; what needs more is plain Temporal code in the procedure.
 */
export function beginRun(procedure: string): Run {
  return new Run(procedure);
}

export class Run {
  readonly ref: RunRef;
  readonly #startedAt = new Date().toISOString();
  readonly #progress: Progress;
  readonly #gatekeeper: Gatekeeper;
  readonly #undos: { name: string; undo: () => Promise<UndoResult> }[] = [];
  readonly #undone: UndoRecord[] = [];
  readonly #proofs: Proof[] = [];
  #subject: RunSubject | undefined;
  #plan: Plan | undefined;
  #outcome: Outcome | undefined;

  constructor(procedure: string) {
    const { workflowId, firstExecutionRunId } = workflowInfo();
    this.ref = { workflowId, firstRunId: firstExecutionRunId, procedure };
    this.#progress = new Progress(() => this.#describe());
    this.#gatekeeper = new Gatekeeper(() => this.#progress.current);
    setHandler(describeQuery, () => this.#describe(), {
      description: 'Steps, plan, and what the run waits for.',
    });
    this.#progress.show();
  }

  /** Says which target this run is about, as soon as that is known. */
  about(subject: RunSubject): void {
    this.#subject = subject;
    if (subject.searchAttributes) this.#progress.useSearchAttributes(subject.target.profile.target);
  }

  /** Names this run and step in the annotation of every object that the step writes. */
  marker(step: string): string {
    return `${this.ref.workflowId}/${this.ref.firstRunId}/${step}`;
  }

  /** Does one step of the page. `note` says in one sentence what came out. */
  async step<T>(name: string, work: () => T | Promise<T>, note?: (result: T) => string): Promise<T> {
    const step = this.#progress.begin(name);
    try {
      const result = await work();
      this.#progress.mark(step, 'done', note?.(result));
      return result;
    } catch (error) {
      this.#progress.mark(step, 'failed', explain(error).message);
      throw error;
    }
  }

  /** Makes the plan; a guard that stops or cannot be evaluated ends the run with nothing changed. */
  async plan<P extends Plan>(name: string, make: () => Promise<P>): Promise<P> {
    return await this.step(
      name,
      async () => {
        const plan = await make();
        this.#plan = plan;
        const stop = stoppedBy(plan.findings);
        if (stop !== undefined) throw failure('GuardStopped', stop);
        return plan;
      },
      (plan) =>
        `${plan.changes.length} value${plan.changes.length === 1 ? '' : 's'} would change; plan ${plan.hash.slice(0, 12)}`,
    );
  }

  /** Waits for a decision on `plan`. Returns when it is approved; rejected or silent, the run ends here. */
  async gate(name: string, plan: Plan, question: string): Promise<void> {
    const { deadlineSeconds } = plan.target.profile.gate;
    const step = this.#progress.begin(name);
    const answer = await this.#gatekeeper.ask(
      { step: name, question, planHash: plan.hash, deadlineSeconds },
      () => {
        this.#progress.mark(step, 'waiting');
      },
    );
    switch (answer.result) {
      case 'approved':
        this.#progress.mark(step, 'done', `approved by ${answer.decision.approver}`);
        return;
      case 'rejected':
        this.#progress.mark(step, 'failed', `rejected by ${answer.decision.approver}`);
        throw new RunEnded(
          'rejected',
          `Rejected by ${answer.decision.approver}${answer.decision.reason === undefined ? '' : `: ${answer.decision.reason}`}`,
        );
      case 'timedOut':
        this.#progress.mark(step, 'failed', 'nobody decided before the deadline');
        throw new RunEnded('timedOut', `The gate was open for ${deadlineSeconds} s`);
    }
  }

  /**
   * Plans again after the approval and makes the change with the fresh plan's pins. Another hash opens a new
   * gate; an object that moved between reading and writing is planned again, a few times, by itself.
   */
  async underApproval<P extends Plan, T>(
    names: { recheck: string; gate: string },
    approved: P,
    planAgain: () => Promise<P>,
    change: (current: P) => Promise<T>,
  ): Promise<T> {
    let agreed = approved;
    for (let attempt = 1; ; attempt++) {
      const current = await this.plan(names.recheck, planAgain);
      if (current.changes.length === 0)
        throw new RunEnded('succeeded', 'Nothing left to change: someone else made this change meanwhile');
      if (current.hash !== agreed.hash) {
        await this.gate(
          names.gate,
          current,
          `The plan changed since it was approved. ${comparePlans(agreed.changes, current.changes).join('; ')}`,
        );
        agreed = current;
        continue;
      }
      try {
        return await change(current);
      } catch (error) {
        if (!isMoved(error) || attempt >= mostRechecks) throw error;
        // Moved means that this attempt wrote nothing, so there is nothing to undo; the next one registers its own.
        this.#undos.length = 0;
      }
    }
  }

  /** Registers how to undo a step: before the step, since a step that timed out may have taken effect. */
  onFailure(name: string, undo: () => Promise<UndoResult>): void {
    this.#undos.push({ name, undo });
  }

  /** Checks after the change. Fail throws; unknown pauses and asks, and never passes by itself. */
  async prove(name: string, plan: Plan, check: () => Promise<Proof>): Promise<void> {
    const proof = await this.step(
      name,
      check,
      (result) => `${result.verdict}: ${result.evidence.join('; ')}`,
    );
    if (proof.verdict !== 'pass') this.#progress.markLast(proof.verdict === 'fail' ? 'failed' : 'unknown');
    this.#proofs.push(proof);
    switch (proof.verdict) {
      case 'pass':
        return;
      case 'fail':
        throw failure('ProofFailed', proof.evidence.join('; '));
      case 'unknown':
        await this.#askAboutUnknown(name, plan, proof);
    }
  }

  /** Adds a proof that does not decide anything any more, such as health after an undo. */
  record(proof: Proof): void {
    this.#proofs.push(proof);
  }

  async planned(): Promise<RunReport> {
    return await this.#end('planned', 'planned');
  }

  async succeeded(what: string): Promise<RunReport> {
    return await this.#end('succeeded', what);
  }

  /**
   * Ends a run that did not get to its end: completes it when nothing was wrong (rejected, timed out), else
   * undoes what was done and fails it. Takes any error, since a stray one would leave the run open for ever.
   */
  async ended(error: unknown): Promise<RunReport> {
    return await CancellationScope.nonCancellable(async () => {
      try {
        return await this.#endAfter(error);
      } catch (fault) {
        if (fault instanceof ApplicationFailure) throw fault;
        throw failure('Internal', explain(fault).message);
      }
    });
  }

  async #endAfter(error: unknown): Promise<RunReport> {
    if (error instanceof RunEnded && this.#undos.length === 0)
      return await this.#end(error.outcome, error.message, error.message);
    const cancelled = isCancellation(error);
    const first = cancelled ? { type: 'Cancelled', message: 'cancelled from Temporal' } : explain(error);
    if (this.#undos.length === 0 && cancelled)
      return await this.#end('aborted', first.message, first.message);
    const outcome = await this.#undoAll();
    const report = await this.#end(outcome, first.message, first.message, first.type);
    throw ApplicationFailure.create({
      type: outcome,
      message: report.headline.join(' '),
      nonRetryable: true,
      details: [report],
      ...(error instanceof Error ? { cause: error } : {}),
    });
  }

  async #undoAll(): Promise<Outcome> {
    if (this.#undos.length === 0) return 'failed';
    for (const { name, undo } of [...this.#undos].reverse()) {
      try {
        const { note, drift } = await this.step(name, undo, (result) => result.note);
        this.#undone.push({ name, state: 'done', note, drift });
      } catch (error) {
        this.#undone.push({ name, state: 'failed', note: explain(error).message, drift: [] });
      }
    }
    return this.#undone.some((undo) => undo.state === 'failed') ? 'undoFailed' : 'undone';
  }

  async #askAboutUnknown(name: string, plan: Plan, proof: Proof): Promise<void> {
    try {
      await this.gate(
        name,
        plan,
        `The proof could not be obtained (${proof.evidence.join('; ')}). Approve to keep the change, reject to undo it.`,
      );
    } catch (error) {
      if (error instanceof RunEnded)
        throw failure('ProofFailed', `${proof.name} stayed unknown and nobody accepted that`);
      throw error;
    }
  }

  async #end(outcome: Outcome, what: string, error?: string, errorType?: string): Promise<RunReport> {
    this.#outcome = outcome;
    const record = this.#record(outcome, what, error, errorType);
    const evidence = await storeEvidence(record);
    this.#progress.finish(outcome);
    return { ...record, evidence };
  }

  #record(
    outcome: Outcome,
    what: string,
    error: string | undefined,
    errorType: string | undefined,
  ): RunRecord {
    const target = this.#plan?.target ?? this.#subject?.target;
    const request = this.#subject?.request;
    return {
      run: this.ref,
      outcome,
      headline: headline({
        outcome,
        what,
        target: target?.profile.target,
        proofs: this.#proofs,
        error,
        errorType,
        changed: this.#proofs.length > 0 || this.#undone.length > 0,
        drift: this.#undone.flatMap((undo) => undo.drift),
      }),
      ...(target === undefined ? {} : { target: target.profile.target, profileDigest: target.digest }),
      ...(request === undefined ? {} : { request }),
      ...(request?.requestedBy === undefined ? {} : { requestedBy: request.requestedBy }),
      ...(request?.reason === undefined ? {} : { reason: request.reason }),
      startedAt: this.#startedAt,
      endedAt: new Date().toISOString(),
      ...(this.#plan === undefined ? {} : { plan: shown(this.#plan) }),
      steps: this.#progress.steps,
      decisions: this.#gatekeeper.records,
      ignoredDecisions: this.#gatekeeper.ignored,
      proofs: this.#proofs,
      undo: this.#undone,
      ...(error === undefined ? {} : { error }),
    };
  }

  #describe(): RunDescription {
    const plan = this.#plan;
    const gate = this.#gatekeeper.waitingFor;
    return {
      run: this.ref,
      ...(this.#subject === undefined ? {} : { target: this.#subject.target.profile.target }),
      ...(this.#outcome === undefined ? {} : { outcome: this.#outcome }),
      ...(gate === undefined ? {} : { waitingFor: gate }),
      ...(plan === undefined
        ? {}
        : { plan: { hash: plan.hash, summary: plan.summary, findings: plan.findings } }),
      steps: this.#progress.steps,
      decisions: this.#gatekeeper.records,
    };
  }
}

function shown(plan: Plan): NonNullable<RunRecord['plan']> {
  return { hash: plan.hash, changes: plan.changes, summary: plan.summary, findings: plan.findings };
}
