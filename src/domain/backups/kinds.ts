import { groupOf } from './archive-path.ts';

/** One kind in one version, as an API server serves it. */
export interface ServedKind {
  apiVersion: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  verbs: string[];
}

/** Groups that are Kubernetes itself. Names with k8s.io alone do not say so: extensions use them, too. */
const builtInGroups = new Set(
  [
    'admissionregistration',
    'apiextensions',
    'apiregistration',
    'authentication',
    'authorization',
    'certificates',
    'coordination',
    'discovery',
    'events',
    'flowcontrol.apiserver',
    'internal.apiserver',
    'networking',
    'node',
    'rbac.authorization',
    'resource',
    'scheduling',
    'storage',
    'storagemigration',
  ].map((name) => `${name}.k8s.io`),
);

/** Whether a group is served by the API server itself, without a CustomResourceDefinition. */
export function isBuiltIn(group: string): boolean {
  return !group.includes('.') || builtInGroups.has(group);
}

/** Groups that serve the objects of other groups a second time. */
const mirrors: Record<string, string[]> = {
  extensions: ['apps', 'networking.k8s.io', 'policy'],
  'authorization.openshift.io': ['rbac.authorization.k8s.io'],
};

/**
 * Each kind once: in the first version of its group in which it can be listed and created, and in one group only. A
 * kind that nobody can create is an answer of the server and no object; {@link ServedKind}s come with the preferred
 * version of a group first.
 */
export function kindsToRead<T extends ServedKind>(served: T[]): T[] {
  const usable = served.filter(({ verbs }) => verbs.includes('list') && verbs.includes('create'));
  const byName = new Map<string, T>();
  for (const one of usable) {
    const name = nameOf(groupOf(one.apiVersion), one.plural);
    if (!byName.has(name)) byName.set(name, one);
  }
  return [...byName.values()].filter(({ apiVersion, plural }) => {
    const originals = mirrors[groupOf(apiVersion)] ?? [];
    return !originals.some((group) => byName.has(nameOf(group, plural)));
  });
}

function nameOf(group: string, plural: string): string {
  return `${plural}.${group}`;
}
