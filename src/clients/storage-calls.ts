import { setTimeout as pause } from 'node:timers/promises';

/** How often a write is tried again that met another one of the same key at that very moment. */
const mostConflicts = 5;

/** The answer's status; undefined when there was no answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** What a call of the SDK is told about being stopped. */
export function until(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal === undefined ? {} : { abortSignal: signal };
}

/**
 * Runs a write that carries a condition against overwriting. `exists`: somebody wrote the object before, perhaps an
 * earlier attempt of the caller. Any other error of the SDK passes.
 */
export async function onlyOnce(
  write: () => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<'written' | 'exists'> {
  for (let conflicts = 0; ; conflicts++) {
    try {
      await write();
      return 'written';
    } catch (error) {
      if (statusOf(error) === 412) return 'exists';
      // Two writes at once: neither is there yet, and the next try tells which one won.
      if (statusOf(error) !== 409 || conflicts === mostConflicts) throw error;
    }
    await pause(50 * (conflicts + 1), undefined, signal === undefined ? {} : { signal });
  }
}
