import { createServer, type RequestListener } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { stack } from '../../support/stack.ts';

/** A server of a test; its port is free until it starts. */
export interface TestServer {
  port: number;
  close(): Promise<void>;
}

/** Takes connections and says nothing. */
export async function silentServer(): Promise<TestServer> {
  return await started(createTcpServer());
}

/** What a small S3 store answers. */
export interface StoreBehaviour {
  /** Added to the time that it shows. */
  clockOffsetSeconds?: number;
  /** An S3 error code that every put gets, with 403. */
  refusesPuts?: string;
}

/** A store that keeps objects and knows neither conditions nor versions nor locks. */
export async function simpleStore({ clockOffsetSeconds = 0, refusesPuts }: StoreBehaviour = {}): Promise<
  TestServer & { keys: () => string[] }
> {
  const objects = new Map<string, string>();
  const server = await httpServer((request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://store');
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('date', new Date(Date.now() + clockOffsetSeconds * 1000).toUTCString());
      const answer = (status: number, body = ''): void => {
        response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
      };
      const refuse = (status: number, code: string): void => {
        answer(status, `<Error><Code>${code}</Code></Error>`);
      };
      if (search.includes('versioning')) answer(200, '<VersioningConfiguration/>');
      else if (search.includes('object-lock')) refuse(404, 'ObjectLockConfigurationNotFoundError');
      else if (request.method === 'HEAD') answer(200);
      else if (request.method === 'PUT' && refusesPuts !== undefined) refuse(403, refusesPuts);
      else if (request.method === 'PUT') {
        objects.set(pathname, Buffer.concat(chunks).toString());
        answer(200);
      } else if (request.method === 'DELETE') {
        objects.delete(pathname);
        answer(204);
      } else answer(objects.has(pathname) ? 200 : 404, objects.get(pathname));
    });
  });
  return { ...server, keys: () => [...objects.keys()] };
}

/**
 * The stack's own API server as its administrator, in which one namespace has another name: tests of a missing
 * namespace need not take it away from those that run beside them.
 */
export async function renamingApi(from: string, to: string): Promise<TestServer> {
  const { users, clusters } = parse(readFileSync(stack().kubeconfig, 'utf8')) as {
    users: { user: Record<string, string> }[];
    clusters: { cluster: Record<string, string> }[];
  };
  const decode = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString();
  const credentials = {
    ca: decode(clusters[0]?.cluster['certificate-authority-data']),
    cert: decode(users[0]?.user['client-certificate-data']),
    key: decode(users[0]?.user['client-key-data']),
  };
  const renamed = (text: string): string =>
    text.replaceAll(new RegExp(`(?<=[/"])${from}(?=[/"]|$)`, 'g'), to);
  return await httpServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = renamed(Buffer.concat(chunks).toString());
      const [path = '', query = ''] = (request.url ?? '').split('?');
      const headers = { accept: 'application/json', 'content-type': request.headers['content-type'] ?? '' };
      const options = { method: request.method ?? 'GET', headers, agent: false as const, ...credentials };
      const upstream = httpsRequest(`${stack().kubernetesServer}${renamed(path)}?${query}`, options);
      upstream.on('response', (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      upstream.on('error', () => response.destroy());
      upstream.end(body);
    });
  });
}

/** A kubeconfig for a plain server of a test. */
export function kubeconfigFor(port: number): Record<string, unknown> {
  const cluster = { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true };
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster }],
    users: [{ name: 'test', user: {} }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  };
}

async function httpServer(listener: RequestListener): Promise<TestServer> {
  return await started(createServer(listener));
}

async function started(server: Server): Promise<TestServer> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
