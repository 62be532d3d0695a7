import type { KubernetesGateway } from '../../../clients/kubernetes/gateway.ts';
import { isExpired, type ObjectPage } from '../../../clients/kubernetes/list.ts';
import type { Missing } from '../../../contracts/backup-manifest.ts';
import type { BackupPolicy } from '../../../contracts/backup-policy.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { reasonWithout } from '../../../domain/backups/exclusions.ts';
import { missingFor } from './missing.ts';

/** One kind that a backup reads. */
export interface SnapshotKind {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  /** Objects that the server counted; some of them may be left out. */
  estimate: number;
  /** Served by somebody else: it has versions of its own. */
  aggregated: boolean;
  /** It has no status subresource: `status` is a field like others, and the stored form keeps it. */
  statusIsData?: true;
  /** Of a cluster-scoped kind: only these. Absent: all of the namespace. */
  names?: string[];
}

/** What is backed up. */
export interface Asked {
  namespace: string;
  exclude: BackupPolicy['exclude'];
}

/** Some objects of a kind, or a turn in reading them. */
export type KindItem =
  | { objects: KubernetesObject[]; resourceVersion: string; consistency: 'snapshot' | 'own' }
  /** The version that was read is gone: throw away what came of this kind, it comes again at a newer one. */
  | { restart: true }
  /** No more of this kind can be read. What came before belongs to the backup; the kind is not complete. */
  | { missing: Missing };

/** A kind whose list expires so often changes faster than it can be read: tried again later, by the activity. */
const restarts = 3;

/** More names than this are picked from the whole list: one request each would take longer. */
const fewNames = 20;

/** Seconds for one page: large pages of a busy server take a while. */
const pageSeconds = 60;

/**
 * All objects of one kind, page by page, without those that are always left out or that the profile excludes. They are
 * as of the snapshot's version; when the server has it no more, or the kind is served by somebody else, as of one of
 * their own. Pages may be empty; each kind has at least one. Reading only: safe to repeat. Objects are handed on with all
 * that they hold, Secrets too: they belong into nothing that is stored unencrypted.
 *
 * @throws {@link KubernetesError} when the API server is in trouble as a whole; the signal's reason.
 */
export async function* readKind(
  gateway: KubernetesGateway,
  snapshot: { resourceVersion: string },
  kind: SnapshotKind,
  { namespace, exclude }: Asked,
  signal: AbortSignal,
): AsyncGenerator<KindItem, void, undefined> {
  for (let attempt = kind.aggregated ? 1 : 0; ; attempt += 1) {
    const consistency = attempt === 0 ? 'snapshot' : 'own';
    const exactly = attempt === 0 ? snapshot.resourceVersion : undefined;
    let yielded = false;
    try {
      for await (const { items, resourceVersion } of pagesOf(gateway, kind, namespace, exactly, signal)) {
        yielded = true;
        const objects = items.filter((object) => reasonWithout(object, exclude) === undefined);
        yield { objects, resourceVersion, consistency };
      }
      return;
    } catch (error) {
      const missing = await missingFor(gateway, kind, error, signal);
      if (missing !== undefined) {
        yield { missing };
        return;
      }
      if (!isExpired(error) || attempt > restarts) throw error;
      if (yielded) yield { restart: true };
    }
  }
}

async function* pagesOf(
  gateway: KubernetesGateway,
  kind: SnapshotKind,
  namespace: string,
  exactly: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<ObjectPage, void, undefined> {
  const query = {
    ...(kind.namespaced ? { namespace } : {}),
    ...(exactly === undefined ? {} : { exactly }),
    timeoutSeconds: pageSeconds,
    signal,
  };
  const { names } = kind;
  if (names === undefined) {
    yield* gateway.bulkPages(kind, query);
  } else if (names.length > fewNames) {
    const wanted = new Set(names);
    for await (const page of gateway.bulkPages(kind, query))
      yield { ...page, items: page.items.filter(({ metadata }) => wanted.has(metadata.name)) };
  } else {
    for (const name of names)
      yield* gateway.bulkPages(kind, { ...query, fieldSelector: `metadata.name=${inSelector(name)}` });
  }
}

/** Names of roles may hold what separates the parts of a selector. */
function inSelector(name: string): string {
  return name.replaceAll(/[\\,=]/g, (character) => `\\${character}`);
}
