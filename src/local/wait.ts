import { setTimeout as pause } from 'node:timers/promises';

export interface WaitOptions {
  /** What is waited for, as the end of "waited N s for …". */
  what: string;
  timeoutMilliseconds: number;
  everyMilliseconds?: number;
  /** Ends the wait early, with the reason that the signal carries. */
  signal?: AbortSignal;
}

/**
 * Polls until the probe returns something else than undefined, and returns that.
 * A probe that throws counts as "not yet"; its last message is part of the error at the deadline.
 */
export async function waitFor<T>(probe: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const deadline = Date.now() + options.timeoutMilliseconds;
  let lastFault = '';
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const found = await probe();
      if (found !== undefined) return found;
    } catch (error) {
      lastFault = `: ${messageOf(error)}`;
    }
    if (Date.now() >= deadline) {
      throw new Error(`waited ${options.timeoutMilliseconds / 1000} s for ${options.what}${lastFault}`);
    }
    await pause(options.everyMilliseconds ?? 50);
  }
}

/** The sentence of an error of any kind; a fetch error's cause says more than "fetch failed". */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
