import type { AuditEvent } from '../../contracts/audit.ts';
import type { Json } from '../../contracts/json.ts';
import type { Leftover } from '../../contracts/lock.ts';
import type { Plan } from '../../contracts/plan.ts';
import type { AuditState, BreakGlass, DecisionRecord, Gate, RunRecord, RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { AuditTrail, type Unwritten } from './audit-trail.ts';
import type { Carried } from './carried.ts';
import { Notices } from './notices.ts';

/** What a run tells others while it goes on: people by notices, auditors by the log. Nothing of it holds the run up. */
export class Chronicle {
  readonly #notices: Notices;
  readonly #trail: AuditTrail;

  constructor(run: RunRef, carried: Carried | undefined) {
    this.#notices = new Notices(run);
    this.#trail = new AuditTrail(run, carried?.audit);
  }

  /** What a run that continues as a new one hands on. */
  carry(): Pick<Carried, 'audit'> {
    return { audit: this.#trail.carry() };
  }

  /** What the log still lacks when the run has ended. */
  get unwritten(): Unwritten | undefined {
    return this.#trail.unwritten;
  }

  guardStopped(plan: Plan, sentence: string): void {
    this.#trail.tell({ kind: 'guard', sentence, planHash: plan.hash });
  }

  gateOpened(target: Target, gate: Gate): void {
    this.#announce(target, 'gateOpened', gate);
    const { id, step, question, planHash, deadline, needs } = gate;
    this.#trail.tell({
      kind: 'gate',
      sentence: `${id} opened at "${step}": ${question}`,
      planHash,
      data: { gate: id, deadline, needs },
    });
    this.#trail.flush(target);
  }

  gateReminder(target: Target, gate: Gate): void {
    this.#announce(target, 'gateReminder', gate);
  }

  /** A decision that was taken, or one of somebody who is not who they said. Junk is only counted, by the run. */
  decided({ via, accepted, note, decision, proof }: DecisionRecord): void {
    if (decision === undefined) return;
    const what = `${decision.decision} of ${decision.gate}, by ${via}`;
    this.#trail.tell({
      kind: 'decision',
      // A name that was refused is what somebody said, not who it was.
      ...(accepted ? { who: decision.approver } : {}),
      sentence: accepted ? what : `refused, in the name of ${decision.approver}: ${what}: ${note}`,
      planHash: decision.planHash,
      data: asJson({ decision, proof }),
    });
  }

  lockTaken(sentence: string): void {
    this.#trail.tell({ kind: 'lock', sentence: `takes the lock: ${sentence}` });
  }

  settles({ run, step }: Leftover): void {
    this.#trail.tell({
      kind: 'lock',
      sentence: `deals with what run ${run.workflowId} left half done at "${step}", as people decided`,
    });
  }

  brokeGlass(plan: Plan, { by, reason }: BreakGlass, guards: string): void {
    const who = by.join(', ');
    const sentence = `Break-glass by ${who} (${reason}): overrides ${guards}`;
    this.#trail.tell({ kind: 'override', who, sentence, planHash: plan.hash });
    this.#notices.send(plan.target, `breakGlass/${plan.hash}`, {
      event: 'breakGlass',
      sentence,
      planHash: plan.hash,
      breakGlass: { by: who, reason },
    });
  }

  changes(plan: Plan, step: string): void {
    this.#trail.tell({
      kind: 'change',
      sentence: `begins "${step}" under the lock`,
      planHash: plan.hash,
      data: asJson({ changes: plan.changes }),
    });
    this.#trail.flush(plan.target);
  }

  /** The end: everything that is not told yet. `quiet`: people are told only when something is not as it should be. */
  async close(target: Target, record: RunRecord, quiet: boolean): Promise<AuditState> {
    const sentence = `${record.outcome}: ${record.headline.join(' ')}`;
    for (const event of lastEvents(record)) this.#trail.tell(event);
    this.#trail.tell({ kind: 'outcome', sentence });
    if (!quiet || !isAsItShouldBe(record))
      this.#notices.send(target, 'runEnded', { event: 'runEnded', outcome: record.outcome, sentence });
    return await this.#trail.finish(target);
  }

  /** Lets the last messages leave. */
  async settle(): Promise<void> {
    await this.#notices.settle();
  }

  #announce(target: Target, event: 'gateOpened' | 'gateReminder', gate: Gate): void {
    const { id, step, question, planHash, deadline, needs } = gate;
    const waits = event === 'gateReminder' ? 'Still waits' : 'Waits';
    this.#notices.send(target, `${event}/${id}`, {
      event,
      sentence: `${waits} for ${needs} until ${deadline} at "${step}": ${question}`,
      planHash,
      gate: id,
      deadline,
    });
  }
}

function isAsItShouldBe({ outcome, proofs }: RunRecord): boolean {
  const good = outcome === 'succeeded' || outcome === 'planned';
  return good && proofs.every(({ verdict }) => verdict === 'pass');
}

function lastEvents({ undo, controls }: RunRecord): Pick<AuditEvent, 'kind' | 'sentence' | 'who'>[] {
  return [
    ...controls.map(({ control, by, note, at }) => ({
      kind: 'control' as const,
      sentence: `${control} at ${at}: ${note}`,
      ...(by === undefined ? {} : { who: by }),
    })),
    ...undo.map(({ name, state, note }) => ({
      kind: 'undo' as const,
      sentence: `${name}: ${state}: ${note}`,
    })),
  ];
}

/** Without what is undefined. */
function asJson(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}
