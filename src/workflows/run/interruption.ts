import { CancellationScope, condition, isCancellation } from '@temporalio/workflow';
import type { Controls } from './controls.ts';
import { explain, failure } from './failures.ts';

/** Ends what a run is waiting for when someone aborts it, and holds it back while it is paused. */
export class Interruption {
  readonly #controls: Controls;
  #scope: CancellationScope | undefined;

  constructor(controls: Controls) {
    this.#controls = controls;
  }

  /** To be called after every control: a stop ends what the run is waiting for. */
  controlled(): void {
    if (this.#controls.stop !== undefined) this.#scope?.cancel();
  }

  /** Waits while someone has paused the run. `holdsFor`: the seconds for which it may keep others waiting, if it does. */
  async untilResumed(holdsFor: number | undefined): Promise<void> {
    const goesOn = (): boolean => this.#controls.paused === undefined;
    await this.stoppable(async () => {
      if (holdsFor === undefined) await condition(goesOn);
      else if (!(await condition(goesOn, holdsFor * 1000))) this.#controls.giveUpPause(holdsFor);
    });
    this.#refuseWhenStopped();
  }

  /** Runs `work` so that an abort ends it at once, as a cancellation from Temporal does. */
  async stoppable<T>(work: () => T | Promise<T>): Promise<T> {
    this.#refuseWhenStopped();
    const outer = this.#scope;
    const scope = new CancellationScope();
    this.#scope = scope;
    try {
      const result = await scope.run(async () => await work());
      // A stop that came together with the result is a stop: its sender was told so.
      this.#refuseWhenStopped();
      return result;
    } catch (error) {
      // What else the work had begun is of no use any more.
      scope.cancel();
      throw error;
    } finally {
      this.#scope = outer;
    }
  }

  /** Type and sentence of what was thrown; a cancellation that came from an abort is that abort. */
  explain(error: unknown): { type: string; message: string } {
    if (!isCancellation(error)) return explain(error);
    return this.#controls.stop ?? { type: 'Cancelled', message: 'cancelled from Temporal' };
  }

  #refuseWhenStopped(): void {
    const { stop, ending } = this.#controls;
    if (stop !== undefined && !ending) throw failure(stop.type, stop.message);
  }
}
