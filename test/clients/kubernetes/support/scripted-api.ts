import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import {
  createKubernetesGateway,
  type KubernetesGateway,
} from '../../../../src/clients/kubernetes/gateway.ts';
import { scratch } from './cluster.ts';

/** One request as the scripted server saw it. */
interface SeenRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  authorization: string;
  body: string;
}

/** What it returns does not matter. */
export type Answer = (request: SeenRequest, response: ServerResponse) => unknown;

/** An API server that says what the test wants. Discovery of `v1` is answered by itself. */
export interface ScriptedApi {
  gateway: KubernetesGateway;
  port: number;
  /** Everything but discovery, in order. */
  seen: SeenRequest[];
  /** Connections accepted so far, and those open now. */
  connections(): { accepted: number; open: number };
  answer: Answer;
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  close(): Promise<void>;
}

/** The token in the gateway's kubeconfig, for canary tests. */
export const TOKEN = 'canary-token-5a1f';

const KINDS = [
  { name: 'configmaps', kind: 'ConfigMap', namespaced: true },
  { name: 'pods', kind: 'Pod', namespaced: true },
  { name: 'nodes', kind: 'Node', namespaced: false },
];

export async function startScriptedApi(): Promise<ScriptedApi> {
  const files = scratch();
  let accepted = 0;
  let open = 0;
  const server = createServer((message, response) => {
    void receive(api, message, response);
  });
  server.on('connection', (socket) => {
    accepted += 1;
    open += 1;
    socket.on('close', () => (open -= 1));
  });
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => undefined);
    api.upgrade(message, socket, head);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const gateway = createKubernetesGateway({
    kubeconfigPath: files.file('kubeconfig', scriptedKubeconfig(port, { token: TOKEN })),
  });
  const api: ScriptedApi = {
    gateway,
    port,
    seen: [],
    connections: () => ({ accepted, open }),
    answer: (_request, response) => response.writeHead(404).end(),
    upgrade: (_message, socket) => socket.destroy(),
    close: async () => {
      await gateway.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
      files.remove();
    },
  };
  return api;
}

/** A kubeconfig for a scripted server; `name` is that of its context, cluster and user. */
export function scriptedKubeconfig(port: number, user: Record<string, unknown>, name = 'scripted'): string {
  const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
  });
}

async function receive(api: ScriptedApi, message: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(message.url ?? '', 'http://api');
  if (url.pathname === '/api/v1') {
    sendJson(response, 200, { kind: 'APIResourceList', resources: KINDS });
    return;
  }
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  const seen = {
    method: message.method ?? '',
    path: url.pathname,
    query: url.searchParams,
    authorization: message.headers.authorization ?? '',
    body: Buffer.concat(chunks).toString('utf8'),
  };
  api.seen.push(seen);
  api.answer(seen, response);
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): ServerResponse {
  const all = { 'content-type': 'application/json', ...headers };
  return response.writeHead(status, all).end(JSON.stringify(body));
}

/** A Status object as the API server sends it with an error. */
export function sendStatus(
  response: ServerResponse,
  code: number,
  reason: string,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): ServerResponse {
  return sendJson(response, code, { kind: 'Status', status: 'Failure', code, reason, ...more }, headers);
}

/** Answers each request by the next entry, and all further ones by the last. */
export function inTurn(...answers: Answer[]): Answer {
  let turn = 0;
  return (request, response) => {
    const answer = answers[Math.min(turn, answers.length - 1)]!;
    turn += 1;
    answer(request, response);
  };
}

export function configMap(name: string, resourceVersion = '1'): Record<string, unknown> {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'demo', resourceVersion } };
}

export function listOf(
  names: string[],
  resourceVersion: string,
  continueToken = '',
): Record<string, unknown> {
  const items = names.map((name) => ({ metadata: { name, namespace: 'demo', resourceVersion } }));
  return { kind: 'ConfigMapList', metadata: { resourceVersion, continue: continueToken }, items };
}

export const CONFIG_MAP = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'demo', name: 'a' };
export const CONFIG_MAPS = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'demo' };
