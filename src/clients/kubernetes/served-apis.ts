import type { Json, JsonObject } from '../../contracts/json.ts';
import { KubernetesError, invalidResponse } from './errors.ts';
import { isJsonObject, metadataOf, parseAnswer } from './objects.ts';
import { isServedName, type ApiResource } from './resource-path.ts';
import type { Transport } from './transport.ts';

/** One kind in one version. */
export interface ServedResource extends ApiResource {
  verbs: string[];
  /** Whether `status` is written through a subresource of its own; otherwise it is a field like others. */
  hasStatus: boolean;
}

/** A version of an API group whose kinds the API server could not tell. */
interface UnavailableApi {
  apiVersion: string;
  /** Safe to show. */
  why: string;
}

/** Everything that an API server serves. */
export interface ServedApis {
  /** Each kind of each group in every version; of one group the preferred version comes first. */
  resources: ServedResource[];
  unavailable: UnavailableApi[];
}

/** All groups in one answer (Kubernetes 1.30, beta since 1.27); a server that knows neither answers with plain JSON. */
const AGGREGATED = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');

/**
 * Asks for every kind of every group: in two requests where the server has aggregated discovery, otherwise in one per
 * version. A group whose server is down is told as unavailable.
 *
 * @throws {@link KubernetesError} when the API server itself does not answer.
 */
export async function readServedApis(transport: Transport, signal: AbortSignal): Promise<ServedApis> {
  const parts = await Promise.all(['/api', '/apis'].map((root) => readRoot(transport, root, signal)));
  return {
    resources: parts.flatMap(({ resources }) => resources),
    unavailable: parts.flatMap(({ unavailable }) => unavailable),
  };
}

async function readRoot(transport: Transport, root: string, signal: AbortSignal): Promise<ServedApis> {
  const operation = `DISCOVER ${root}`;
  const { text } = await transport.text({
    method: 'GET',
    path: root,
    accept: AGGREGATED,
    operation,
    signal,
  });
  const answer = parseAnswer(operation, text);
  if (answer.kind === 'APIGroupDiscoveryList') return fromAggregated(operation, answer);
  return await readEachVersion(transport, versionsIn(operation, answer), signal);
}

function fromAggregated(operation: string, answer: JsonObject): ServedApis {
  const served: ServedApis = { resources: [], unavailable: [] };
  for (const group of listIn(operation, answer.items)) {
    const name = textOf(metadataOf(group).name);
    for (const version of listIn(operation, group.versions)) {
      const apiVersion = name === '' ? textOf(version.version) : `${name}/${textOf(version.version)}`;
      // A stale one is what the API server remembers of a server that does not answer.
      if (version.freshness === 'Stale')
        served.unavailable.push({ apiVersion, why: 'the server behind it does not answer' });
      else served.resources.push(...resourcesOfVersion(operation, apiVersion, version.resources));
    }
  }
  return served;
}

function resourcesOfVersion(operation: string, apiVersion: string, list: Json | undefined): ServedResource[] {
  return listIn(operation, list ?? []).flatMap(({ resource, responseKind, scope, verbs, subresources }) => {
    const kind = isJsonObject(responseKind) ? textOf(responseKind.kind) : '';
    const below = listIn(operation, subresources ?? []).map((one) => one.subresource);
    return toResource(apiVersion, {
      plural: textOf(resource),
      kind,
      namespaced: scope === 'Namespaced',
      verbs: textsIn(verbs),
      hasStatus: below.includes('status'),
    });
  });
}

/** Versions as the older answer lists them, each group's preferred one first. */
function versionsIn(operation: string, answer: JsonObject): string[] {
  if (Array.isArray(answer.versions)) return textsIn(answer.versions);
  return listIn(operation, answer.groups).flatMap(({ preferredVersion, versions }) => {
    const preferred = isJsonObject(preferredVersion) ? textOf(preferredVersion.groupVersion) : '';
    const all = listIn(operation, versions).map(({ groupVersion }) => textOf(groupVersion));
    return [...all.filter((one) => one === preferred), ...all.filter((one) => one !== preferred)];
  });
}

async function readEachVersion(
  transport: Transport,
  apiVersions: string[],
  signal: AbortSignal,
): Promise<ServedApis> {
  const parts = await Promise.all(
    apiVersions.map((apiVersion) => readVersion(transport, apiVersion, signal)),
  );
  return {
    resources: parts.flatMap(({ resources }) => resources),
    unavailable: parts.flatMap(({ unavailable }) => unavailable),
  };
}

async function readVersion(
  transport: Transport,
  apiVersion: string,
  signal: AbortSignal,
): Promise<ServedApis> {
  const operation = `DISCOVER ${apiVersion}`;
  const path = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  try {
    const { text } = await transport.text({ method: 'GET', path, operation, signal });
    return {
      resources: resourcesOfList(operation, apiVersion, parseAnswer(operation, text)),
      unavailable: [],
    };
  } catch (error) {
    // Without a status nobody answered at all; with one it is this version alone that is not to be had.
    if (!(error instanceof KubernetesError) || error.status === undefined || error.status === 401)
      throw error;
    return { resources: [], unavailable: [{ apiVersion, why: error.message }] };
  }
}

function resourcesOfList(operation: string, apiVersion: string, answer: JsonObject): ServedResource[] {
  const all = listIn(operation, answer.resources);
  const names = new Set(all.map(({ name }) => name));
  // Entries with a slash are subresources.
  return all
    .filter(({ name }) => !textOf(name).includes('/'))
    .flatMap(({ name, kind, namespaced, verbs }) =>
      toResource(apiVersion, {
        plural: textOf(name),
        kind: textOf(kind),
        namespaced: namespaced === true,
        verbs: textsIn(verbs),
        hasStatus: names.has(`${textOf(name)}/status`),
      }),
    );
}

/** Names that no path can hold belong to nothing that can be read. */
function toResource(apiVersion: string, resource: Omit<ServedResource, 'apiVersion'>): ServedResource[] {
  const served = { apiVersion, ...resource };
  return isServedName(served) ? [served] : [];
}

function listIn(operation: string, value: Json | undefined): JsonObject[] {
  if (!Array.isArray(value)) throw invalidResponse(operation, 'the answer is not a list of APIs');
  return value.filter(isJsonObject);
}

function textsIn(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}
