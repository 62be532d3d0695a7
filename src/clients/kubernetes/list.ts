import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { KubernetesError, invalidInput, invalidResponse } from './errors.ts';
import { metadataOf, parseAnswer, toObject } from './objects.ts';
import type { ApiResource } from './resource-path.ts';
import { collectionPath } from './resource-path.ts';
import type { Transport } from './transport.ts';

/** Which objects: all of a kind, narrowed by namespace and selectors. */
export interface ListQuery {
  apiVersion: string;
  kind: string;
  /** Without it (or empty): all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** Objects per request, 500 if not given: more blocks the event loop while parsing. */
  pageSize?: number;
}

/** A complete list, as of one resourceVersion. */
export interface ObjectList {
  items: KubernetesObject[];
  resourceVersion: string;
}

/** One page; `resourceVersion` is the same for all pages of a list. */
export interface ObjectPage extends ObjectList {
  /** Where the next page begins; missing on the last. */
  continueToken?: string;
  /** Objects after this page, where the server says it. */
  remaining?: number;
}

/** A list that keeps expiring is larger than the server's history: retrying at once does not help. */
const RESTARTS = 3;

const DEFAULT_PAGE_SIZE = 500;

/** Reads one page. @throws {@link KubernetesError} with status 410 when `continueToken` has expired. */
export async function readPage(
  transport: Transport,
  resource: ApiResource,
  query: ListQuery,
  page: { operation: string; continueToken?: string | undefined; signal: AbortSignal },
): Promise<ObjectPage> {
  const { operation, signal, continueToken } = page;
  const parameters = selectorQuery(query);
  parameters.set('limit', String(pageSize(operation, query)));
  if (continueToken !== undefined) parameters.set('continue', continueToken);
  const path = collectionPath(operation, resource, query.namespace);
  const { text } = await transport.text({ method: 'GET', path, query: parameters, operation, signal });
  return toPage(operation, resource, text);
}

/** Reads all pages; starts again when the list expires in the middle, at most {@link RESTARTS} times. */
export async function readList(
  readNext: (continueToken: string | undefined) => Promise<ObjectPage>,
): Promise<ObjectList> {
  for (let restarts = 0; ; restarts += 1) {
    try {
      return await readAllPages(readNext);
    } catch (error) {
      if (!isExpired(error) || restarts === RESTARTS) throw error;
    }
  }
}

/** Whether the server no longer has the state that was asked for (410). */
export function isExpired(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 410;
}

/** The selectors as query parameters; encoding keeps whatever they hold inside its parameter. */
export function selectorQuery({ labelSelector, fieldSelector }: ListQuery): URLSearchParams {
  const parameters = new URLSearchParams();
  if (labelSelector !== undefined) parameters.set('labelSelector', labelSelector);
  if (fieldSelector !== undefined) parameters.set('fieldSelector', fieldSelector);
  return parameters;
}

async function readAllPages(
  readNext: (continueToken: string | undefined) => Promise<ObjectPage>,
): Promise<ObjectList> {
  const items: KubernetesObject[] = [];
  let page = await readNext(undefined);
  items.push(...page.items);
  while (page.continueToken !== undefined) {
    page = await readNext(page.continueToken);
    items.push(...page.items);
  }
  return { items, resourceVersion: page.resourceVersion };
}

function pageSize(operation: string, { pageSize = DEFAULT_PAGE_SIZE }: ListQuery): number {
  if (Number.isInteger(pageSize) && pageSize >= 1) return pageSize;
  throw invalidInput(operation, 'pageSize must be a whole number of at least 1');
}

/** Reads the answer to a list. @throws {@link KubernetesError} `InvalidResponse` */
export function toPage(operation: string, resource: ApiResource, text: string): ObjectPage {
  const answer = parseAnswer(operation, text);
  const { items } = answer;
  const metadata = metadataOf(answer);
  const resourceVersion = metadata['resourceVersion'];
  const continueToken = metadata['continue'];
  const remaining = metadata['remainingItemCount'];
  // An empty list of custom resources may come as null.
  if (!(Array.isArray(items) || items === null) || typeof resourceVersion !== 'string') {
    throw invalidResponse(operation, 'the answer is not a list');
  }
  return {
    items: (items ?? []).map((item) => toObject(operation, item, resource)),
    resourceVersion,
    ...(typeof continueToken === 'string' && continueToken !== '' ? { continueToken } : {}),
    ...(typeof remaining === 'number' ? { remaining } : {}),
  };
}
