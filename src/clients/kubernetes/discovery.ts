import type { JsonObject } from '../../contracts/json.ts';
import { KubernetesError, invalidResponse } from './errors.ts';
import { apiRoot, type ApiResource } from './resource-path.ts';
import { isJsonObject, parseAnswer } from './objects.ts';
import type { Transport } from './transport.ts';

/**
 * Asks the API server which kinds it serves and under which plural names: guessing plurals is wrong
 * for custom resources. Answers are kept per apiVersion and asked for once more when a kind is missing,
 * since a CustomResourceDefinition may just have been installed.
 */
export class Discovery {
  readonly #transport: Transport;
  readonly #known = new Map<string, Map<string, ApiResource>>();

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** @throws {@link KubernetesError} `UnknownKind` when the server does not serve this kind. */
  async find(
    { apiVersion, kind }: { apiVersion: string; kind: string },
    signal: AbortSignal,
  ): Promise<ApiResource> {
    const known = this.#known.get(apiVersion)?.get(kind);
    if (known !== undefined) return known;
    const fetched = (await this.#fetch(apiVersion, signal)).get(kind);
    if (fetched !== undefined) return fetched;
    throw unknownKind(apiVersion, kind);
  }

  async #fetch(apiVersion: string, signal: AbortSignal): Promise<Map<string, ApiResource>> {
    const operation = `DISCOVER ${apiVersion}`;
    const path = apiRoot(operation, apiVersion);
    const { text } = await this.#transport.text({ method: 'GET', path, operation, signal });
    const { resources } = parseAnswer(operation, text);
    if (!Array.isArray(resources)) throw invalidResponse(operation, 'the answer has no list of resources');
    const kinds = new Map<string, ApiResource>();
    for (const resource of resources.filter(isJsonObject)) addKind(kinds, apiVersion, resource);
    this.#known.set(apiVersion, kinds);
    return kinds;
  }
}

/** Entries with a slash are subresources (`deployments/scale`) and may repeat the kind. */
function addKind(kinds: Map<string, ApiResource>, apiVersion: string, resource: JsonObject): void {
  const { name, kind, namespaced } = resource;
  if (typeof name !== 'string' || typeof kind !== 'string' || !/^[a-z0-9][-a-z0-9]*$/.test(name)) return;
  kinds.set(kind, { apiVersion, kind, plural: name, namespaced: namespaced === true });
}

function unknownKind(apiVersion: string, kind: string): KubernetesError {
  return new KubernetesError({
    operation: `DISCOVER ${apiVersion}`,
    status: 404,
    reason: 'UnknownKind',
    retryable: false,
    explanation: `the API server serves no kind ${kind} in ${apiVersion}`,
  });
}
