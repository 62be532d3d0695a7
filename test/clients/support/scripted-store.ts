import { afterAll, beforeAll } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the store saw it. */
interface SeenRequest {
  method: string;
  /** Without the bucket. */
  key: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

/** An S3 store in memory that misbehaves as a test wants: for what the real server never does. */
export interface ScriptedStore {
  endpoint: string;
  seen: SeenRequest[];
  objects: Map<string, Buffer>;
  /** Multipart uploads by id: the pieces that have arrived. */
  uploads: Map<string, { key: string; pieces: Map<number, Buffer> }>;
  /** Asked before every request; true: it has answered by itself. */
  misbehave: (request: SeenRequest, response: ServerResponse) => boolean;
  /** Decides about a write; `refused` ends it with that status and code. */
  condition: (request: SeenRequest, exists: boolean) => { status: number; code: string } | undefined;
  /** How long the store rests after each piece of a body that it takes, in milliseconds. */
  rest: number;
  /** What listings see; by default what is there. */
  listed: () => Iterable<string>;
  close(): Promise<void>;
}

const ifNoneMatch: ScriptedStore['condition'] = ({ headers }, exists) =>
  headers['if-none-match'] === '*' && exists ? { status: 412, code: 'PreconditionFailed' } : undefined;

export async function startScriptedStore(): Promise<ScriptedStore> {
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (store.rest === 0) return;
      message.pause();
      setTimeout(() => message.resume(), store.rest);
    });
    message.on('end', () => {
      const url = new URL(message.url ?? '/', 'http://store');
      const [, key = ''] = /^\/[^/]+\/?(.*)$/.exec(decodeURIComponent(url.pathname)) ?? [];
      const { method = '', headers } = message;
      const request = { method, key, query: url.searchParams, headers, body: Buffer.concat(chunks) };
      store.seen.push(request);
      if (!store.misbehave(request, response)) answer(store, request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const store: ScriptedStore = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen: [],
    objects: new Map(),
    uploads: new Map(),
    misbehave: () => false,
    condition: ifNoneMatch,
    rest: 0,
    listed: () => store.objects.keys(),
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return store;
}

/** An error as S3 writes it. */
export function refuse(response: ServerResponse, status: number, code: string): true {
  response.writeHead(status, { 'content-type': 'application/xml' });
  response.end(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`);
  return true;
}

function answer(store: ScriptedStore, request: SeenRequest, response: ServerResponse): void {
  const { method, key, query } = request;
  if (method === 'PUT' && query.has('uploadId')) {
    putPiece(store, request, response);
    return;
  }
  if (method === 'PUT') {
    write(store, request, request.body, response);
    return;
  }
  if (method === 'POST' && query.has('uploads')) {
    const uploadId = randomBytes(8).toString('hex');
    store.uploads.set(uploadId, { key, pieces: new Map() });
    xml(
      response,
      `<InitiateMultipartUploadResult><UploadId>${uploadId}</UploadId></InitiateMultipartUploadResult>`,
    );
    return;
  }
  if (method === 'POST') {
    complete(store, request, response);
    return;
  }
  if (method === 'DELETE') {
    if (query.has('uploadId')) store.uploads.delete(query.get('uploadId') ?? '');
    else store.objects.delete(key);
    response.writeHead(204).end();
    return;
  }
  if (method === 'GET' && key === '') {
    list(store, query, response);
    return;
  }
  const body = store.objects.get(key);
  if (body === undefined) {
    refuse(response, 404, 'NoSuchKey');
    return;
  }
  response.writeHead(200, { 'content-length': body.byteLength, 'last-modified': new Date().toUTCString() });
  response.end(method === 'HEAD' ? undefined : body);
}

function putPiece(store: ScriptedStore, { query, body }: SeenRequest, response: ServerResponse): void {
  const upload = store.uploads.get(query.get('uploadId') ?? '');
  if (upload === undefined) {
    refuse(response, 404, 'NoSuchUpload');
    return;
  }
  upload.pieces.set(Number(query.get('partNumber')), body);
  response.writeHead(200, { etag: etagOf(body) }).end();
}

function complete(store: ScriptedStore, request: SeenRequest, response: ServerResponse): void {
  const uploadId = request.query.get('uploadId') ?? '';
  const upload = store.uploads.get(uploadId);
  if (upload === undefined) {
    refuse(response, 404, 'NoSuchUpload');
    return;
  }
  const pieces = [...upload.pieces].sort(([a], [b]) => a - b).map(([, body]) => body);
  write(store, request, Buffer.concat(pieces), response);
  store.uploads.delete(uploadId);
}

function write(store: ScriptedStore, request: SeenRequest, body: Buffer, response: ServerResponse): void {
  const refusal = store.condition(request, store.objects.has(request.key));
  if (refusal !== undefined) {
    refuse(response, refusal.status, refusal.code);
    return;
  }
  store.objects.set(request.key, body);
  const tag = etagOf(body);
  if (request.method === 'PUT') response.writeHead(200, { etag: tag }).end();
  else xml(response, `<CompleteMultipartUploadResult><ETag>${tag}</ETag></CompleteMultipartUploadResult>`);
}

function list(store: ScriptedStore, query: URLSearchParams, response: ServerResponse): void {
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const keys = [...store.listed()].filter((key) => key.startsWith(prefix) && key > after).sort();
  const page = keys.slice(0, 3);
  const more = page.length < keys.length;
  const contents = page.map(
    (key) =>
      `<Contents><Key>${key}</Key><Size>${store.objects.get(key)?.byteLength ?? 0}</Size><LastModified>2026-11-27T00:00:00.000Z</LastModified></Contents>`,
  );
  xml(
    response,
    `<ListBucketResult><IsTruncated>${more}</IsTruncated>${contents.join('')}${more ? `<NextContinuationToken>${page.at(-1) ?? ''}</NextContinuationToken>` : ''}</ListBucketResult>`,
  );
}

function xml(response: ServerResponse, body: string): void {
  response.writeHead(200, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

/** The store asks for none; the SDK sends no request without. For the tests of the file that calls it. */
export function useStoreCredentials(): void {
  const former = { ...process.env };
  beforeAll(() => {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' });
  });

  afterAll(() => {
    for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'])
      if (former[name] === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = former[name];
  });
}
