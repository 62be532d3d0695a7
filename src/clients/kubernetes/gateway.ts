import type { Duplex } from 'node:stream';
import type { JsonPatchOperation, KubernetesObject, ObjectRef } from '../../contracts/kubernetes.ts';
import { bulkPages, type PagesQuery } from './bulk-pages.ts';
import { Credentials } from './credentials.ts';
import { linkSignals, withDeadline, type CallOptions } from './deadline.ts';
import { Discovery } from './discovery.ts';
import { KubernetesError } from './errors.ts';
import {
  readList,
  readPage,
  selectorQuery,
  type ListQuery,
  type ObjectList,
  type ObjectPage,
} from './list.ts';
import type { CredentialSource } from './kubeconfig.ts';
import { stringifyLossless } from './lossless-json.ts';
import { parseAnswer, toObject, type ObjectType } from './objects.ts';
import { exec, type ExecOptions, type ExecResult, type PodCommand } from './pod-exec.ts';
import { readPodLog, type PodLog } from './pod-log.ts';
import { endOnAbort, openPortForward, type PodPort } from './pod-port-forward.ts';
import {
  checkNamed,
  checkPod,
  checkRawPath,
  collectionPath,
  describe,
  objectPath,
  requireNamespace,
  type ApiResource,
} from './resource-path.ts';
import { readServedApis, type ServedApis } from './served-apis.ts';
import { Transport, type HttpRequest } from './transport.ts';
import { watch, type WatchEvent, type WatchOptions } from './watch.ts';

/** For writes: who writes, and whether only to try. */
interface WriteOptions extends CallOptions {
  /** Name under which the API server records the written fields. */
  fieldManager: string;
  /** The server does everything except storing. */
  dryRun?: boolean;
}

/** For server-side apply. */
interface ApplyOptions extends WriteOptions {
  /** Take fields over from other managers; otherwise such a field gives 409. */
  force: boolean;
}

/** For deletes. */
interface DeleteOptions extends CallOptions {
  /** Delete exactly this object (and version): anything else gives 409. */
  preconditions: { uid: string; resourceVersion?: string };
  propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
}

/** For requests outside the objects' API. */
interface RawOptions extends CallOptions {
  query?: URLSearchParams;
  body?: { contentType: string; text: string };
}

/**
 * One cluster's API server. Objects are raw JSON: nothing unknown is dropped, large integers keep
 * their digits.
 *
 * Every method throws {@link KubernetesError} (its `retryable` says whether a later attempt can help),
 * or the reason of the caller's own signal. Nothing is retried here, apart from one renewal of
 * credentials after 401 and one repeat of a GET whose kept-alive connection was closed under it.
 */
export interface KubernetesGateway {
  /** The API server's URL, for reports. */
  readonly server: string;
  get(ref: ObjectRef, options?: CallOptions): Promise<KubernetesObject>;
  /** Its metadata only; the rest, such as the values of a Secret, never leaves the server. Annotations do. */
  getMetadata(ref: ObjectRef, options?: CallOptions): Promise<KubernetesObject>;
  /** The complete list; `timeoutSeconds` counts for each page. Starts again when it expires on the way. */
  list(query: ListQuery & CallOptions): Promise<ObjectList>;
  /** Page by page, for bulk readers. @throws {@link KubernetesError} with status 410 when the list expires on the way. */
  listPages(query: ListQuery & CallOptions): AsyncIterable<ObjectPage>;
  /** Every kind that the server has. A group whose server is down is told as unavailable, not thrown. */
  servedApis(options?: CallOptions): Promise<ServedApis>;
  /**
   * For backups: a kind as discovery named it, page by page, each as large as memory allows, at one version.
   * `timeoutSeconds` counts for each page. @throws {@link KubernetesError} with status 410 when that version is gone.
   */
  bulkPages(resource: ApiResource, query: PagesQuery & CallOptions): AsyncIterable<ObjectPage>;
  /** JSON Patch; begin it with a replace of `/metadata/resourceVersion`, so that a stale one gives 409. */
  jsonPatch(
    ref: ObjectRef,
    operations: JsonPatchOperation[],
    options: WriteOptions,
  ): Promise<KubernetesObject>;
  /** Server-side apply of everything that the manager means to own. */
  apply(object: KubernetesObject, options: ApplyOptions): Promise<KubernetesObject>;
  create(object: KubernetesObject, options: WriteOptions): Promise<KubernetesObject>;
  /** Writes the whole object; with `metadata.resourceVersion` a stale one gives 409. */
  replace(object: KubernetesObject, options: WriteOptions): Promise<KubernetesObject>;
  /** Returns when the deletion is accepted; finalizers may still hold the object. */
  delete(ref: ObjectRef, options: DeleteOptions): Promise<void>;
  /** See {@link watch}: `SYNC` first, then changes, without end until the signal aborts or the loop is left. */
  watch(query: ListQuery, options: WatchOptions): AsyncIterable<WatchEvent>;
  /** Runs a command in a container; see {@link ExecResult}. Unlike a GET it may have run although it failed. */
  exec(target: PodCommand, options: ExecOptions): Promise<ExecResult>;
  /**
   * One TCP connection to a port of a pod. The signal ends the stream as long as it lives,
   * `timeoutSeconds` bounds its opening only. Destroy it when done.
   */
  portForward(target: PodPort, options?: CallOptions): Promise<Duplex>;
  /** The log of a container as it comes; see {@link readPodLog}. */
  podLog(log: PodLog, options?: CallOptions): AsyncIterable<Buffer>;
  /** Any other path, e.g. `/version`. `date` is when the server says that it is. */
  raw(
    method: HttpRequest['method'],
    path: string,
    options?: RawOptions,
  ): Promise<{ status: number; date: string | undefined; text: string }>;
  /** Ends everything that still runs and closes all connections. */
  close(): Promise<void>;
}

/** Without a second choice, so that a server that cannot do it answers 406 and not with the whole object. */
const METADATA_ONLY = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

/** @throws {@link KubernetesError} `InvalidInput` when there is no usable kubeconfig. */
export function createKubernetesGateway(source: CredentialSource = {}): KubernetesGateway {
  return new Gateway(new Credentials(source));
}

class Gateway implements KubernetesGateway {
  readonly server: string;
  readonly #transport: Transport;
  readonly #discovery: Discovery;
  readonly #lifetime = new AbortController();

  constructor(credentials: Credentials) {
    this.server = credentials.server;
    this.#transport = new Transport(credentials);
    this.#discovery = new Discovery(this.#transport);
  }

  async get(ref: ObjectRef, options: CallOptions = {}): Promise<KubernetesObject> {
    return await this.#onObject('GET', ref, options, {});
  }

  async getMetadata(ref: ObjectRef, options: CallOptions = {}): Promise<KubernetesObject> {
    return await this.#onObject('GET', ref, options, { accept: METADATA_ONLY });
  }

  async list(query: ListQuery & CallOptions): Promise<ObjectList> {
    return await readList((continueToken) => this.#page(query, query, continueToken));
  }

  async *listPages(query: ListQuery & CallOptions): AsyncGenerator<ObjectPage, void, undefined> {
    let continueToken: string | undefined;
    do {
      const page = await this.#page(query, query, continueToken);
      yield page;
      continueToken = page.continueToken;
    } while (continueToken !== undefined);
  }

  async servedApis(options: CallOptions = {}): Promise<ServedApis> {
    return await this.#call('DISCOVER everything', options, (signal) =>
      readServedApis(this.#transport, signal),
    );
  }

  bulkPages(resource: ApiResource, query: PagesQuery & CallOptions): AsyncIterable<ObjectPage> {
    return bulkPages(this.#transport, (...call) => this.#call(...call), resource, query);
  }

  async jsonPatch(
    ref: ObjectRef,
    operations: JsonPatchOperation[],
    options: WriteOptions,
  ): Promise<KubernetesObject> {
    const body = { contentType: 'application/json-patch+json', text: stringifyLossless(operations) };
    return await this.#onObject('PATCH', ref, options, { query: writeQuery(options), body });
  }

  async apply(object: KubernetesObject, options: ApplyOptions): Promise<KubernetesObject> {
    const query = writeQuery(options);
    query.set('force', String(options.force));
    const body = { contentType: 'application/apply-patch+yaml', text: stringifyLossless(object) };
    return await this.#onObject('PATCH', refOf(object), options, { query, body });
  }

  async create(object: KubernetesObject, options: WriteOptions): Promise<KubernetesObject> {
    const ref = refOf(object);
    return await this.#call(checkNamed('POST', ref), options, async (signal) => {
      const resource = await this.#discovery.find(ref, signal);
      const operation = describe('POST', resource, ref.namespace, ref.name);
      requireNamespace(operation, resource, ref.namespace);
      const path = collectionPath(operation, resource, ref.namespace);
      const content = { query: writeQuery(options), body: jsonBody(object) };
      return await this.#object({ ...content, method: 'POST', path, operation, signal }, resource);
    });
  }

  async replace(object: KubernetesObject, options: WriteOptions): Promise<KubernetesObject> {
    return await this.#onObject('PUT', refOf(object), options, {
      query: writeQuery(options),
      body: jsonBody(object),
    });
  }

  async delete(ref: ObjectRef, options: DeleteOptions): Promise<void> {
    const { preconditions, propagationPolicy } = options;
    const body = jsonBody({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions,
      ...(propagationPolicy === undefined ? {} : { propagationPolicy }),
    });
    await this.#call(checkNamed('DELETE', ref), options, async (signal) => {
      await this.#transport.text((await this.#objectRequest('DELETE', ref, { body }, signal)).request);
    });
  }

  async *watch(query: ListQuery, options: WatchOptions): AsyncGenerator<WatchEvent, void, undefined> {
    const either = new AbortController();
    const unlink = linkSignals([options.signal, this.#lifetime.signal], either);
    try {
      yield* watch(
        {
          list: (signal) => this.list({ ...query, signal }),
          open: (version, signal) => this.#openWatch(query, version, signal),
          operation: checkNamed('WATCH', query),
          type: query,
        },
        { ...options, signal: either.signal },
      );
    } finally {
      unlink();
    }
  }

  async exec(target: PodCommand, options: ExecOptions): Promise<ExecResult> {
    return await this.#call(checkPod('EXEC', target), options, (signal) =>
      exec(this.#transport.credentials, target, options, signal),
    );
  }

  async portForward(target: PodPort, options: CallOptions = {}): Promise<Duplex> {
    const stream = await this.#call(checkPod('FORWARD', target), options, (signal) =>
      openPortForward(this.#transport.credentials, target, signal),
    );
    endOnAbort(stream, [options.signal, this.#lifetime.signal]);
    return stream;
  }

  podLog(log: PodLog, options: CallOptions = {}): AsyncIterable<Buffer> {
    return readPodLog(this.#transport, log, options, this.#lifetime.signal);
  }

  async raw(
    method: HttpRequest['method'],
    path: string,
    { query, body, ...options }: RawOptions = {},
  ): Promise<{ status: number; date: string | undefined; text: string }> {
    checkRawPath(`${method} raw path`, path);
    const operation = `${method} ${path}`;
    return await this.#call(operation, options, (signal) =>
      this.#transport.text({
        method,
        path,
        operation,
        signal,
        ...(query && { query }),
        ...(body && { body }),
      }),
    );
  }

  async close(): Promise<void> {
    this.#lifetime.abort(
      new KubernetesError({ operation: 'use gateway', reason: 'GatewayClosed', retryable: false }),
    );
    await this.#transport.close();
  }

  #call<T>(operation: string, options: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(operation, options, this.#lifetime.signal, work);
  }

  async #onObject(
    method: 'GET' | 'PUT' | 'PATCH',
    ref: ObjectRef,
    options: CallOptions,
    content: RequestContent,
  ): Promise<KubernetesObject> {
    return await this.#call(checkNamed(method, ref), options, async (signal) => {
      const { request, resource } = await this.#objectRequest(method, ref, content, signal);
      return await this.#object(request, resource);
    });
  }

  async #objectRequest(
    method: HttpRequest['method'],
    ref: ObjectRef,
    content: RequestContent,
    signal: AbortSignal,
  ): Promise<{ request: HttpRequest; resource: ApiResource }> {
    const resource = await this.#discovery.find(ref, signal);
    const operation = describe(method, resource, ref.namespace, ref.name);
    const path = objectPath(operation, resource, ref);
    return { request: { ...content, method, path, operation, signal }, resource };
  }

  async #object(request: HttpRequest, type: ObjectType): Promise<KubernetesObject> {
    const { text } = await this.#transport.text(request);
    return toObject(request.operation, parseAnswer(request.operation, text), type);
  }

  #page(query: ListQuery, options: CallOptions, continueToken: string | undefined): Promise<ObjectPage> {
    return this.#call(checkNamed('LIST', query), options, async (signal) => {
      const { resource, operation } = await this.#collection('LIST', query, signal);
      return await readPage(this.#transport, resource, query, { operation, continueToken, signal });
    });
  }

  async #openWatch(
    query: ListQuery,
    resourceVersion: string,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Buffer>> {
    const { operation, path } = await this.#collection('WATCH', query, signal);
    const parameters = selectorQuery(query);
    parameters.set('watch', 'true');
    parameters.set('allowWatchBookmarks', 'true');
    parameters.set('resourceVersion', resourceVersion);
    const { body } = await this.#transport.open({
      method: 'GET',
      path,
      query: parameters,
      operation,
      signal,
    });
    return body as AsyncIterable<Buffer>;
  }

  async #collection(
    verb: string,
    query: ListQuery,
    signal: AbortSignal,
  ): Promise<{ resource: ApiResource; operation: string; path: string }> {
    const resource = await this.#discovery.find(query, signal);
    const operation = describe(verb, resource, query.namespace ?? '');
    return { resource, operation, path: collectionPath(operation, resource, query.namespace) };
  }
}

type RequestContent = Pick<HttpRequest, 'query' | 'body' | 'accept'>;

function refOf({ apiVersion, kind, metadata }: KubernetesObject): ObjectRef {
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace ?? '' };
}

function writeQuery({ fieldManager, dryRun = false }: WriteOptions): URLSearchParams {
  return new URLSearchParams({ fieldManager, ...(dryRun ? { dryRun: 'All' } : {}) });
}

function jsonBody(value: unknown): { contentType: string; text: string } {
  return { contentType: 'application/json', text: stringifyLossless(value) };
}
