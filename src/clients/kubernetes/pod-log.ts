import { linkSignals, type CallOptions } from './deadline.ts';
import { KubernetesError } from './errors.ts';
import { checkName, checkPod } from './resource-path.ts';
import { bodyError, type Transport } from './transport.ts';

/** The log of one container. */
export interface PodLog {
  namespace: string;
  pod: string;
  container: string;
  /** Of the container that ran here before the present one. */
  previous: boolean;
  /** No older than so many seconds. */
  sinceSeconds: number;
}

/** A log that takes longer than this to come is more than anybody can use. */
const defaultTimeoutSeconds = 120;

/** Reads a log as it comes, with its times. `timeoutSeconds` bounds the whole of it. @throws {@link KubernetesError} */
export async function* readPodLog(
  transport: Transport,
  { namespace, pod, container, previous, sinceSeconds }: PodLog,
  { signal, timeoutSeconds = defaultTimeoutSeconds }: CallOptions,
  lifetime: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const operation = checkPod('LOG', { namespace, pod });
  checkName(operation, container);
  const either = new AbortController();
  const unlink = linkSignals([signal, lifetime], either);
  const timer = setTimeout(() => {
    const explanation = `no complete log within ${timeoutSeconds} s`;
    either.abort(new KubernetesError({ operation, reason: 'Timeout', retryable: true, explanation }));
  }, timeoutSeconds * 1000);
  try {
    const { body } = await transport.open({
      method: 'GET',
      path: `/api/v1/namespaces/${namespace}/pods/${pod}/log`,
      query: new URLSearchParams({
        container,
        sinceSeconds: String(sinceSeconds),
        timestamps: 'true',
        ...(previous ? { previous: 'true' } : {}),
      }),
      operation,
      accept: '*/*',
      signal: either.signal,
    });
    for await (const chunk of body as AsyncIterable<Buffer>) yield chunk;
  } catch (error) {
    throw bodyError(operation, either.signal, error);
  } finally {
    clearTimeout(timer);
    unlink();
    either.abort();
  }
}
