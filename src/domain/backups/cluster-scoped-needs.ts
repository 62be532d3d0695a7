import type { Json, JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { groupOf } from './archive-path.ts';

/** A kind by group and name, such as `storage.k8s.io/StorageClass`, `/PersistentVolume`. */
export function kindKey(apiVersion: string, kind: string): string {
  return `${groupOf(apiVersion)}/${kind}`;
}

/** What the objects seen so far name of the cluster. Only names are held, whatever the size of the objects. */
export interface ClusterNeeds {
  namespace: string;
  /** Names by {@link kindKey}. */
  named: Map<string, Set<string>>;
  /** Cluster-scoped kinds that the server has: the keys of each kind's bare name. */
  kinds: Map<string, string[]>;
}

const roleKey = 'rbac.authorization.k8s.io/ClusterRole';

/** Fields that name an object of the cluster wherever they stand: in pod templates, claims, custom resources. */
const namingFields: Record<string, string> = {
  priorityClassName: 'scheduling.k8s.io/PriorityClass',
  runtimeClassName: 'node.k8s.io/RuntimeClass',
  storageClassName: 'storage.k8s.io/StorageClass',
  volumeAttributesClassName: 'storage.k8s.io/VolumeAttributesClass',
  ingressClassName: 'networking.k8s.io/IngressClass',
  gatewayClassName: 'gateway.networking.k8s.io/GatewayClass',
  deviceClassName: 'resource.k8s.io/DeviceClass',
  volumeSnapshotClassName: 'snapshot.storage.k8s.io/VolumeSnapshotClass',
};

/** Annotations that did the same before there was a field. */
const namingAnnotations: Record<string, string> = {
  'kubernetes.io/ingress.class': 'networking.k8s.io/IngressClass',
  'volume.beta.kubernetes.io/storage-class': 'storage.k8s.io/StorageClass',
};

/** Kinds that belong to the cluster and to nobody's backup, even when an object names one. */
const neverNeeded = new Set(['/Node', '/Namespace', '/PersistentVolume']);

/** Cluster-scoped kinds of which every object has to be looked at: they name the namespace, and not the other way. */
export const kindsThatNameNamespaces = [
  '/PersistentVolume',
  'snapshot.storage.k8s.io/VolumeSnapshotContent',
  'rbac.authorization.k8s.io/ClusterRoleBinding',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'apiregistration.k8s.io/APIService',
];

/** Nothing is needed yet. `clusterKinds`: the cluster-scoped kinds that the server has. */
export function noNeeds(
  namespace: string,
  clusterKinds: { apiVersion: string; kind: string }[],
): ClusterNeeds {
  const kinds = new Map<string, string[]>();
  for (const { apiVersion, kind } of clusterKinds)
    kinds.set(kind, [...(kinds.get(kind) ?? []), kindKey(apiVersion, kind)]);
  return { namespace, named: new Map(), kinds };
}

/**
 * Adds what one object names: by a field such as `priorityClassName`, or by a pair of `kind` and `name` such as a
 * `roleRef` or a reference to a custom resource of the cluster. A name too many does no harm: what does not exist is
 * not read.
 */
export function addNeeds(needs: ClusterNeeds, object: KubernetesObject): void {
  const { metadata, ...content } = object;
  for (const [annotation, key] of Object.entries(namingAnnotations))
    need(needs, key, metadata.annotations?.[annotation]);
  // Own stack: nesting may be deeper than the engine's.
  const pending: Json[] = Object.values(content) as Json[];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) continue;
    if (!Array.isArray(value)) addNamed(needs, value);
    pending.push(...inner(value));
  }
}

/** Lists are pushed one by one: spreading a very long one would overflow the stack. */
function* inner(value: Json[] | JsonObject): Generator<Json> {
  for (const one of Array.isArray(value) ? value : Object.values(value))
    if (typeof one === 'object' && one !== null) yield one;
}

function addNamed(needs: ClusterNeeds, value: JsonObject): void {
  for (const [field, key] of Object.entries(namingFields)) {
    if (Object.hasOwn(value, field)) need(needs, key, value[field]);
  }
  const { kind, name } = value;
  if (typeof kind !== 'string') return;
  for (const key of needs.kinds.get(kind) ?? []) need(needs, key, name);
}

function need({ named }: ClusterNeeds, key: string, name: Json | undefined): void {
  if (typeof name !== 'string' || name === '' || neverNeeded.has(key)) return;
  const names = named.get(key) ?? new Set();
  named.set(key, names.add(name));
}

/** Whether an object of one of {@link kindsThatNameNamespaces} belongs to the namespace. */
export function namesNamespace({ namespace }: ClusterNeeds, object: KubernetesObject): boolean {
  switch (kindKey(object.apiVersion, object.kind)) {
    case '/PersistentVolume':
      return at(object, 'spec', 'claimRef', 'namespace') === namespace;
    case 'snapshot.storage.k8s.io/VolumeSnapshotContent':
      return at(object, 'spec', 'volumeSnapshotRef', 'namespace') === namespace;
    case 'rbac.authorization.k8s.io/ClusterRoleBinding':
      return listAt(object, 'subjects').some((subject) => isAccountOf(namespace, subject));
    case 'apiregistration.k8s.io/APIService':
      return at(object, 'spec', 'service', 'namespace') === namespace;
    default:
      return listAt(object, 'webhooks').some(
        (webhook) => at(webhook, 'clientConfig', 'service', 'namespace') === namespace,
      );
  }
}

/** An account of the namespace, written as one or as the user or group that stands for it. */
function isAccountOf(namespace: string, subject: Json): boolean {
  const name = at(subject, 'name');
  switch (at(subject, 'kind')) {
    case 'ServiceAccount':
      return at(subject, 'namespace') === namespace;
    case 'User':
      return typeof name === 'string' && name.startsWith(`system:serviceaccount:${namespace}:`);
    case 'Group':
      return name === `system:serviceaccounts:${namespace}`;
    default:
      return false;
  }
}

/** A ClusterRole as far as others are made from it, or it from others. */
export interface RoleFact {
  name: string;
  labels: Record<string, string>;
  selectors: LabelSelector[];
}

interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** What {@link addAggregatedRoles} has to know of a ClusterRole. */
export function roleFact(role: KubernetesObject): RoleFact {
  const selectors = listAt(role, 'aggregationRule', 'clusterRoleSelectors') as unknown as LabelSelector[];
  return { name: role.metadata.name, labels: role.metadata.labels ?? {}, selectors };
}

/** Adds the ClusterRoles from which needed ones are put together: without them those would lose their rules. */
export function addAggregatedRoles(needs: ClusterNeeds, roles: RoleFact[]): void {
  const names = needs.named.get(roleKey) ?? new Set<string>();
  for (let before = -1; before !== names.size;) {
    before = names.size;
    const selectors = roles.filter(({ name }) => names.has(name)).flatMap((role) => role.selectors);
    for (const { name, labels } of roles)
      if (selectors.some((selector) => matches(selector, labels))) names.add(name);
  }
}

function matches(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labels: Record<string, string>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      if (operator === 'In') return value !== undefined && values.includes(value);
      return value === undefined || !values.includes(value);
    })
  );
}

function at(value: unknown, ...path: string[]): unknown {
  let inner = value;
  for (const key of path) {
    if (typeof inner !== 'object' || inner === null || !Object.hasOwn(inner, key)) return undefined;
    inner = (inner as Record<string, unknown>)[key];
  }
  return inner;
}

function listAt(value: unknown, ...path: string[]): Json[] {
  const list = at(value, ...path);
  return Array.isArray(list) ? (list as Json[]) : [];
}
