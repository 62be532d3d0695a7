/** Wakes one waiter; rings that come while nobody waits count once. */
export class Bell {
  #rung = false;
  #error: unknown;
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#error ??= error;
    this.ring();
  }

  /** Rings at that time, in milliseconds since the epoch, unless something rings before. */
  ringAt(time: number | undefined): void {
    clearTimeout(this.#timer);
    if (time !== undefined)
      this.#timer = setTimeout(
        () => {
          this.ring();
        },
        // A timer takes no more than 24 days; one look a day does no harm.
        Math.min(Math.max(0, time - Date.now()) + 10, 86_400_000),
      );
  }

  /** @throws what `fail` was given */
  async wait(): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(this.#timer);
    this.#rung = false;
    this.#wake = undefined;
    if (this.#error !== undefined)
      throw this.#error instanceof Error ? this.#error : new Error('the watch failed');
  }
}
