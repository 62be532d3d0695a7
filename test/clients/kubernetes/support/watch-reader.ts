import { setTimeout as pause } from 'node:timers/promises';
import type { WatchEvent } from '../../../../src/clients/kubernetes/watch.ts';

const DEADLINE_MS = 10_000;

/** Reads a watch in the background, so that a test can play server and consumer at once. */
export class WatchReader {
  readonly #controller = new AbortController();
  readonly #events: WatchEvent[] = [];
  readonly #done: Promise<unknown>;
  #finished = false;
  #wake: () => void = () => undefined;

  constructor(watch: (signal: AbortSignal) => AsyncIterable<WatchEvent>) {
    this.#done = this.#read(watch(this.#controller.signal));
  }

  /** The next events; fails when they do not come in time or the watch ends first. */
  async take(count: number): Promise<WatchEvent[]> {
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    while (this.#events.length < count) {
      if (this.#finished) throw new Error(`the watch ended: ${String(await this.#done)}`);
      if (deadline.aborted) throw new Error(`${this.#events.length} of ${count} events came in time`);
      await Promise.race([
        new Promise<void>((resolve) => (this.#wake = resolve)),
        pause(1000, undefined, { ref: false }),
      ]);
    }
    return this.#events.splice(0, count);
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    const deadline = Date.now() + DEADLINE_MS;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`did not happen in time: ${what}`);
      await pause(2);
    }
  }

  abort(reason: Error): void {
    this.#controller.abort(reason);
  }

  /** What the watch ended with. */
  async ended(): Promise<unknown> {
    await this.until(() => this.#finished, 'the end of the watch');
    return await this.#done;
  }

  async stop(): Promise<void> {
    this.abort(new Error('the test is over'));
    await this.#done;
  }

  async #read(watch: AsyncIterable<WatchEvent>): Promise<unknown> {
    try {
      for await (const event of watch) {
        this.#events.push(event);
        this.#wake();
      }
      return undefined;
    } catch (error) {
      return error;
    } finally {
      this.#finished = true;
      this.#wake();
    }
  }
}
