import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';
import { searchAttributes } from '../../contracts/search-attributes.ts';
import type { Outcome, RunDescription, StepRecord } from '../../contracts/run.ts';
import { renderDetails } from '../../domain/details.ts';

/** Shows where a run is: step list, details for the UI, search attributes. */
export class Progress {
  readonly steps: StepRecord[] = [];
  #attributesOn = false;
  readonly #describe: () => RunDescription;

  constructor(describe: () => RunDescription) {
    this.#describe = describe;
  }

  /** Off until the worker says that the attributes are registered: an unregistered one would hang the run. */
  useSearchAttributes(target: string): void {
    this.#attributesOn = true;
    upsertSearchAttributes([{ key: searchAttributes.target, value: target }]);
  }

  get current(): string {
    return this.steps.at(-1)?.name ?? 'start';
  }

  begin(name: string): StepRecord {
    const step: StepRecord = { name, state: 'running', startedAt: new Date().toISOString() };
    this.steps.push(step);
    if (this.#attributesOn) upsertSearchAttributes([{ key: searchAttributes.step, value: name }]);
    this.show();
    return step;
  }

  mark(step: StepRecord, state: StepRecord['state'], note?: string): void {
    step.state = state;
    if (note !== undefined) step.note = note;
    if (state === 'done' || state === 'failed' || state === 'unknown')
      step.endedAt = new Date().toISOString();
    this.show();
  }

  /** Says meanwhile what the running step waits for. */
  noteCurrent(state: StepRecord['state'], note: string): void {
    const step = this.steps.at(-1);
    if (step !== undefined) this.mark(step, state, note);
  }

  /** Corrects how the last step ended, once its result was judged. */
  markLast(state: StepRecord['state']): void {
    const step = this.steps.at(-1);
    if (step !== undefined) this.mark(step, state);
  }

  finish(outcome: Outcome): void {
    if (this.#attributesOn) upsertSearchAttributes([{ key: searchAttributes.outcome, value: outcome }]);
    this.show();
  }

  show(): void {
    setCurrentDetails(renderDetails(this.#describe()));
  }
}
