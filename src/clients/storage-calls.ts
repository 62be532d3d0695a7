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
 * One call of the SDK, its repetitions included, within a time. @throws the SDK's error; a DOMException `TimeoutError`
 * when the time was over first; the signal's reason
 */
export async function bounded<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  call: (stop: { abortSignal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const over = AbortSignal.timeout(milliseconds);
  try {
    return await call({ abortSignal: AbortSignal.any([over, ...(signal === undefined ? [] : [signal])]) });
  } catch (error) {
    if (over.aborted && signal?.aborted !== true) throw over.reason;
    throw error;
  }
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
