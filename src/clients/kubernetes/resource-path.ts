import type { KubernetesError } from './errors.ts';
import { invalidInput } from './errors.ts';

/** One kind as the API server serves it. */
export interface ApiResource {
  apiVersion: string;
  kind: string;
  /** The plural name in paths, e.g. `deployments`. */
  plural: string;
  namespaced: boolean;
}

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Dots between parts; colons because some objects have them (`system:node`). */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9:]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9:]*[a-z0-9])?)*$/;
/** The API server sets no limit of its own; its storage does, somewhere beyond. */
const LONGEST_SEGMENT = 1024;
const API_VERSION =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?v[0-9]+((alpha|beta)[0-9]+)?$/;
const KIND = /^[A-Z][A-Za-z0-9]{0,62}$/;

const PLURAL = /^[a-z0-9][-a-z0-9]*$/;

/** Whether a kind that a server says it serves has names that fit into a path. */
export function isServedName({ apiVersion, kind, plural }: ApiResource): boolean {
  return API_VERSION.test(apiVersion) && KIND.test(kind) && PLURAL.test(plural);
}

/** `/api/v1` or `/apis/<group>/<version>`. @throws {@link KubernetesError} `InvalidInput` */
export function apiRoot(operation: string, apiVersion: string): string {
  check(operation, 'apiVersion', apiVersion, API_VERSION, 'e.g. "v1" or "apps/v1"');
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** What a caller names; an empty or missing namespace means a kind without one, or (for lists) all. */
export interface Named {
  apiVersion: string;
  kind: string;
  namespace?: string;
  name?: string;
}

/**
 * Checks everything that a caller names before any request, and before any of it enters a message.
 * Returns what can be said of the operation until discovery tells the plural: `GET Deployment alecs/web`.
 *
 * @throws {@link KubernetesError} `InvalidInput`
 */
export function checkNamed(verb: string, { apiVersion, kind, namespace = '', name }: Named): string {
  apiRoot(verb, apiVersion);
  check(verb, 'kind', kind, KIND, 'e.g. "Deployment"');
  if (namespace !== '') checkNamespace(verb, namespace);
  if (name !== undefined) checkObjectName(verb, apiVersion, name);
  return `${verb} ${kind}${place(namespace, name)}`;
}

/** The same for what runs in a pod. @throws {@link KubernetesError} `InvalidInput` */
export function checkPod(verb: string, { namespace, pod }: { namespace: string; pod: string }): string {
  checkNamespace(verb, namespace);
  checkName(verb, pod);
  return `${verb} pods${place(namespace, pod)}`;
}

/** The path of all objects of a kind, in one namespace or (without one) in all. @throws {@link KubernetesError} `InvalidInput` */
export function collectionPath(operation: string, resource: ApiResource, namespace = ''): string {
  const root = apiRoot(operation, resource.apiVersion);
  if (namespace === '') return `${root}/${resource.plural}`;
  if (!resource.namespaced) {
    throw invalidInput(operation, `${resource.kind} has no namespace: leave it empty`);
  }
  checkNamespace(operation, namespace);
  return `${root}/namespaces/${namespace}/${resource.plural}`;
}

/** The path of one object. @throws {@link KubernetesError} `InvalidInput` */
export function objectPath(
  operation: string,
  resource: ApiResource,
  { namespace, name }: { namespace: string; name: string },
): string {
  requireNamespace(operation, resource, namespace);
  checkObjectName(operation, resource.apiVersion, name);
  return `${collectionPath(operation, resource, namespace)}/${encodeURIComponent(name)}`;
}

/** @throws {@link KubernetesError} `InvalidInput` when a namespaced kind has no namespace: writes never mean "all". */
export function requireNamespace(operation: string, resource: ApiResource, namespace: string): void {
  if (resource.namespaced && namespace === '') {
    throw invalidInput(operation, `${resource.kind} needs a namespace`);
  }
}

/** @throws {@link KubernetesError} `InvalidInput` */
function checkNamespace(operation: string, namespace: string): void {
  check(operation, 'namespace', namespace, LABEL, 'lower-case letters, digits and hyphens');
}

/**
 * Roles and their bindings are called as people like, in capitals, with blanks, in any script: the API server only asks
 * that a name is one segment of a path (`IsValidPathSegmentName`). @throws {@link KubernetesError} `InvalidInput`
 */
function checkObjectName(operation: string, apiVersion: string, name: string): void {
  if (!apiVersion.startsWith('rbac.authorization.k8s.io/')) checkName(operation, name);
  else if (!isPathSegment(name))
    throw refused(operation, 'name', name, 'one segment of a path, without / and %');
}

function isPathSegment(name: string): boolean {
  return (
    !['', '.', '..'].includes(name) &&
    !/[/%]/.test(name) &&
    name.isWellFormed() &&
    name.length <= LONGEST_SEGMENT
  );
}

/** @throws {@link KubernetesError} `InvalidInput` */
export function checkName(operation: string, name: string): void {
  check(operation, 'name', name, OBJECT_NAME, 'lower-case letters, digits, hyphens and dots');
}

/** The operation of a message: `PATCH deployments.apps alecs/web`. */
export function describe(verb: string, resource: ApiResource, namespace: string, name?: string): string {
  const group = resource.apiVersion.includes('/') ? `.${resource.apiVersion.split('/')[0] ?? ''}` : '';
  return `${verb} ${resource.plural}${group}${place(namespace, name)}`;
}

/** A path that a caller wrote by hand. @throws {@link KubernetesError} `InvalidInput` when it could leave its place. */
export function checkRawPath(operation: string, path: string): void {
  if (/^(\/[A-Za-z0-9_.:-]+)+\/?$/.test(path) && !/\/\.{1,2}(\/|$)/.test(path)) return;
  throw invalidInput(
    operation,
    'the path must be absolute, of plain segments; the query goes into its own option',
  );
}

/** An odd name stands in quotes: it may hold what looks like words of ours, or ends the line. */
function place(namespace: string, name = ''): string {
  const shown = name === '' || OBJECT_NAME.test(name) ? name : JSON.stringify(name.slice(0, 80));
  const parts = [namespace, shown].filter((part) => part !== '');
  return parts.length === 0 ? '' : ` ${parts.join('/')}`;
}

function check(operation: string, what: string, value: unknown, pattern: RegExp, rule: string): void {
  if (typeof value === 'string' && value.length <= 253 && pattern.test(value)) return;
  throw refused(operation, what, value, rule);
}

function refused(operation: string, what: string, value: unknown, rule: string): KubernetesError {
  const shown = typeof value === 'string' ? JSON.stringify(value.slice(0, 80)) : typeof value;
  return invalidInput(operation, `${shown} is not a valid ${what} (${rule})`);
}
