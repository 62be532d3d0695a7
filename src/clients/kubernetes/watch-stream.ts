import { linkSignals } from './deadline.ts';
import { KubernetesError } from './errors.ts';
import { bodyError } from './transport.ts';

/**
 * Yields the complete lines of a stream as their bytes arrive. A rest without line end is dropped: the
 * connection died in the middle of it, and the next one sends it again. The connection is closed when
 * the consumer stops, the signal aborts, or no byte came for `silenceSeconds`.
 *
 * @throws {@link KubernetesError} `Timeout` after silence, `NetworkError` on a disconnect; the signal's reason.
 */
export async function* readLines(
  operation: string,
  open: (signal: AbortSignal) => Promise<AsyncIterable<Buffer>>,
  silenceSeconds: number,
  signal: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const connection = new AbortController();
  const unlink = linkSignals([signal], connection);
  const listen = (): NodeJS.Timeout =>
    setTimeout(() => {
      connection.abort(silent(operation, silenceSeconds));
    }, silenceSeconds * 1000);
  let silence = listen();
  try {
    for await (const lines of splitLines(await open(connection.signal))) {
      // While the consumer works, the stream is paused by us: that is not the server's silence.
      clearTimeout(silence);
      yield* lines;
      silence = listen();
    }
  } catch (error) {
    throw bodyError(operation, connection.signal, error);
  } finally {
    clearTimeout(silence);
    unlink();
    connection.abort();
  }
}

/** For each chunk the lines that it completes. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string[], void, undefined> {
  const decoder = new TextDecoder();
  let rest: string[] = []; // pieces, joined once: a large object comes in many chunks
  for await (const chunk of chunks) {
    const [first = '', ...more] = decoder.decode(chunk, { stream: true }).split('\n');
    rest.push(first);
    if (more.length === 0) {
      yield [];
      continue;
    }
    const last = more.pop() ?? '';
    const lines = [rest.join(''), ...more].filter((line) => line.trim() !== '');
    rest = [last];
    yield lines;
  }
}

function silent(operation: string, silenceSeconds: number): KubernetesError {
  return new KubernetesError({
    operation,
    reason: 'Timeout',
    retryable: true,
    explanation: `nothing was heard for ${silenceSeconds} s`,
  });
}
