/** Names a kind whatever its version: `Deployment.apps`, `Service`. */
export function kindKey({ apiVersion, kind }: { apiVersion: string; kind: string }): string {
  const group = groupName(apiVersion);
  return group === '' ? kind : `${kind}.${group}`;
}

/** The API group of an apiVersion; empty for the core group. */
export function groupName(apiVersion: string): string {
  return apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : '';
}
