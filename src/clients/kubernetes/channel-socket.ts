import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import type { ClusterAccess, Credentials } from './credentials.ts';
import { settleOnAbort } from './deadline.ts';
import { KubernetesError, errorFromAnswer, errorFromTransport } from './errors.ts';

/** A request that is upgraded to a WebSocket whose messages begin with the number of their channel. */
export interface ChannelRequest {
  /** Path below the server's URL, already validated. */
  path: string;
  query: URLSearchParams;
  /** Subprotocols, the best first. */
  protocols: string[];
  operation: string;
  /** Ends the opening; afterwards the owner of the socket closes it. */
  signal: AbortSignal;
}

/** Of a refusal's body, more than this is not read: only its reason is used. */
const REFUSAL_LIMIT = 64 * 1024;

/**
 * Opens a WebSocket. `attach` runs in the moment of opening and must take its listeners on then: the
 * first message may already be there.
 *
 * @throws {@link KubernetesError} when the server refuses; credentials are renewed once after 401.
 */
export async function openChannels<T>(
  credentials: Credentials,
  request: ChannelRequest,
  attach: (socket: WebSocket) => T,
): Promise<T> {
  const { generation } = credentials;
  try {
    return await connect(credentials, request, attach);
  } catch (error) {
    if (!(error instanceof KubernetesError && error.status === 401)) throw error;
    credentials.renew(generation);
    return await connect(credentials, request, attach);
  }
}

async function connect<T>(
  credentials: Credentials,
  request: ChannelRequest,
  attach: (socket: WebSocket) => T,
): Promise<T> {
  const { operation, signal } = request;
  const socket = createSocket(await settleOnAbort(credentials.access(operation), signal), request);
  const opened = new Promise<T>((resolve, reject) => {
    // Stays for the socket's whole life: what follows an error is always `close`, and that is handled.
    socket.on('error', (error) => {
      reject(errorFromTransport(operation, error));
    });
    socket.once('unexpected-response', (handshake, response: IncomingMessage) => {
      void refusal(operation, response).then((error) => {
        reject(error);
        handshake.destroy();
      });
    });
    socket.once('open', () => {
      resolve(attach(socket));
    });
  });
  try {
    return await settleOnAbort(opened, signal);
  } catch (error) {
    socket.terminate();
    throw error;
  }
}

function createSocket({ server, headers, tls, proxy }: ClusterAccess, request: ChannelRequest): WebSocket {
  const url = `${server.replace(/^http/, 'ws')}${request.path}?${request.query.toString()}`;
  return new WebSocket(url, request.protocols, {
    ...tls,
    headers: { ...headers, 'user-agent': 'alecs-runbooks' },
    perMessageDeflate: false,
    ...(proxy === undefined ? {} : { agent: proxy.agent }),
  });
}

async function refusal(operation: string, response: IncomingMessage): Promise<KubernetesError> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > REFUSAL_LIMIT) break;
    }
  } catch {
    // The status alone says enough.
  }
  return errorFromAnswer(operation, {
    status: response.statusCode ?? 500,
    retryAfter: response.headers['retry-after'],
    body: Buffer.concat(chunks).toString('utf8'),
  });
}

/** Sends one message; resolves when it has left for the network, so that a large input waits for its reader. */
export function sendOnChannel(socket: WebSocket, channel: number, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(Buffer.concat([Buffer.of(channel), data]), (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
