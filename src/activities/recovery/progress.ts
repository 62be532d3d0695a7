import { Context } from '@temporalio/activity';
import type { GroupOutcome } from '../../contracts/recovery.ts';

/** What a heartbeat carries: everything below `upTo` is done, and of what is above these. */
interface Checkpoint extends GroupOutcome {
  upTo: number;
  ahead: number[];
}

const mostFirst = 10;

/** How far a group is restored. The next attempt goes on where the last heartbeat was. */
export class Progress {
  #upTo = 0;
  readonly #ahead = new Set<number>();
  #told: Checkpoint | undefined;
  readonly #outcome: GroupOutcome = { written: 0, same: 0, troubles: 0, first: [] };

  /** What the last attempt of this activity had done, by its last heartbeat. */
  static resumed(): Progress {
    const progress = new Progress();
    const details: unknown = Context.current().info.heartbeatDetails;
    if (!isCheckpoint(details)) return progress;
    progress.#told = details;
    const { upTo, ahead, written, same, troubles, first } = details;
    progress.#upTo = upTo;
    for (const number of ahead) progress.#ahead.add(number);
    Object.assign(progress.#outcome, { written, same, troubles, first: [...first] });
    return progress;
  }

  has(number: number): boolean {
    return number < this.#upTo || this.#ahead.has(number);
  }

  /** One object is done. */
  done(number: number, what: 'written' | 'same' | { trouble: string }): void {
    this.#ahead.add(number);
    while (this.#ahead.delete(this.#upTo)) this.#upTo += 1;
    if (typeof what === 'string') this.#outcome[what] += 1;
    else {
      this.#outcome.troubles += 1;
      if (this.#outcome.first.length < mostFirst) this.#outcome.first.push(what.trouble);
    }
  }

  get outcome(): GroupOutcome {
    return { ...this.#outcome, first: [...this.#outcome.first] };
  }

  checkpoint(): Checkpoint {
    return { ...this.outcome, upTo: this.#upTo, ahead: [...this.#ahead] };
  }

  /** Tells Temporal how far it is; from now on every heartbeat says so. */
  tell(checkpoint: Checkpoint): void {
    this.#told = checkpoint;
    this.beat();
  }

  beat(): void {
    Context.current().heartbeat(this.#told);
  }
}

/** Often enough that a lost heartbeat or two end nothing. */
const beatMilliseconds = 1000;

/** Heartbeats for as long as `work` runs, always with the progress that was told last. */
export async function withProgress<T>(
  work: (progress: Progress, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const progress = Progress.resumed();
  const timer = setInterval(() => {
    progress.beat();
  }, beatMilliseconds);
  try {
    return await work(progress, Context.current().cancellationSignal);
  } finally {
    clearInterval(timer);
  }
}

function isCheckpoint(value: unknown): value is Checkpoint {
  return (
    typeof value === 'object' &&
    value !== null &&
    'upTo' in value &&
    typeof value.upTo === 'number' &&
    'ahead' in value &&
    Array.isArray(value.ahead)
  );
}
