import { z } from 'zod';
import { KubernetesError } from '../../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../clients/kubernetes/gateway.ts';
import { isExpired, type ObjectPage } from '../../../clients/kubernetes/list.ts';
import type { ServedApis, ServedResource } from '../../../clients/kubernetes/served-apis.ts';
import type { Missing } from '../../../contracts/backup-manifest.ts';
import { groupOf } from '../../../domain/backups/archive-path.ts';
import { leavesOutGroup, reasonWithoutKind } from '../../../domain/backups/exclusions.ts';
import { isBuiltIn, kindsToRead } from '../../../domain/backups/kinds.ts';
import { findClusterScoped } from './cluster-scoped.ts';
import { inParallel } from './in-parallel.ts';
import { missingFor } from './missing.ts';
import { readKind, type Asked, type SnapshotKind } from './read-kind.ts';

export { readKind, type Asked, type SnapshotKind, type KindItem } from './read-kind.ts';

/** What there is to back up, at one moment. Small enough for a history: some hundred bytes a kind. */
export interface Snapshot {
  /** The state that every kind is read at. */
  resourceVersion: string;
  /** Of Kubernetes. */
  serverVersion: string;
  /** Those with objects, the namespace itself first. */
  kinds: SnapshotKind[];
  /** What should be in the backup and cannot be. */
  missing: Missing[];
  /** Keys of the backup that are to be made anew, in a sentence each. */
  expiring?: string[];
}

/**
 * Finds what there is to back up of a namespace: every kind that the API server has, each in its preferred version,
 * with its number of objects; and the objects of the cluster that those in the namespace need. What cannot be read is
 * told as missing. Values of Secrets and ConfigMaps are not read here. Reading only: safe to repeat.
 *
 * @throws {@link KubernetesError} when the API server is in trouble as a whole, there is no such namespace (404), or
 * nothing at all may be listed (403); the signal's reason.
 */
export async function takeSnapshot(
  gateway: KubernetesGateway,
  asked: Asked,
  signal: AbortSignal,
): Promise<Snapshot> {
  const apis = await gateway.servedApis({ signal });
  const served = kindsToRead(apis.resources);
  const [{ resourceVersion, missing: withoutNamespace }, aggregated, serverVersion] = await Promise.all([
    findMoment(gateway, served, asked, signal),
    aggregatedVersions(gateway, served, signal),
    versionOf(gateway, signal),
  ]);
  const kinds = served
    .filter(
      ({ apiVersion, kind }) => reasonWithoutKind(groupOf(apiVersion), kind, asked.exclude) === undefined,
    )
    .map((one) => toKind(one, aggregated));
  const counted = await count(gateway, resourceVersion, kinds, asked, signal);
  const cluster = await findClusterScoped({
    namespace: asked.namespace,
    namespaced: counted.kinds,
    cluster: kinds.filter(({ namespaced }) => !namespaced),
    read: (kind) => readKind(gateway, { resourceVersion }, kind, asked, signal),
  });
  // In the order of their names, not of the answers.
  const found = [...counted.missing, ...cluster.missing].sort((one, other) =>
    one.what < other.what ? -1 : 1,
  );
  const missing = [...withoutNamespace, ...unavailable(apis, asked), ...found];
  return {
    resourceVersion,
    serverVersion,
    kinds: [...cluster.kinds, ...counted.kinds],
    missing: [...new Map(missing.map((one) => [one.what, one])).values()],
  };
}

/** Groups that nobody answers for, but those of which nothing would be kept. */
function unavailable(apis: ServedApis, { exclude }: Asked): Missing[] {
  return apis.unavailable
    .filter(({ apiVersion }) => !leavesOutGroup(groupOf(apiVersion), exclude))
    .map(({ apiVersion, why }) => ({ what: apiVersion, why }));
}

/** The moment of the backup: the version of the first list. Normally that of the namespace itself. */
async function findMoment(
  gateway: KubernetesGateway,
  served: ServedResource[],
  { namespace }: Asked,
  signal: AbortSignal,
): Promise<{ resourceVersion: string; missing: Missing[] }> {
  const own = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false };
  const query = { limit: 1, metadataOnly: true, signal };
  try {
    const fieldSelector = `metadata.name=${namespace}`;
    const page = await firstPage(gateway.bulkPages(own, { ...query, fieldSelector }));
    return { resourceVersion: page.resourceVersion, missing: namespaceFaults(namespace, page) };
  } catch (error) {
    if (!isForbidden(error)) throw error;
    const missing = await missingFor(gateway, own, error, signal);
    // Any kind tells the same version.
    for (const kind of served.filter((one) => one.namespaced && isBuiltIn(groupOf(one.apiVersion)))) {
      const version = await firstPage(gateway.bulkPages(kind, { ...query, namespace })).then(
        (page) => page.resourceVersion,
        (fault: unknown) => {
          if (!isForbidden(fault)) throw fault;
        },
      );
      if (version !== undefined)
        return { resourceVersion: version, missing: missing === undefined ? [] : [missing] };
    }
    throw error;
  }
}

function namespaceFaults(namespace: string, { items: [object] }: ObjectPage): Missing[] {
  if (object === undefined)
    throw new KubernetesError({
      operation: `GET namespaces ${namespace}`,
      status: 404,
      reason: 'NotFound',
      retryable: false,
    });
  if (object.metadata.deletionTimestamp === undefined) return [];
  return [{ what: `namespace ${namespace}`, why: 'it is being deleted, and with it everything in it' }];
}

function isForbidden(error: unknown): boolean {
  return error instanceof KubernetesError && error.status === 403;
}

async function firstPage(pages: AsyncIterable<ObjectPage>): Promise<ObjectPage> {
  for await (const page of pages) return page;
  throw new Error('a list has at least one page');
}

const apiServiceSchema = z.object({
  spec: z.object({ group: z.string().default(''), version: z.string(), service: z.object({}).nullish() }),
});

/** Versions behind which a server of somebody else stands; undefined when that cannot be read. */
async function aggregatedVersions(
  gateway: KubernetesGateway,
  served: ServedResource[],
  signal: AbortSignal,
): Promise<Set<string> | undefined> {
  const kind = served.find((one) => one.kind === 'APIService');
  if (kind === undefined) return undefined;
  const versions = new Set<string>();
  try {
    for await (const { items } of gateway.bulkPages(kind, { signal }))
      for (const { spec } of items.map((item) => apiServiceSchema.parse(item)))
        if (spec.service) versions.add(`${spec.group}/${spec.version}`);
    return versions;
  } catch (error) {
    if (isForbidden(error)) return undefined;
    throw error;
  }
}

/** Where it cannot be known, a kind that is not of Kubernetes itself counts as somebody else's. */
function toKind(
  { apiVersion, kind, plural, namespaced, hasStatus }: ServedResource,
  aggregated: Set<string> | undefined,
): SnapshotKind {
  return {
    apiVersion,
    kind,
    plural,
    namespaced,
    estimate: 0,
    aggregated: aggregated?.has(apiVersion) ?? !isBuiltIn(groupOf(apiVersion)),
    ...(hasStatus ? {} : { statusIsData: true as const }),
  };
}

/** The namespaced kinds that have objects, with their number. */
async function count(
  gateway: KubernetesGateway,
  resourceVersion: string,
  kinds: SnapshotKind[],
  { namespace }: Asked,
  signal: AbortSignal,
): Promise<{ kinds: SnapshotKind[]; missing: Missing[] }> {
  const missing: Missing[] = [];
  const counted = await inParallel(
    kinds.filter(({ namespaced }) => namespaced),
    async (kind) => {
      try {
        return { ...kind, estimate: await countOne(gateway, resourceVersion, kind, namespace, signal) };
      } catch (error) {
        const fault = await missingFor(gateway, kind, error, signal);
        if (fault === undefined) throw error;
        missing.push(fault);
        return { ...kind, estimate: 0 };
      }
    },
  );
  return { kinds: counted.filter(({ estimate }) => estimate > 0), missing };
}

async function countOne(
  gateway: KubernetesGateway,
  resourceVersion: string,
  kind: SnapshotKind,
  namespace: string,
  signal: AbortSignal,
): Promise<number> {
  const query = { namespace, limit: 1, metadataOnly: true, signal };
  const exactly = kind.aggregated ? {} : { exactly: resourceVersion };
  const { items, remaining = 0 } = await firstPage(gateway.bulkPages(kind, { ...query, ...exactly })).catch(
    (error: unknown) => {
      if (!isExpired(error)) throw error;
      return firstPage(gateway.bulkPages(kind, query));
    },
  );
  return items.length + remaining;
}

const versionSchema = z.object({ gitVersion: z.string().max(100) });

/** For people only: without it a backup is as good. */
async function versionOf(gateway: KubernetesGateway, signal: AbortSignal): Promise<string> {
  try {
    return versionSchema.parse(JSON.parse((await gateway.raw('GET', '/version', { signal })).text))
      .gitVersion;
  } catch (error) {
    if (error instanceof KubernetesError && error.status === undefined) throw error;
    return 'unknown';
  }
}
