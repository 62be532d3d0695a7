/** Runs work side by side, at most so much at once. The first error ends it: nothing new begins, and `drain` throws it. */
export class Pool {
  readonly #most: number;
  readonly #running = new Set<Promise<void>>();
  #error: unknown;
  #failed = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** Waits for a free place, then begins. @throws the first error of earlier work */
  async add(work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#most && !this.#failed) await Promise.race(this.#running);
    this.#throwFirst();
    const running = work()
      .catch((error: unknown) => {
        if (!this.#failed) this.#error = error;
        this.#failed = true;
      })
      .finally(() => {
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  /** Waits for all of it. @throws the first error */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#throwFirst();
  }

  #throwFirst(): void {
    if (this.#failed) throw this.#error instanceof Error ? this.#error : new Error('work failed');
  }
}
