import type { Missing } from '../../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { groupOf, kindName } from '../../../domain/backups/archive-path.ts';
import {
  addAggregatedRoles,
  addNeeds,
  kindKey,
  kindsThatNameNamespaces,
  namesNamespace,
  noNeeds,
  roleFact,
  type ClusterNeeds,
  type RoleFact,
} from '../../../domain/backups/cluster-scoped-needs.ts';
import { isBuiltIn } from '../../../domain/backups/kinds.ts';
import { inParallel } from './in-parallel.ts';
import type { KindItem, SnapshotKind } from './read-kind.ts';

/** What to look through, and how to read it. */
interface Search {
  namespace: string;
  /** Namespaced kinds that have objects. */
  namespaced: SnapshotKind[];
  /** Every cluster-scoped kind that a backup may hold. */
  cluster: SnapshotKind[];
  read: (kind: SnapshotKind) => AsyncIterable<KindItem>;
}

interface Found {
  kinds: SnapshotKind[];
  missing: Missing[];
}

/** Bytes that someone stored, and nothing that Kubernetes would follow: they name no object of the cluster. */
const kindsWithoutReferences = new Set(['/ConfigMap', '/Secret']);

/** A class that names a class that names a class: nobody does, and this ends it. */
const rounds = 5;

/** The cluster-scoped objects that a namespace needs, by kind and name; only those that exist. */
export async function findClusterScoped(search: Search): Promise<Found> {
  const looking = new Looking(search);
  await looking.throughAll();
  await looking.forNamed();
  await looking.forDefinitions();
  return looking.found();
}

class Looking {
  readonly #search: Search;
  readonly #needs: ClusterNeeds;
  readonly #kinds: Map<string, SnapshotKind>;
  readonly #names = new Map<string, Set<string>>();
  readonly #missing: Missing[] = [];

  constructor(search: Search) {
    this.#search = search;
    this.#needs = noNeeds(search.namespace, search.cluster);
    this.#kinds = new Map(search.cluster.map((kind) => [kindKey(kind.apiVersion, kind.kind), kind]));
  }

  /** In an order that does not follow from which answer came first: the namespace, then as the server has them. */
  found(): Found {
    const order = ['/Namespace', ...this.#kinds.keys()];
    const kinds = [...new Set(order)].flatMap((key) => {
      const [kind, names] = [this.#kinds.get(key), this.#names.get(key)];
      if (kind === undefined || names === undefined) return [];
      return [{ ...kind, estimate: names.size, names: [...names].sort() }];
    });
    return { kinds, missing: this.#missing };
  }

  /** Everything in the namespace, and what names the namespace. */
  async throughAll(): Promise<void> {
    const referring = this.#search.namespaced.filter(
      ({ apiVersion, kind }) => !kindsWithoutReferences.has(kindKey(apiVersion, kind)),
    );
    await inParallel(
      [
        () => this.#keep('/Namespace', [this.#search.namespace]),
        ...kindsThatNameNamespaces.map((key) => () => this.#thatNameIt(key)),
        ...referring.map((kind) => () => this.#named(kind)),
      ],
      (look) => look(),
    );
  }

  async #named(kind: SnapshotKind): Promise<void> {
    for await (const object of this.#objects(kind)) addNeeds(this.#needs, object);
  }

  async #thatNameIt(key: string): Promise<void> {
    const kind = this.#kinds.get(key);
    if (kind === undefined) return;
    for await (const object of this.#objects(kind))
      if (namesNamespace(this.#needs, object)) this.#add(key, object);
  }

  /** What was named, what that names, and so on. */
  async forNamed(): Promise<void> {
    await this.#addAggregatedRoles();
    const asked = new Map<string, number>();
    for (let round = 0; round < rounds; round += 1) {
      const fresh = [...this.#needs.named].filter(([key, names]) => asked.get(key) !== names.size);
      for (const [key, names] of fresh) {
        asked.set(key, names.size);
        await this.#keep(key, [...names]);
      }
    }
  }

  /** Definitions of every custom kind that is in the backup; a kind with a server of its own has none. */
  async forDefinitions(): Promise<void> {
    const custom = [...this.#search.namespaced, ...this.found().kinds].filter(
      ({ apiVersion }) => !isBuiltIn(groupOf(apiVersion)),
    );
    if (custom.length > 0)
      await this.#keep('apiextensions.k8s.io/CustomResourceDefinition', custom.map(kindName));
  }

  async #addAggregatedRoles(): Promise<void> {
    const key = 'rbac.authorization.k8s.io/ClusterRole';
    const kind = this.#kinds.get(key);
    if (kind === undefined || !this.#needs.named.has(key)) return;
    const roles: RoleFact[] = [];
    for await (const object of this.#objects(kind)) roles.push(roleFact(object));
    addAggregatedRoles(this.#needs, roles);
  }

  async #keep(key: string, names: string[]): Promise<void> {
    const kind = this.#kinds.get(key);
    if (kind === undefined) return;
    for await (const object of this.#objects({ ...kind, names })) this.#add(key, object);
  }

  #add(key: string, object: KubernetesObject): void {
    const names = this.#names.get(key) ?? new Set();
    this.#names.set(key, names.add(object.metadata.name));
    addNeeds(this.#needs, object);
  }

  /** A restart only shows objects again, which does no harm here. */
  async *#objects(kind: SnapshotKind): AsyncGenerator<KubernetesObject> {
    for await (const item of this.#search.read(kind)) {
      if ('missing' in item) this.#missing.push(item.missing);
      if ('objects' in item) yield* item.objects;
    }
  }
}
