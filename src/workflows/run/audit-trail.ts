import { CancellationScope, workflowInfo } from '@temporalio/workflow';
import type { AuditEvent, Checkpoint } from '../../contracts/audit.ts';
import type { AuditState, RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { excerpt } from '../../domain/text.ts';
import { secret, store } from '../activity-options.ts';
import type { Carried } from './carried.ts';
import { explain } from './failures.ts';

/** What a run tells the audit log, beside time and number. */
type Happening = Omit<AuditEvent, 'id' | 'at'>;

/** Events that are not in the log yet. */
interface Rest {
  run: RunRef;
  events: AuditEvent[];
  after?: Checkpoint;
}

/** What the log of a target lacks of a run that has ended. */
export interface Unwritten extends Rest {
  target: Target;
}

/** A flood of controls or decisions must not make a run too large for Temporal. */
const mostEvents = 500;

/** Collects what happens in a run and hands it to the target's audit log, a few events at a time. */
export class AuditTrail {
  readonly #run: RunRef;
  #pending: AuditEvent[] = [];
  #told = 0;
  #checkpoint: Checkpoint | undefined;
  #writing: Promise<void> = Promise.resolve();
  #unwritten: Unwritten | undefined;
  /** No bucket is configured, or it does not answer: the rest is left for the end of the run. */
  #resting = false;

  constructor(run: RunRef, carried: Carried['audit'] | undefined) {
    this.#run = run;
    this.#pending = carried?.events ?? [];
    this.#checkpoint = carried?.after;
  }

  /** What a run that continues as a new one hands on; it does not wait for what is under way. */
  carry(): Carried['audit'] {
    const { events, after } = this.#rest();
    return { events, ...(after === undefined ? {} : { after }) };
  }

  /** Takes note of something. What is beyond the bound is counted in the last event. */
  tell(happening: Happening): void {
    this.#told += 1;
    if (this.#told > mostEvents && happening.kind !== 'outcome') return;
    const left = this.#told - mostEvents;
    this.#pending.push({
      ...happening,
      sentence: excerpt(
        left > 1 ? `${happening.sentence} (${left - 1} events more than the log takes)` : happening.sentence,
        1900,
      ),
      // A reset run counts anew, with an id of its own.
      id: `${workflowInfo().runId}/${this.#told}`,
      at: new Date().toISOString(),
    });
  }

  /** Writes what has happened so far while the run goes on. */
  flush(target: Target): void {
    this.#writing = CancellationScope.nonCancellable(async () => {
      await this.#writing;
      if (!this.#resting) await this.#write(target);
    });
  }

  /** Writes the rest and has the log's new state signed. What could not be written is left over. */
  async finish(target: Target): Promise<AuditState> {
    await this.#writing;
    const unwritten = { target, ...this.#rest() };
    try {
      const { state, checkpoint, signed } = await secret('Complete the audit log').sealAudit(unwritten);
      this.#pending = [];
      if (state === 'notConfigured' || checkpoint === undefined)
        return { state: 'notConfigured', note: 'no bucket is configured: there is no audit log' };
      return signed === undefined || 'state' in signed
        ? { state: 'unsigned', checkpoint, note: signed?.note ?? 'nobody signed it' }
        : { state: 'signed', checkpoint: signed };
    } catch (error) {
      this.#unwritten = unwritten;
      return { state: 'pending', note: `${explain(error).message}; a run of its own goes on trying` };
    }
  }

  /** What is still to be written, for a detached child. */
  get unwritten(): Unwritten | undefined {
    return this.#unwritten;
  }

  #rest(): Rest {
    return {
      run: this.#run,
      events: this.#pending,
      ...(this.#checkpoint === undefined ? {} : { after: this.#checkpoint }),
    };
  }

  async #write(target: Target): Promise<void> {
    const { length } = this.#pending;
    if (length === 0) return;
    try {
      const { state, checkpoint } = await store('Write the audit log').appendAudit({
        target: target.profile.target,
        ...this.#rest(),
      });
      this.#pending = this.#pending.slice(length);
      this.#checkpoint = checkpoint ?? this.#checkpoint;
      this.#resting = state === 'notConfigured';
    } catch {
      this.#resting = true;
    }
  }
}
