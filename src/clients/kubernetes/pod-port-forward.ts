import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { openChannels, sendOnChannel } from './channel-socket.ts';
import { linkSignals } from './deadline.ts';
import type { Credentials } from './credentials.ts';
import { KubernetesError, invalidInput } from './errors.ts';
import { checkPod } from './resource-path.ts';

/** A port of a pod. */
export interface PodPort {
  namespace: string;
  pod: string;
  port: number;
}

/** Since each connection carries one port only, data and error are channels 0 and 1. */
const DATA = 0;
const ERROR = 1;

/** Each channel's first message begins with the port, in two bytes. */
const PORT_BYTES = 2;

const NORMAL_CLOSURE = 1000;

/**
 * Opens one TCP connection to a port inside a pod. The stream ends when the program closes its side;
 * when the tunnel breaks or the port is closed, it is destroyed with a {@link KubernetesError}.
 * A half-close is not possible: `end()` only says that no more will be written.
 */
export async function openPortForward(
  credentials: Credentials,
  { namespace, pod, port }: PodPort,
  signal: AbortSignal,
): Promise<Duplex> {
  const operation = `${checkPod('FORWARD', { namespace, pod })} port ${port}`;
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw invalidInput(operation, 'not a port number');
  return await openChannels(
    credentials,
    {
      path: `/api/v1/namespaces/${namespace}/pods/${pod}/portforward`,
      query: new URLSearchParams({ ports: String(port) }),
      protocols: ['v4.channel.k8s.io'],
      operation,
      signal,
    },
    (socket) => new PortStream(socket, operation),
  );
}

/** Destroys the stream with the reason of the first signal that aborts. */
export function endOnAbort(stream: Duplex, signals: (AbortSignal | undefined)[]): void {
  const either = new AbortController();
  const end = (): void => {
    stream.destroy(either.signal.reason as Error);
  };
  either.signal.addEventListener('abort', end, { once: true });
  stream.once('close', linkSignals(signals, either));
}

class PortStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #operation: string;
  readonly #toSkip = new Map([
    [DATA, PORT_BYTES],
    [ERROR, PORT_BYTES],
  ]);

  constructor(socket: WebSocket, operation: string) {
    super();
    this.#socket = socket;
    this.#operation = operation;
    // Readers learn of an error by reading; without any reader it must not end the process.
    this.on('error', () => undefined);
    socket.on('message', (message: Buffer) => {
      this.#receive(message);
    });
    socket.on('close', (code) => {
      this.#ended(code);
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    sendOnChannel(this.#socket, DATA, chunk).then(
      () => {
        done();
      },
      () => {
        done(this.#failure('the tunnel is closed'));
      },
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }

  #receive(message: Buffer): void {
    const channel = message[0] ?? DATA;
    const skipped = Math.min(this.#toSkip.get(channel) ?? 0, message.length - 1);
    this.#toSkip.set(channel, (this.#toSkip.get(channel) ?? 0) - skipped);
    const content = message.subarray(1 + skipped);
    if (content.length === 0) return;
    if (channel === ERROR) this.destroy(this.#failure('nothing accepts connections on this port'));
    else if (channel === DATA && !this.push(content)) this.#socket.pause();
  }

  #ended(code: number): void {
    if (code === NORMAL_CLOSURE) this.push(null);
    else this.destroy(this.#failure('the tunnel broke'));
  }

  #failure(explanation: string): KubernetesError {
    return new KubernetesError({
      operation: this.#operation,
      reason: 'NetworkError',
      retryable: true,
      explanation,
    });
  }
}
