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
const PAGE_BYTES = 4 * 1024 * 1024;

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
 * Reads a whole kind page by page, with pages as large as the size of the objects allows.
 *
 * @throws {@link KubernetesError} with status 410 when the server no longer has that state.
 */
export async function* bulkPages(
  transport: Transport,
  call: Call,
  resource: ApiResource,
  query: PagesQuery & CallOptions,
): AsyncGenerator<ObjectPage, void, undefined> {
  const operation = describe('LIST', resource, query.namespace ?? '');
  const path = collectionPath(operation, resource, query.namespace);
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, ...(query.signal === undefined ? [] : [query.signal])]);
  const ask = (limit: number, continueToken: string | undefined): Promise<string | undefined> =>
    call(operation, { ...query, signal }, (bounded) => {
      const parameters = parametersFor(query, limit, continueToken);
      const request = { operation, path, query: parameters, signal: bounded };
      return readBounded(transport, request, query.metadataOnly ?? false);
    });
  let limit = query.limit ?? FIRST_LIMIT;
  let continueToken: string | undefined;
  let asked = ask(limit, continueToken);
  try {
    for (;;) {
      const text = await asked;
      if (text === undefined) {
        if (limit === 1) throw invalidResponse(operation, 'one object alone is too large');
        limit = Math.max(1, Math.floor(limit / 8));
        asked = ask(limit, continueToken);
        continue;
      }
      const page = toPage(operation, resource, text);
      ({ continueToken } = page);
      if (continueToken === undefined) {
        yield page;
        return;
      }
      limit = query.limit ?? nextLimit(limit, text.length, page.items.length);
      // Whoever limits pages may want one only. Everybody else gets the next one while they work on this one.
      if (query.limit === undefined) asked = ask(limit, continueToken);
      // An error is met when its page is wanted.
      asked.catch(() => undefined);
      yield page;
      if (query.limit !== undefined) asked = ask(limit, continueToken);
    }
  } finally {
    stop.abort();
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
