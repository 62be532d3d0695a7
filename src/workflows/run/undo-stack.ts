import type { Outcome, UndoRecord } from '../../contracts/run.ts';
import { explain } from './failures.ts';

/** What an undo reports when it is done. It throws when it could not put things back. */
export interface UndoResult {
  note: string;
  drift: string[];
  /** What it took back; without it something of the service. */
  about?: 'service' | 'backup';
}

/** How to take a run's changes back: the last one first. */
export class UndoStack {
  readonly records: UndoRecord[] = [];
  readonly #undos: { name: string; undo: () => Promise<UndoResult> }[] = [];

  get size(): number {
    return this.#undos.length;
  }

  push(name: string, undo: () => Promise<UndoResult>): void {
    this.#undos.push({ name, undo });
  }

  /** What was changed stays, or was never changed; only the first `kept` undos are still needed. */
  forget(kept = 0): void {
    this.#undos.length = kept;
  }

  /** Carries out all but the first `kept`. One that fails does not keep the others from being tried. */
  async carryOut(
    asStep: (name: string, undo: () => Promise<UndoResult>) => Promise<UndoResult>,
    kept = 0,
  ): Promise<Outcome> {
    if (this.size === 0) return 'failed';
    let outcome: Outcome = 'undone';
    for (const { name, undo } of this.#undos.slice(kept).reverse()) {
      try {
        this.records.push({ name, state: 'done', ...(await asStep(name, undo)) });
      } catch (error) {
        this.records.push({ name, state: 'failed', note: explain(error).message, drift: [] });
        outcome = 'undoFailed';
      }
    }
    return outcome;
  }
}
