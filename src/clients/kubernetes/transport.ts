import { isDeepStrictEqual } from 'node:util';
import { Agent, ProxyAgent, Socks5ProxyAgent, request, type Dispatcher } from 'undici';
import type { ClusterAccess, Credentials } from './credentials.ts';
import { settleOnAbort } from './deadline.ts';
import { KubernetesError, errorFromAnswer, errorFromTransport, errorCode } from './errors.ts';

/** One HTTP request to the API server. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path below the server's URL, already validated and encoded. */
  path: string;
  query?: URLSearchParams;
  body?: { contentType: string; text: string };
  /** Media type of the answer; plain JSON if not given. */
  accept?: string;
  /** For error messages, e.g. `GET pods alecs/web-0`. */
  operation: string;
  signal: AbortSignal;
}

/** A successful answer whose body is still on its way. */
export interface HttpAnswer {
  status: number;
  /** When the server says that it is; missing when a proxy dropped it. */
  date: string | undefined;
  body: Dispatcher.ResponseData['body'];
}

/** Idle seconds after which we close a connection: shorter than load balancers' 60 and the API server's 90. */
const KEEP_ALIVE_MS = 30_000;

/** Seconds until the answer's head must have come; the body of a watch has no such limit. */
const HEADERS_TIMEOUT_MS = 30_000;

/** An error body longer than this is not read to its end: nothing of it is shown anyway. */
const ERROR_BODY_LIMIT = 64 * 1024;

/** Errors of a kept-alive connection that the server closed while our request was on its way. */
const CLOSED_UNDER_US = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

/**
 * Sends requests over shared connections. client-node would open a new one for each request, so only
 * its credentials are used. Connections are made anew when the TLS options change.
 */
export class Transport {
  readonly credentials: Credentials;
  #tls: ClusterAccess['tls'] | undefined;
  #dispatcher: Dispatcher | undefined;

  constructor(credentials: Credentials) {
    this.credentials = credentials;
  }

  /**
   * Returns when the head of a successful answer has arrived.
   *
   * @throws {@link KubernetesError} for an answer of 300 and above, or when no answer came.
   */
  async open(http: HttpRequest): Promise<HttpAnswer> {
    const generation = this.credentials.generation;
    const first = await this.#send(http);
    if (first.statusCode !== 401) return await successful(http, first);
    // The credential may have been rotated since it was read: once, with fresh ones.
    await first.body.dump({ limit: ERROR_BODY_LIMIT });
    this.credentials.renew(generation);
    return await successful(http, await this.#send(http));
  }

  /** As {@link open}, with the whole body as text. */
  async text(http: HttpRequest): Promise<{ status: number; date: string | undefined; text: string }> {
    const { status, date, body } = await this.open(http);
    try {
      return { status, date, text: await body.text() };
    } catch (error) {
      throw transportError(http, error);
    }
  }

  /** Closes all connections; what still runs on them fails. */
  async close(): Promise<void> {
    await this.#dispatcher?.destroy();
    this.#dispatcher = undefined;
  }

  async #send(http: HttpRequest): Promise<Dispatcher.ResponseData> {
    const access = await settleOnAbort(this.credentials.access(http.operation), http.signal);
    try {
      return await this.#sendOnce(http, access);
    } catch (error) {
      if (http.method === 'GET' && !http.signal.aborted && CLOSED_UNDER_US.has(errorCode(error))) {
        return await this.#sendOnce(http, access).catch((second: unknown) => {
          throw transportError(http, second);
        });
      }
      throw transportError(http, error);
    }
  }

  #sendOnce(http: HttpRequest, access: ClusterAccess): Promise<Dispatcher.ResponseData> {
    const query = http.query === undefined || http.query.size === 0 ? '' : `?${http.query.toString()}`;
    return request(`${access.server}${http.path}${query}`, {
      dispatcher: this.#dispatcherFor(access),
      method: http.method,
      headers: {
        accept: http.accept ?? 'application/json',
        'user-agent': 'alecs-runbooks',
        ...(http.body === undefined ? {} : { 'content-type': http.body.contentType }),
        ...access.headers,
      },
      body: http.body?.text ?? null,
      signal: http.signal,
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: 0, // calls have a deadline of their own, watches a limit of silence
    });
  }

  #dispatcherFor(access: ClusterAccess): Dispatcher {
    if (this.#dispatcher !== undefined && isDeepStrictEqual(access.tls, this.#tls)) return this.#dispatcher;
    // Requests under way finish on the old connections.
    void this.#dispatcher?.close().catch(() => undefined);
    this.#tls = access.tls;
    this.#dispatcher = createDispatcher(access);
    return this.#dispatcher;
  }
}

function createDispatcher({ tls, proxy }: ClusterAccess): Dispatcher {
  // HTTP/1.1 on purpose: an aborted watch closes its own socket, and a stuck one holds up nothing else.
  const common = { allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS };
  const connect = { ...tls, allowH2: false, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
  if (proxy === undefined) return new Agent({ ...common, connect });
  if (proxy.url.startsWith('socks'))
    return new Socks5ProxyAgent(proxy.url, { ...common, requestTls: connect });
  return new ProxyAgent({ ...common, uri: proxy.url, requestTls: connect });
}

async function successful(http: HttpRequest, answer: Dispatcher.ResponseData): Promise<HttpAnswer> {
  if (answer.statusCode < 300) {
    const { date } = answer.headers;
    return {
      status: answer.statusCode,
      date: typeof date === 'string' ? date : undefined,
      body: answer.body,
    };
  }
  const retryAfter = answer.headers['retry-after'];
  throw errorFromAnswer(http.operation, {
    status: answer.statusCode,
    retryAfter: typeof retryAfter === 'string' ? retryAfter : undefined,
    body: await readBounded(answer.body).catch(() => ''),
  });
}

async function readBounded(body: Dispatcher.ResponseData['body']): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ERROR_BODY_LIMIT) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function transportError(http: HttpRequest, error: unknown): Error {
  return http.signal.aborted ? (http.signal.reason as Error) : errorFromTransport(http.operation, error);
}

/** Translates the errors of a body that is read elsewhere (a watch). */
export function bodyError(operation: string, signal: AbortSignal, error: unknown): Error {
  if (error instanceof KubernetesError) return error;
  return signal.aborted ? (signal.reason as Error) : errorFromTransport(operation, error);
}
