import { defineSignal, setDefaultSignalHandler, setHandler, workflowInfo } from '@temporalio/workflow';
import { controls, type Control, type ControlRecord } from '../../contracts/run.ts';
import { readControl } from '../../domain/controls.ts';
import type { Carried } from './carried.ts';

/** Why a run stops before its end. */
export interface Stop {
  type: 'Aborted' | 'Flooded';
  message: string;
}

/** How many controls a run remembers; the rest is only counted. */
const mostRecords = 100;

/**
 * At a gate, where nothing is held, the run continues as a new one long before the server refuses signals (at 10,000).
 * While signals come faster than a workflow task takes, the server refuses that as well: then it happens at 10,000,
 * when nothing comes any more.
 */
const manyMessages = 500;

/** Elsewhere it cannot; it ends, and undoes, while `abort` still gets through. */
const tooManyMessages = 9000;

/**
 * The server ends a run without asking at 50 MB, and ends workflow tasks early while large signals come in: the undo
 * needs room. A run that nobody floods stays far below this.
 */
const tooManyBytes = 10_000_000;

/** What the controls need of their run. */
export interface ControlsOptions {
  /** Called after every control that changed something. */
  onChange: () => void;
  /** True while the run waits where it may continue as a new one. */
  mayContinue: () => boolean;
}

const endsRun = 'the run ends and undoes what it changed';

/** Takes pause, resume and abort, at any point of a run. The handlers are synchronous and cannot throw, whatever is sent. */
export class Controls {
  readonly records: ControlRecord[] = [];
  /** Signals that were only counted. */
  ignored = 0;
  #messages = 0;
  #paused: { since: string; by?: string; reason?: string } | undefined;
  #stop: Stop | undefined;
  #ending = false;
  readonly #run: ControlsOptions;

  constructor(carried: Carried | undefined, run: ControlsOptions) {
    this.#run = run;
    this.records.push(...(carried?.controls ?? []));
    this.ignored = carried?.ignoredSignals ?? 0;
    this.#paused = carried?.paused;
  }

  /**
   * Registers the handlers. To be called when the run can answer and every other handler is there: signals that came
   * first are handed over at once, and a fault of theirs would fail the workflow task for ever.
   */
  listen(): void {
    const descriptions = {
      pause: 'Wait before the next step. Optional: {"by": "your name", "reason": "why"}',
      resume: 'Go on after a pause. Optional: {"by": "your name", "reason": "why"}',
      abort: 'End the run, undoing what it changed. Optional: {"by": "your name", "reason": "why"}',
    };
    for (const control of ['pause', 'resume', 'abort'] as const) {
      setHandler(
        defineSignal<[unknown]>(controls[control]),
        (input) => {
          this.count();
          this.#take(control, readControl(input));
        },
        { description: descriptions[control] },
      );
    }
    // Gets what no other handler takes.
    setDefaultSignalHandler(() => {
      this.count();
      this.ignored += 1;
    });
  }

  get paused(): { since: string; by?: string; reason?: string } | undefined {
    return this.#paused;
  }

  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** From here on nothing stops the run any more. */
  get ending(): boolean {
    return this.#ending;
  }

  /** True when the run should continue as a new one as soon as it holds nothing. */
  get full(): boolean {
    return this.#messages >= manyMessages || workflowInfo().continueAsNewSuggested;
  }

  /** Counts a signal or an accepted update. */
  count(): void {
    this.#messages += 1;
    const { historySize } = workflowInfo();
    if (this.#stop !== undefined || this.#ending) return;
    if (this.#messages < tooManyMessages && historySize < tooManyBytes) return;
    if (this.#run.mayContinue()) return;
    this.#stopWith({
      type: 'Flooded',
      message: `${this.#messages} signals and updates reached this run; it ends before Temporal would refuse more of them`,
    });
  }

  /** From here on the run only undoes and reports: nothing holds that up. */
  end(): void {
    this.#ending = true;
    this.#paused = undefined;
  }

  /** Ends a pause that lasted too long. */
  giveUpPause(seconds: number): void {
    this.#paused = undefined;
    this.#stopWith({
      type: 'Aborted',
      message: `paused for longer than ${seconds} s while the run holds the target`,
    });
  }

  #take(control: ControlRecord['control'], sent: Control): void {
    const note = this.#apply(control, sent);
    // The abort that ends the run is kept, however many came before it.
    const ends = note === endsRun;
    if (this.records.length >= mostRecords && !ends) this.ignored += 1;
    else this.records.push({ at: new Date().toISOString(), control, ...sent, note });
  }

  #apply(control: ControlRecord['control'], sent: Control): string {
    if (this.#ending || this.#stop !== undefined) return 'the run is ending already';
    switch (control) {
      case 'pause':
        if (this.#paused !== undefined) return 'the run was paused already';
        this.#paused = { since: new Date().toISOString(), ...sent };
        this.#run.onChange();
        return 'the run pauses before its next step';
      case 'resume':
        if (this.#paused === undefined) return 'the run was not paused';
        this.#paused = undefined;
        this.#run.onChange();
        return 'the run goes on';
      case 'abort':
        this.#stopWith({ type: 'Aborted', message: aborted(sent) });
        return endsRun;
    }
  }

  #stopWith(stop: Stop): void {
    this.#stop = stop;
    this.#paused = undefined;
    this.#run.onChange();
  }
}

function aborted({ by, reason }: Control): string {
  return `aborted${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${reason}`}`;
}
