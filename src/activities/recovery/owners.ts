import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { kindKey } from '../../domain/recovery/kinds.ts';

export type OwnerReference = NonNullable<KubernetesObject['metadata']['ownerReferences']>[number];

/** Finds the uids that owners have in this life. */
export class Owners {
  readonly #gateway: KubernetesGateway;
  readonly #namespace: string;
  readonly #signal: AbortSignal;
  readonly #known = new Map<string, Promise<string | undefined>>();

  constructor(gateway: KubernetesGateway, namespace: string, signal: AbortSignal) {
    this.#gateway = gateway;
    this.#namespace = namespace;
    this.#signal = signal;
  }

  /** The owners that exist, with their present uids; the others are not there (yet). */
  async resolve(owners: readonly OwnerReference[]): Promise<OwnerReference[]> {
    const found = await Promise.all(owners.map(async (owner) => ({ owner, uid: await this.#uidOf(owner) })));
    return found.flatMap(({ owner, uid }) => (uid === undefined ? [] : [{ ...owner, uid }]));
  }

  #uidOf(owner: OwnerReference): Promise<string | undefined> {
    const key = `${kindKey(owner)}/${owner.name}`;
    const known = this.#known.get(key) ?? this.#ask(owner);
    this.#known.set(key, known);
    return known;
  }

  async #ask({ apiVersion, kind, name }: OwnerReference): Promise<string | undefined> {
    // An owner lies in the same namespace or in none.
    for (const namespace of [this.#namespace, '']) {
      try {
        const ref = { apiVersion, kind, namespace, name };
        return (await this.#gateway.getMetadata(ref, { signal: this.#signal })).metadata.uid;
      } catch (error) {
        if (!(error instanceof KubernetesError)) throw error;
        if (error.reason === 'InvalidInput') continue;
        if (error.status === 404 || error.status === 403) return undefined;
        throw error;
      }
    }
    return undefined;
  }
}
