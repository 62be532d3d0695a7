import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';

/** A Role or ClusterRole. */
export interface Role extends KubernetesObject {
  rules: { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[];
}

const folder = new URL('../../deploy/kubernetes/', import.meta.url);

/** The objects of `deploy/kubernetes/<name>.yaml`. */
export function manifestOf(name: string): KubernetesObject[] {
  const text = readFileSync(new URL(`${name}.yaml`, folder), 'utf8');
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

/** The Roles and ClusterRoles of a manifest. */
export function rolesOf(name: string): Role[] {
  return manifestOf(name).filter(isRole);
}

export function isRole(object: KubernetesObject): object is Role {
  return /^(Cluster)?Role$/.test(object.kind);
}
