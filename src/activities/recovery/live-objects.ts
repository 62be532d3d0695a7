import { setImmediate as breathe } from 'node:timers/promises';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { changeAnnotation } from '../../contracts/names.ts';
import { storedForm } from '../../domain/backups/stored-form.ts';
import { canonicalJson } from '../../domain/plan/canonical-json.ts';
import { kindKey } from '../../domain/recovery/kinds.ts';
import { withoutMark } from '../../domain/recovery/rules/generic.ts';
import { sha256Of } from '../backups/seal.ts';

/** What a plan remembers of an object that exists: of 50,000 of them nothing more fits into memory. */
interface LiveObject {
  uid: string;
  /** Of its stored form: equal to the one of the index when nothing differs. */
  sha256: string;
  /** Some run wrote it. */
  marked: boolean;
  /** The owners that it names, as `Kind.group/name`. */
  owners: readonly string[];
}

/** Most objects have no owner: they share this. */
const nobody: readonly string[] = [];

/** How an owner is named. */
export function ownerKey(owner: { apiVersion: string; kind: string; name: string }): string {
  return `${kindKey(owner)}/${owner.name}`;
}

/** A kind as a backup names it. */
interface BackedUpKind {
  apiVersion: string;
  kind: string;
  namespaced: boolean;
  /** Of a cluster-scoped kind: only these are looked for. */
  names: string[];
}

/** The kinds of those entries, each once; the namespace itself by the name that it has in the cluster. */
export function kindsOf(entries: Iterable<IndexEntry>, from: string, into: string): Iterable<BackedUpKind> {
  const kinds = new Map<string, BackedUpKind>();
  for (const { apiVersion, kind, namespace, name } of entries) {
    const key = kindKey({ apiVersion, kind });
    const known = kinds.get(key) ?? { apiVersion, kind, namespaced: namespace !== undefined, names: [] };
    const isItself = key === 'Namespace' && name === from;
    if (namespace === undefined) known.names.push(isItself ? into : name);
    kinds.set(key, known);
  }
  return kinds.values();
}

/** What exists of the kinds of a backup. */
export class LiveObjects {
  readonly #objects = new Map<string, LiveObject>();
  readonly #unserved = new Set<string>();

  /** Lists each kind page by page. @throws KubernetesError, but for a kind that the server does not have */
  async read(
    gateway: KubernetesGateway,
    namespace: string,
    kinds: Iterable<BackedUpKind>,
    signal: AbortSignal,
  ): Promise<void> {
    for (const { apiVersion, kind, namespaced, names } of kinds) {
      try {
        if (namespaced) {
          const query = { apiVersion, kind, namespace, signal };
          for await (const { items } of gateway.listPages(query)) {
            for (const item of items) this.#add(item);
            await breathe();
          }
        } else {
          for (const name of names) await this.#readOne(gateway, { apiVersion, kind, name }, signal);
        }
      } catch (error) {
        if (!isUnknownKind(error)) throw error;
        this.#unserved.add(kindKey({ apiVersion, kind }));
      }
    }
  }

  find(object: { apiVersion: string; kind: string; name: string }): LiveObject | undefined {
    return this.#objects.get(keyOf(object, object.name));
  }

  isServed(kind: { apiVersion: string; kind: string }): boolean {
    return !this.#unserved.has(kindKey(kind));
  }

  async #readOne(
    gateway: KubernetesGateway,
    ref: { apiVersion: string; kind: string; name: string },
    signal: AbortSignal,
  ): Promise<void> {
    const found = await getOrNothing(gateway, { ...ref, namespace: '' }, signal);
    if (found !== undefined) this.#add(found);
  }

  #add(object: KubernetesObject): void {
    const { uid = '', name, annotations, deletionTimestamp, ownerReferences } = object.metadata;
    this.#objects.set(keyOf(object, name), {
      uid,
      // What is being deleted is like nothing that stays.
      sha256: deletionTimestamp === undefined ? storedHash(object) : '',
      marked: annotations?.[changeAnnotation] !== undefined,
      owners: ownerReferences?.map(ownerKey) ?? nobody,
    });
  }
}

/** SHA-256 of an object as a backup stores it, without what a recovery wrote beside. */
export function storedHash(object: KubernetesObject): string {
  return sha256Of(canonicalJson(storedForm(withoutMark(object)).stored));
}

/** An object, or undefined when it does not exist. @throws KubernetesError */
export async function getOrNothing(
  gateway: KubernetesGateway,
  ref: Parameters<KubernetesGateway['get']>[0],
  signal: AbortSignal,
): Promise<KubernetesObject | undefined> {
  try {
    return await gateway.get(ref, { signal });
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 404 && !isUnknownKind(error)) return undefined;
    throw error;
  }
}

function isUnknownKind(error: unknown): boolean {
  return (
    error instanceof KubernetesError &&
    error.status === 404 &&
    // A kind that was known a moment ago: its list is gone, while an empty namespace has an empty one.
    (error.reason === 'UnknownKind' || /^(DISCOVER|LIST) /.test(error.operation))
  );
}

function keyOf(kind: { apiVersion: string; kind: string }, name: string): string {
  return `${kindKey(kind)}/${name}`;
}
