import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { controls, type Decision, type DecisionRecord, type Gate } from '../../contracts/run.ts';
import { judgeDecision, type GateSituation, type Judgement } from '../../domain/decisions.ts';
import { clipped } from '../activity-options.ts';
import type { Carried } from './carried.ts';
import { failure } from './failures.ts';

const decideUpdate = defineUpdate<string, [unknown]>(controls.decide);
const approveSignal = defineSignal<[unknown]>(controls.approve);
const rejectSignal = defineSignal<[unknown]>(controls.reject);

/** How many decisions a run remembers; the rest is only counted, so that a flood cannot grow the report. */
const mostRecords = 100;

/** What came out of a gate. Silence is an answer. */
export type GateResult =
  | { result: 'approved'; decision: Decision }
  | { result: 'rejected'; decision: Decision }
  | { result: 'timedOut' }
  /** Too many messages: the run continues as a new one, and asks again there. */
  | { result: 'full' };

/** What a gate asks. */
export interface Question {
  step: string;
  question: string;
  planHash: string;
  deadlineSeconds: number;
  /** What a no does, told to whoever says it. */
  onReject: string;
  /** The run holds the target meanwhile, so it cannot continue as a new one. */
  holds: boolean;
}

/** What the gatekeeper needs of its run. */
export interface GatekeeperOptions {
  currentStep: () => string;
  /** Counts a message. */
  count: () => void;
  /** True when the run should continue as a new one. */
  full: () => boolean;
}

/** Takes decisions for one run. Its handlers are synchronous and cannot throw, whatever is sent. */
export class Gatekeeper {
  readonly records: DecisionRecord[] = [];
  ignored = 0;
  #gate: Gate | undefined;
  #answer: Decision | undefined;
  readonly #closed: { id: string; result: string }[] = [];
  #onReject = '';
  #former: Gate | undefined;
  readonly #run: GatekeeperOptions;

  constructor(carried: Carried | undefined, run: GatekeeperOptions) {
    this.#run = run;
    this.records.push(...(carried?.decisions ?? []));
    this.ignored = carried?.ignoredDecisions ?? 0;
    this.#closed.push(...(carried?.closed ?? []));
    this.#former = carried?.gate;
  }

  /** Registers the handlers. To be called when the run can answer: what came first is handed over at once. */
  listen(): void {
    setHandler(decideUpdate, (input) => this.#decide(input), {
      description:
        'Approve or reject what this run waits for. The refusal of a wrong decision is shown here.',
      validator: (input) => {
        const judgement = judgeDecision(input, this.#situation());
        if (!judgement.ok) throw failure('InvalidRequest', judgement.refusal);
      },
    });
    setHandler(
      approveSignal,
      (input) => {
        this.#signalled(input, 'approve');
      },
      { description: 'Approve; a wrong or late one is recorded and ignored.' },
    );
    setHandler(
      rejectSignal,
      (input) => {
        this.#signalled(input, 'reject');
      },
      { description: 'Reject; a wrong or late one is recorded and ignored.' },
    );
  }

  get waitingFor(): Gate | undefined {
    return this.#gate;
  }

  /** What a run that continues as a new one hands on. */
  carry(): Pick<Carried, 'closed' | 'decisions' | 'ignoredDecisions'> {
    return { closed: this.#closed, decisions: this.records, ignoredDecisions: this.ignored };
  }

  /** Opens a gate and waits for a decision or the deadline. While nothing is held it gives up when the run is full. */
  async ask(question: Question, opened: (gate: Gate) => void): Promise<GateResult> {
    const gate = this.#open(question);
    const mayContinue = (): boolean => !question.holds && this.#run.full();
    this.#answer = undefined;
    this.#onReject = question.onReject;
    this.#gate = gate;
    opened(gate);
    try {
      await condition(
        () => this.#answer !== undefined || mayContinue(),
        Math.max(1, Date.parse(gate.deadline) - Date.now()),
        { summary: clipped(`Deadline of ${gate.id}: ${gate.step}`) },
      );
    } finally {
      this.#gate = undefined;
    }
    const answer = this.#taken();
    if (answer === undefined && mayContinue() && Date.now() < Date.parse(gate.deadline))
      return { result: 'full' };
    const result = read(answer);
    this.#closed.push({ id: gate.id, result: tell(result, gate) });
    return result;
  }

  /** What the handlers took meanwhile. */
  #taken(): Decision | undefined {
    return this.#answer;
  }

  /** The gate that was open when the run continued as this one, if the question is the same; else a new one. */
  #open({ step, question, planHash, deadlineSeconds }: Question): Gate {
    const former = this.#former;
    this.#former = undefined;
    if (former?.step === step && former.planHash === planHash) return { ...former, question };
    if (former !== undefined)
      this.#closed.push({ id: former.id, result: 'the plan changed while it was open' });
    const now = Date.now();
    return {
      id: `gate-${this.#closed.length + 1}`,
      step,
      question,
      planHash,
      openedAt: new Date(now).toISOString(),
      deadline: new Date(now + deadlineSeconds * 1000).toISOString(),
    };
  }

  #situation(): GateSituation {
    // An answer that was taken closes the gate at once, before the workflow's main code runs on.
    const answered = this.#gate !== undefined && this.#answer !== undefined;
    const closed =
      answered && this.#gate !== undefined
        ? [...this.#closed, { id: this.#gate.id, result: tell(read(this.#answer), this.#gate) }]
        : this.#closed;
    return {
      gate: answered ? undefined : this.#gate,
      closed,
      currentStep: this.#run.currentStep(),
      now: Date.now(),
    };
  }

  #decide(input: unknown): string {
    this.#run.count();
    const judgement = judgeDecision(input, this.#situation());
    this.#record('update', judgement);
    if (!judgement.ok) throw failure('InvalidRequest', judgement.refusal);
    this.#answer = judgement.decision;
    return judgement.decision.decision === 'approve'
      ? 'Approved; the run checks again and goes on.'
      : `Rejected; ${this.#onReject}.`;
  }

  #signalled(input: unknown, implied: Decision['decision']): void {
    this.#run.count();
    const judgement = judgeDecision(input, this.#situation(), implied);
    this.#record('signal', judgement);
    if (judgement.ok) this.#answer = judgement.decision;
  }

  #record(via: DecisionRecord['via'], judgement: Judgement): void {
    if (!judgement.ok && this.records.length >= mostRecords) {
      this.ignored += 1;
      return;
    }
    const at = new Date().toISOString();
    this.records.push(
      judgement.ok
        ? {
            at,
            via,
            accepted: true,
            note: `answers gate "${judgement.decision.gate}"`,
            decision: judgement.decision,
          }
        : { at, via, accepted: false, note: judgement.refusal },
    );
  }
}

function read(answer: Decision | undefined): Exclude<GateResult, { result: 'full' }> {
  if (answer === undefined) return { result: 'timedOut' };
  return { result: answer.decision === 'approve' ? 'approved' : 'rejected', decision: answer };
}

function tell(result: Exclude<GateResult, { result: 'full' }>, gate: Gate): string {
  switch (result.result) {
    case 'approved':
      return `approved by ${result.decision.approver}`;
    case 'rejected':
      return `rejected by ${result.decision.approver}`;
    case 'timedOut':
      return `nobody decided until ${gate.deadline}`;
  }
}
