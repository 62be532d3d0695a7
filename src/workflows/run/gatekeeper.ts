import { condition, defineSignal, defineUpdate, setHandler } from '@temporalio/workflow';
import { controls, type Decision, type DecisionRecord, type Gate } from '../../contracts/run.ts';
import { judgeDecision, type GateSituation, type Judgement } from '../../domain/decisions.ts';
import { clipped } from '../activity-options.ts';
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
  | { result: 'timedOut' };

/** Takes decisions for one run. Its handlers are synchronous and cannot throw, whatever is sent. */
export class Gatekeeper {
  readonly records: DecisionRecord[] = [];
  ignored = 0;
  #gate: Gate | undefined;
  #answer: Decision | undefined;
  readonly #closed: { id: string; result: string }[] = [];
  readonly #currentStep: () => string;

  constructor(currentStep: () => string) {
    this.#currentStep = currentStep;
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

  /** Opens a gate and waits for a decision or the deadline. */
  async ask(
    question: { step: string; question: string; planHash: string; deadlineSeconds: number },
    opened: () => void,
  ): Promise<GateResult> {
    const now = Date.now();
    const gate: Gate = {
      id: `gate-${this.#closed.length + 1}`,
      step: question.step,
      question: question.question,
      planHash: question.planHash,
      openedAt: new Date(now).toISOString(),
      deadline: new Date(now + question.deadlineSeconds * 1000).toISOString(),
    };
    this.#answer = undefined;
    this.#gate = gate;
    opened();
    try {
      await condition(() => this.#answer !== undefined, question.deadlineSeconds * 1000, {
        summary: clipped(`Deadline of ${gate.id}: ${gate.step}`),
      });
    } finally {
      this.#gate = undefined;
    }
    const result = read(this.#answer);
    this.#closed.push({ id: gate.id, result: tell(result, gate) });
    return result;
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
      currentStep: this.#currentStep(),
      now: Date.now(),
    };
  }

  #decide(input: unknown): string {
    const judgement = judgeDecision(input, this.#situation());
    this.#record('update', judgement);
    if (!judgement.ok) throw failure('InvalidRequest', judgement.refusal);
    this.#answer = judgement.decision;
    return judgement.decision.decision === 'approve'
      ? 'Approved; the run checks again and goes on.'
      : 'Rejected; the run ends and changes nothing.';
  }

  #signalled(input: unknown, implied: Decision['decision']): void {
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

function read(answer: Decision | undefined): GateResult {
  if (answer === undefined) return { result: 'timedOut' };
  return { result: answer.decision === 'approve' ? 'approved' : 'rejected', decision: answer };
}

function tell(result: GateResult, gate: Gate): string {
  switch (result.result) {
    case 'approved':
      return `approved by ${result.decision.approver}`;
    case 'rejected':
      return `rejected by ${result.decision.approver}`;
    case 'timedOut':
      return `nobody decided until ${gate.deadline}`;
  }
}
