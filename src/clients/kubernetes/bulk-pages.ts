import type { CallOptions } from './deadline.ts';
import { invalidResponse } from './errors.ts';
import { selectorQuery, toPage, type ListQuery, type ObjectPage } from './list.ts';
import { collectionPath, describe, type ApiResource } from './resource-path.ts';
import { bodyError, type Transport } from './transport.ts';

/** Which objects of a kind that discovery named, and as of when. */
export interface PagesQuery extends Pick<ListQuery, 'namespace' | 'labelSelector' | 'fieldSelector'> {
  /** Exactly the state of this version. Without it the newest; then all pages are of one version, too. */
  exactly?: string;
  /** At most so many objects a page; without it what fits into {@link PAGE_BYTES}. */
  limit?: number;
  /** Only `metadata`: what objects hold stays on the server, where it can do that. */
  metadataOnly?: boolean;
}

/** So large a page is parsed in some ten milliseconds, and a worker holds several of them. */
const PAGE_BYTES = 2 * 1024 * 1024;

/** Pages that may wait for whoever reads them: he is slow at times, and the server should not be idle then. */
const PAGES_AHEAD = 2;

/** A page that turns out larger is not read to its end but asked for again with fewer objects. */
const LONGEST_PAGE_BYTES = 32 * 1024 * 1024;

/** What the first page may hold: nobody knows yet how large the objects are, and each may have a mebibyte and a half. */
const FIRST_LIMIT = 25;
const LARGEST_LIMIT = 500;
/** Objects of one kind may be small at first and large later. */
const LARGEST_STEP = 4;

/** The second choice is for aggregated servers that cannot do it. */
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

/** Runs one request under a deadline. */
type Call = <T>(
  operation: string,
  options: CallOptions,
  work: (signal: AbortSignal) => Promise<T>,
) => Promise<T>;

/**
 * Reads a whole kind page by page, with pages as large as the size of the objects allows. Unless the caller limits them,
 * some are read ahead.
 *
 * @throws {@link KubernetesError} with status 410 when the server no longer has that state.
 */
export async function* bulkPages(
  transport: Transport,
  call: Call,
  resource: ApiResource,
  query: PagesQuery & CallOptions,
): AsyncGenerator<ObjectPage, void, undefined> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(query.signal === undefined ? [] : [query.signal])]);
  const pages = pagesInTurn(transport, call, resource, { ...query, signal });
  // Whoever limits pages may want one only.
  if (query.limit !== undefined) {
    yield* pages;
    return;
  }
  try {
    yield* readAhead(pages, PAGES_AHEAD);
  } finally {
    stop.abort();
  }
}

/** A generator works off what it is asked for in turn, whether or not somebody waits for it. */
async function* readAhead<T>(
  source: AsyncGenerator<T, void, undefined>,
  most: number,
): AsyncGenerator<T, void, undefined> {
  const next = (): Promise<IteratorResult<T, void>> => {
    const asked = source.next();
    // An error is met when its item is wanted.
    asked.catch(() => undefined);
    return asked;
  };
  const asked = Array.from({ length: most }, next);
  for (let first = asked.shift(); first !== undefined; first = asked.shift()) {
    const { done, value } = await first;
    if (done === true) return;
    asked.push(next());
    yield value;
  }
}

async function* pagesInTurn(
  transport: Transport,
  call: Call,
  resource: ApiResource,
  query: PagesQuery & CallOptions,
): AsyncGenerator<ObjectPage, void, undefined> {
  const operation = describe('LIST', resource, query.namespace ?? '');
  const path = collectionPath(operation, resource, query.namespace);
  let limit = query.limit ?? FIRST_LIMIT;
  let continueToken: string | undefined;
  for (;;) {
    const parameters = parametersFor(query, limit, continueToken);
    const text = await call(operation, query, (signal) =>
      readBounded(transport, { operation, path, query: parameters, signal }, query.metadataOnly ?? false),
    );
    if (text === undefined) {
      if (limit === 1) throw invalidResponse(operation, 'one object alone is too large');
      limit = Math.max(1, Math.floor(limit / 8));
      continue;
    }
    const page = toPage(operation, resource, text);
    ({ continueToken } = page);
    limit = query.limit ?? nextLimit(limit, text.length, page.items.length);
    yield page;
    if (continueToken === undefined) return;
  }
}

/** A continued list has its version in the token, and refuses to be told one. */
function parametersFor(query: PagesQuery, limit: number, continueToken: string | undefined): URLSearchParams {
  const parameters = selectorQuery({ apiVersion: '', kind: '', ...query });
  parameters.set('limit', String(limit));
  if (continueToken !== undefined) {
    parameters.set('continue', continueToken);
  } else if (query.exactly !== undefined) {
    parameters.set('resourceVersion', query.exactly);
    parameters.set('resourceVersionMatch', 'Exact');
  }
  return parameters;
}

function nextLimit(limit: number, bytes: number, objects: number): number {
  const fitting = Math.floor(PAGE_BYTES / (bytes / Math.max(1, objects)));
  return Math.max(1, Math.min(fitting, limit * LARGEST_STEP, LARGEST_LIMIT));
}

/** The body of an answer; undefined when it is longer than a page may be. */
async function readBounded(
  transport: Transport,
  request: { operation: string; path: string; query: URLSearchParams; signal: AbortSignal },
  metadataOnly: boolean,
): Promise<string | undefined> {
  const { body } = await transport.open({
    ...request,
    method: 'GET',
    ...(metadataOnly ? { accept: METADATA_LIST } : {}),
  });
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > LONGEST_PAGE_BYTES) return undefined;
    }
  } catch (error) {
    throw bodyError(request.operation, request.signal, error);
  }
  return Buffer.concat(chunks).toString('utf8');
}
