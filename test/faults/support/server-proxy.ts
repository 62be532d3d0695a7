import { once } from 'node:events';
import type { Agent as PlainAgent } from 'node:http';
import {
  createServer,
  request as sendPlain,
  type ClientRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { request as sendSecure, type Agent, type RequestOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { Duplex } from 'node:stream';
import type { Verdict } from './temporal-proxy.ts';

/** One request of a worker to a server. */
export interface ApiRequest {
  method: string;
  /** With its query. */
  path: string;
  /** Empty where it is no text. */
  body: string;
  /** Changes something if it is accepted. */
  mutating: boolean;
}

/** What the server answered. */
export interface ApiAnswer {
  status: number;
  body: string;
}

/** Told of every request on its way between one worker and one server, watches and upgrades excepted. */
export interface RequestTap {
  /** Not forwarded yet. */
  arriving: (request: ApiRequest) => Promise<Verdict>;
  /** The whole answer is here; the worker has nothing of it yet. */
  answered: (request: ApiRequest, answer: ApiAnswer) => Promise<Verdict>;
}

/** What becomes of a watch: forwarded, broken off after its first events, or answered with 410 Gone. */
export type WatchFate = 'forward' | 'drop' | 'gone';

/** A wire between one worker (plain HTTP) and one server. */
export interface ServerProxy {
  address: string;
  /** Every request waits that long before it is forwarded. */
  delayMilliseconds: number;
  watchFate: () => WatchFate;
  /** Refuses connections and ends those that are open, as a server that is away. */
  leave: () => Promise<void>;
  comeBack: () => Promise<void>;
  close: () => Promise<void>;
}

/** How the server is reached, and what its requests mean. */
export interface Access {
  server: URL;
  agent: Agent | PlainAgent;
  /** Signed requests name the host that the worker knows: they arrive as they were sent. */
  keepsHost: boolean;
  /** Whether bodies are text that somebody reads. */
  readsBodies: boolean;
  isMutating: (method: string, path: string) => boolean;
}

export async function startServerProxy(access: Access, tap: RequestTap): Promise<ServerProxy> {
  const server = createServer();
  const upgraded = new Set<Duplex>();
  const proxy: ServerProxy = {
    address: '',
    delayMilliseconds: 0,
    watchFate: () => 'forward',
    leave: async () => {
      for (const socket of upgraded) socket.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
    comeBack: () => listen(server, port),
    close: async () => {
      if (server.listening) await proxy.leave();
      access.agent.destroy();
    },
  };
  server.on('request', (incoming, response) => {
    // A caller that is gone, a server that is gone: both show as a lost connection.
    forward({ incoming, response, access, tap, proxy }).catch(() => {
      response.destroy();
    });
  });
  server.on('upgrade', (incoming, socket, head) => {
    upgraded.add(socket);
    socket.on('close', () => upgraded.delete(socket));
    tunnel(incoming, socket, head, access);
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  proxy.address = `http://127.0.0.1:${port}`;
  return proxy;
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
}

interface Exchange {
  incoming: IncomingMessage;
  response: ServerResponse;
  access: Access;
  tap: RequestTap;
  proxy: ServerProxy;
}

async function forward(exchange: Exchange): Promise<void> {
  const { incoming, response, access, tap, proxy } = exchange;
  const body = await buffer(incoming);
  const request = describe(access, incoming, body);
  if (proxy.delayMilliseconds > 0) await pause(proxy.delayMilliseconds);
  if (isWatch(request.path)) {
    await forwardWatch(exchange);
    return;
  }
  if ((await tap.arriving(request)) === 'lose') {
    response.destroy();
    return;
  }
  const answer = await send(access, incoming, body);
  const content = await buffer(answer);
  const status = answer.statusCode ?? 502;
  if ((await tap.answered(request, { status, body: content.toString() })) === 'lose') {
    response.destroy();
    return;
  }
  response.writeHead(status, answer.headers);
  response.end(content);
}

async function forwardWatch({ incoming, response, access, proxy }: Exchange): Promise<void> {
  const fate = proxy.watchFate();
  if (fate === 'gone') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify({ type: 'ERROR', object: expired })}\n`);
    return;
  }
  const answer = await send(access, incoming, Buffer.alloc(0));
  response.on('close', () => {
    answer.destroy();
  });
  answer.on('error', () => {
    response.destroy();
  });
  response.writeHead(answer.statusCode ?? 502, answer.headers);
  response.flushHeaders();
  if (fate === 'drop') {
    answer.once('data', () => {
      response.destroy();
    });
    return;
  }
  answer.pipe(response);
}

const expired = {
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  message: 'too old resource version',
  reason: 'Expired',
  code: 410,
};

function send(access: Access, incoming: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = open(access, incoming).on('response', resolve);
    request.on('error', reject);
    request.end(body);
  });
}

function open({ server, agent, keepsHost }: Access, incoming: IncomingMessage): ClientRequest {
  const { host, ...headers } = incoming.headers;
  const options: RequestOptions = {
    agent: agent,
    host: server.hostname,
    port: server.port,
    method: incoming.method,
    path: incoming.url,
    headers: keepsHost ? { ...headers, host } : headers,
  };
  return server.protocol === 'https:' ? sendSecure(options) : sendPlain(options);
}

/** WebSockets of port-forward and exec: bytes both ways. */
function tunnel(incoming: IncomingMessage, socket: Duplex, head: Buffer, access: Access): void {
  const request = open(access, incoming);
  const abandon = (): void => {
    socket.destroy();
  };
  socket.on('error', abandon);
  socket.on('close', () => {
    request.destroy();
  });
  request.on('error', abandon);
  // Refused: the worker reads the answer itself.
  request.on('response', (answer) => {
    socket.write(headText(answer));
    answer.pipe(socket);
  });
  request.on('upgrade', (answer, onward, firstBytes) => {
    socket.write(headText(answer));
    socket.write(firstBytes);
    onward.write(head);
    onward.on('error', abandon);
    onward.on('close', abandon);
    socket.on('close', () => {
      onward.destroy();
    });
    onward.pipe(socket).pipe(onward);
  });
  request.end();
}

function headText({ statusCode, statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${statusCode ?? 502} ${statusMessage ?? ''}`];
  for (let index = 0; index < rawHeaders.length; index += 2)
    lines.push(`${rawHeaders[index] ?? ''}: ${rawHeaders[index + 1] ?? ''}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function describe({ readsBodies, isMutating }: Access, incoming: IncomingMessage, body: Buffer): ApiRequest {
  const { method = 'GET', url: path = '/' } = incoming;
  return { method, path, body: readsBodies ? body.toString() : '', mutating: isMutating(method, path) };
}

function isWatch(path: string): boolean {
  return ['true', '1'].includes(queryOf(path).get('watch') ?? '');
}

export function queryOf(path: string): URLSearchParams {
  return new URL(path, 'http://proxy').searchParams;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
