import { KubernetesError } from './errors.ts';

/** What every call accepts. */
export interface CallOptions {
  /** Ends the call at once; the call then throws this signal's reason. */
  signal?: AbortSignal;
  /** Upper bound of the whole call in seconds, 30 if not given. */
  timeoutSeconds?: number;
}

/** Seconds that a call may take when the caller says nothing: the API server's own limit is 60. */
const DEFAULT_TIMEOUT_SECONDS = 30;

/**
 * Runs `work` with one signal that ends on the caller's abort, the gateway's end or the deadline.
 * Whatever the work throws after that is replaced by the signal's reason: undici, ws and tls each
 * report an abort in their own way.
 *
 * @throws the caller's abort reason, or {@link KubernetesError} with reason `Timeout` (retryable).
 */
export async function withDeadline<T>(
  operation: string,
  { signal, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS }: CallOptions,
  lifetime: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const unlink = linkSignals([signal, lifetime], controller);
  const timer = setTimeout(() => {
    controller.abort(timeoutError(operation, timeoutSeconds));
  }, timeoutSeconds * 1000);
  try {
    controller.signal.throwIfAborted();
    return await settleOnAbort(work(controller.signal), controller.signal);
  } finally {
    clearTimeout(timer);
    unlink();
  }
}

/** Lets the controller follow the signals; the returned function takes the listeners off again. */
export function linkSignals(signals: (AbortSignal | undefined)[], controller: AbortController): () => void {
  const unlinks = signals.map((signal) => {
    const follow = (): void => {
      controller.abort(signal?.reason);
    };
    if (signal?.aborted === true) follow();
    signal?.addEventListener('abort', follow, { once: true });
    return () => {
      signal?.removeEventListener('abort', follow);
    };
  });
  return () => {
    for (const unlink of unlinks) unlink();
  };
}

/** Settles with the promise or, as soon as the signal aborts, with its reason. */
export function settleOnAbort<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise
      .then(resolve, (error: unknown) => {
        reject((signal.aborted ? signal.reason : error) as Error);
      })
      .finally(() => {
        signal.removeEventListener('abort', onAbort);
      });
  });
}

function timeoutError(operation: string, timeoutSeconds: number): KubernetesError {
  return new KubernetesError({
    operation,
    reason: 'Timeout',
    retryable: true,
    explanation: `no complete answer within ${timeoutSeconds} s`,
  });
}
