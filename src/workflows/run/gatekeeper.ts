import { condition, defineSignal, defineUpdate, setHandler, workflowInfo } from '@temporalio/workflow';
import {
  controls,
  type Decision,
  type DecisionRecord,
  type Gate,
  type Identity,
} from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import {
  describeSlots,
  openSlots,
  refuseApprover,
  refuseRejecter,
  type GatePolicy,
} from '../../domain/approvals.ts';
import { judgeDecision, type GateSituation, type Judgement } from '../../domain/decisions.ts';
import { clipped, identify } from '../activity-options.ts';
import type { Carried } from './carried.ts';
import { explain, failure } from './failures.ts';

const decideUpdate = defineUpdate<string, [unknown]>(controls.decide);
const approveSignal = defineSignal<[unknown]>(controls.approve);
const rejectSignal = defineSignal<[unknown]>(controls.reject);

/** How many decisions a run remembers; the rest is only counted, so that a flood cannot grow the report. */
const mostRecords = 100;

/** How many decisions are looked into at once; more at the same moment are no people. */
const mostChecks = 20;

/** What came out of a gate. Silence is an answer. */
export type GateResult =
  | { result: 'approved'; by: string[] }
  | { result: 'rejected'; decision: Decision }
  | { result: 'timedOut' }
  /** The run cannot stay here (too many messages, or the target's profile changed): it continues as a new one, and asks again there. */
  | { result: 'again' };

/** What a gate asks. */
export interface Question {
  step: string;
  question: string;
  planHash: string;
  /** The target as the plan saw it. */
  target: Target;
  policy: GatePolicy;
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
  /** Called after every decision that was taken, or whose sender was looked up and refused. */
  onDecision: (record: DecisionRecord) => void;
}

/** An open gate, and what people have said to it. */
interface OpenGate {
  gate: Gate;
  question: Question;
  approvals: Decision[];
  answer?: GateResult;
}

/** What whoever decided is told. */
type Verdict = { ok: true; answer: string } | { ok: false; refusal: string };

/** Takes decisions for one run. Its handlers cannot throw but to refuse, whatever is sent. */
export class Gatekeeper {
  readonly records: DecisionRecord[] = [];
  ignored = 0;
  #open: OpenGate | undefined;
  readonly #closed: { id: string; result: string }[] = [];
  #former: Carried['gate'];
  /** Of the profile that the last gate was opened under. */
  #digest: string | undefined;
  #formerApprovals: Decision[];
  /** The runs that this one continues, newest first: a statement signed for one of them still counts. */
  readonly #formerRunIds: string[];
  #checks = 0;
  readonly #run: GatekeeperOptions;

  constructor(carried: Carried | undefined, run: GatekeeperOptions) {
    this.#run = run;
    this.records.push(...(carried?.decisions ?? []));
    this.ignored = carried?.ignoredDecisions ?? 0;
    this.#closed.push(...(carried?.closed ?? []));
    this.#former = carried?.gate;
    this.#digest = carried?.digest;
    this.#formerApprovals = carried?.approvals ?? [];
    this.#formerRunIds = carried?.runIds ?? [];
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
    setHandler(approveSignal, (input) => this.#signalled(input, 'approve'), {
      description: 'Approve; a wrong or late one is recorded and ignored.',
    });
    setHandler(rejectSignal, (input) => this.#signalled(input, 'reject'), {
      description: 'Reject; a wrong or late one is recorded and ignored.',
    });
  }

  get waitingFor(): Gate | undefined {
    return this.#open?.gate;
  }

  /** What a run that continues as a new one hands on, `gate` being the one that was open last. */
  carry(
    gate: Gate | undefined,
  ): Pick<Carried, 'closed' | 'decisions' | 'digest' | 'ignoredDecisions' | 'approvals' | 'runIds'> {
    return {
      digest: this.#digest,
      closed: this.#closed,
      decisions: this.records,
      ignoredDecisions: this.ignored,
      approvals: this.#formerApprovals.filter((one) => one.gate === gate?.id),
      runIds: [workflowInfo().runId, ...this.#formerRunIds].slice(0, 100),
    };
  }

  /**
   * Opens a gate and waits for a decision or the deadline; `remind` is called before that. While nothing is held it
   * gives up when the run cannot stay.
   */
  async ask(
    question: Question,
    opened: (gate: Gate) => void,
    remind: (gate: Gate) => void,
  ): Promise<GateResult> {
    const open = this.#openGate(question);
    const { gate } = open;
    this.#open = open;
    opened(gate);
    const mayContinue = (): boolean => !question.holds && this.#run.full();
    const goesOn = (): boolean => open.answer !== undefined || mayContinue();
    try {
      for (const { until, then } of alarms(question.policy, gate, remind)) {
        const left = until - Date.now();
        const summary = clipped(`Deadline of ${gate.id}: ${gate.step}`);
        if (left > 0 && (await condition(goesOn, left, { summary }))) break;
        then?.();
      }
    } finally {
      this.#open = undefined;
      this.#formerApprovals = open.approvals;
    }
    const answer: GateResult | undefined = open.answer;
    if (answer === undefined && mayContinue() && Date.now() < Date.parse(gate.deadline))
      return { result: 'again' };
    const result = answer ?? { result: 'timedOut' };
    if (result.result !== 'again') this.#closed.push({ id: gate.id, result: tell(result, gate) });
    return result;
  }

  /** The gate that was open when the run continued as this one, if the question is the same; else a new one. */
  #openGate(question: Question): OpenGate {
    const { step, planHash, policy, target } = question;
    const former = this.#former;
    this.#former = undefined;
    // The hash of a plan covers the profile; that of what a dead run left half done does not.
    const sameProfile = (this.#digest ?? target.digest) === target.digest;
    const same = former?.step === step && former.planHash === planHash && sameProfile;
    if (former !== undefined && !same)
      this.#closed.push({ id: former.id, result: 'the plan or the profile changed while it was open' });
    this.#digest = target.digest;
    const now = Date.now();
    const approvals = same ? this.#formerApprovals : [];
    const gate = {
      id: `gate-${this.#closed.length + 1}`,
      openedAt: new Date(now).toISOString(),
      deadline: new Date(now + policy.deadlineSeconds * 1000).toISOString(),
      ...(same ? former : {}),
      step,
      question: question.question,
      planHash,
      runId: workflowInfo().runId,
      signed: target.profile.approvals.identity === 'signed',
      needs: '',
      approvedBy: [],
    };
    const open: OpenGate = { gate, question, approvals };
    this.#count(open);
    return open;
  }

  /** Counts what is approved so far. */
  #count({ gate, question, approvals }: OpenGate): void {
    gate.approvedBy = approvals.map(({ approver }) => approver);
    const missing = openSlots(question.target.profile, question.policy.slots, gate.approvedBy);
    gate.needs = missing.length === 0 ? 'nothing more' : describeSlots(missing);
  }

  #situation(): GateSituation {
    const open = this.#open;
    const situation = {
      closed: this.#closed,
      currentStep: this.#run.currentStep(),
      now: Date.now(),
      refuseApprover: () => undefined,
      refuseRejecter: () => undefined,
    };
    if (open === undefined) return { ...situation, gate: undefined };
    const { gate, answer } = open;
    const { profile } = open.question.target;
    const { policy } = open.question;
    // An answer that was taken closes the gate at once, before the workflow's main code runs on.
    if (answer !== undefined)
      return {
        ...situation,
        gate: undefined,
        closed: [...this.#closed, { id: gate.id, result: tell(answer, gate) }],
      };
    return {
      ...situation,
      gate,
      refuseApprover: (person) => refuseApprover(profile, policy, person, gate.approvedBy),
      refuseRejecter: (person) => refuseRejecter(profile, policy, person),
    };
  }

  async #decide(input: unknown): Promise<string> {
    this.#run.count();
    const verdict = await this.#consider(input, 'update');
    if (!verdict.ok) throw failure('InvalidRequest', verdict.refusal);
    return verdict.answer;
  }

  /** A flood of junk is refused at once: a promise for each of thousands would cost more than their judgement. */
  #signalled(input: unknown, implied: Decision['decision']): Promise<void> | undefined {
    this.#run.count();
    const verdict = this.#consider(input, 'signal', implied);
    return verdict instanceof Promise ? verdict.then(() => undefined) : undefined;
  }

  #consider(
    input: unknown,
    via: DecisionRecord['via'],
    implied?: Decision['decision'],
  ): Verdict | Promise<Verdict> {
    const judgement = judgeDecision(input, this.#situation(), implied);
    const open = this.#open;
    if (!judgement.ok || open === undefined) return this.#refuse(via, judgement);
    if (needsCheck(open.question)) return this.#checkAndTake(open, input, via, judgement.decision);
    return this.#take(open, via, judgement.decision, { identity: 'declared' });
  }

  /** Finds out who sent it, judges once more, since others may have decided meanwhile, and takes it. */
  async #checkAndTake(
    open: OpenGate,
    input: unknown,
    via: DecisionRecord['via'],
    decision: Decision,
  ): Promise<Verdict> {
    const checked = await this.#identify(open, decision);
    if ('refusal' in checked) {
      const { signature: ignored, ...claimed } = decision;
      this.#run.onDecision({
        at: new Date().toISOString(),
        via,
        accepted: false,
        note: checked.refusal,
        decision: claimed,
      });
      return this.#refuse(via, { ok: false, refusal: checked.refusal });
    }
    const judgement = judgeDecision(input, this.#situation(), decision.decision);
    if (!judgement.ok || this.#open !== open) return this.#refuse(via, judgement);
    return this.#take(open, via, judgement.decision, checked);
  }

  /** Asks an activity, which reads the profile anew and checks the signature. */
  async #identify(open: OpenGate, decision: Decision): Promise<Identity | { refusal: string }> {
    if (this.#checks >= mostChecks)
      return { refusal: `${mostChecks} decisions are being checked at this moment; send it again` };
    const { gate, question } = open;
    const { workflowId, runId } = workflowInfo();
    this.#checks += 1;
    try {
      return await identify(`Check who decided: ${decision.approver}`).checkDecision({
        target: question.target.profile.target,
        // Under the lock the run goes on by the profile that it was approved under.
        ...(question.holds ? {} : { digest: question.target.digest }),
        decision,
        statement: {
          workflowId,
          gate: gate.id,
          planHash: gate.planHash,
          decision: decision.decision,
          ...(decision.reason === undefined ? {} : { reason: decision.reason }),
        },
        runIds: [runId, ...this.#formerRunIds],
        openedAt: gate.openedAt,
      });
    } catch (error) {
      const { type, message } = explain(error);
      const changed = type === 'ProfileChanged' || type === 'NotFound';
      if (changed && !question.holds) open.answer ??= { result: 'again' };
      return {
        refusal:
          type === 'Unavailable' ? `who sent this could not be checked, send it again: ${message}` : message,
      };
    } finally {
      this.#checks -= 1;
    }
  }

  #take(open: OpenGate, via: DecisionRecord['via'], decision: Decision, proof: Identity): Verdict {
    const { question, gate } = open;
    const at = new Date().toISOString();
    const record = { at, via, accepted: true, note: `answers gate "${gate.id}"`, decision, proof };
    this.records.push(record);
    if (decision.decision === 'reject') open.answer = { result: 'rejected', decision };
    else {
      open.approvals.push(decision);
      this.#count(open);
      if (openSlots(question.target.profile, question.policy.slots, gate.approvedBy).length === 0)
        open.answer = { result: 'approved', by: gate.approvedBy };
    }
    this.#run.onDecision(record);
    if (decision.decision === 'reject') return { ok: true, answer: `Rejected; ${question.onReject}.` };
    return {
      ok: true,
      answer:
        open.answer === undefined
          ? `Approved by ${decision.approver}; still needed: ${gate.needs}.`
          : 'Approved; the run checks again and goes on.',
    };
  }

  #refuse(via: DecisionRecord['via'], judgement: Judgement): Verdict {
    const refusal = judgement.ok ? 'the gate was closed while this decision was checked' : judgement.refusal;
    if (this.records.length >= mostRecords) this.ignored += 1;
    else this.records.push({ at: new Date().toISOString(), via, accepted: false, note: refusal });
    return { ok: false, refusal };
  }
}

/** Where nobody is listed there is nothing to look up. */
function needsCheck({ target }: Question): boolean {
  return Object.keys(target.profile.approvers).length > 0;
}

/** When to remind, and when to give up. */
function alarms(
  { reminderSeconds }: GatePolicy,
  gate: Gate,
  remind: (gate: Gate) => void,
): { until: number; then?: () => void }[] {
  const deadline = Date.parse(gate.deadline);
  // A gate that was open before the run continued as this one may have had its reminder.
  const reminder = deadline - (reminderSeconds ?? 0) * 1000;
  if (reminderSeconds === undefined || reminder <= Date.now()) return [{ until: deadline }];
  return [
    {
      until: reminder,
      then: () => {
        remind(gate);
      },
    },
    { until: deadline },
  ];
}

function tell(result: GateResult, gate: Gate): string {
  switch (result.result) {
    case 'approved':
      return `approved by ${result.by.join(', ')}`;
    case 'rejected':
      return `rejected by ${result.decision.approver}`;
    case 'timedOut':
      return `nobody decided until ${gate.deadline}`;
    case 'again':
      return "the target's profile changed";
  }
}
