import type { KubernetesObject } from '../../contracts/kubernetes.ts';

/** File systems take 255 bytes for the name of a file, and names of objects have up to 253. */
const longestName = 200;

/**
 * The place of an object in the archive: `deployments.apps/web.json`, `configmaps/settings.json`,
 * `cluster/clusterroles.rbac.authorization.k8s.io/viewer.json`. Two objects never share one, and none leaves its
 * folder: whatever is odd in a name is percent-encoded, and a long name goes on in a folder.
 */
export function archivePath(
  kind: { plural: string; apiVersion: string; namespaced: boolean },
  object: Pick<KubernetesObject, 'metadata'>,
): string {
  const folder = kind.namespaced ? kindName(kind) : `cluster/${kindName(kind)}`;
  return `${folder}/${fileName(encodeURIComponent(object.metadata.name))}.json`;
}

/** How people and tools write a kind: `deployments.apps`, `configmaps`. */
export function kindName({ plural, apiVersion }: { plural: string; apiVersion: string }): string {
  const group = groupOf(apiVersion);
  return group === '' ? plural : `${plural}.${group}`;
}

/** The API group of an apiVersion, empty for the core group. */
export function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}

/** A plus sign marks the folder: no encoded name holds one. */
function fileName(encoded: string): string {
  if (encoded.length <= longestName) return encoded;
  return `${encoded.slice(0, longestName)}+/${fileName(encoded.slice(longestName))}`;
}
