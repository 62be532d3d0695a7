import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { auditNames } from '../../../src/contracts/audit.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { lockAnnotations } from '../../../src/contracts/lock.ts';
import { changeAnnotation } from '../../../src/contracts/names.ts';

const kinds = [
  ['apps/v1', 'Deployment'],
  ['apps/v1', 'ReplicaSet'],
  ['v1', 'ConfigMap'],
  ['v1', 'Service'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
] as const;

/** What the cluster itself counts, dates and derives; it differs between two equal runs. */
const volatile = new Set([
  'resourceVersion',
  'uid',
  'creationTimestamp',
  'managedFields',
  'generation',
  'status',
  'deployment.kubernetes.io/revision',
  'deployment.kubernetes.io/revision-history',
  'pod-template-hash',
  'acquireTime',
  'renewTime',
  'clusterIP',
  'clusterIPs',
  'leaseTransitions',
  // Its hash, time and signature are of one run; the audit log itself is compared entry by entry.
  auditNames.checkpoint,
]);

/** A line for every object that matters in a namespace, and for the lock; equal for equal states. */
export async function clusterState(
  gateway: KubernetesGateway,
  namespace: string,
  lease: KubernetesObject | undefined,
  plain: (text: string) => string,
): Promise<string[]> {
  const lists = await Promise.all(
    kinds.map(async ([apiVersion, kind]) => (await gateway.list({ apiVersion, kind, namespace })).items),
  );
  return [...lists.flat().filter(matters), ...(lease === undefined ? [] : [lease])]
    .map((object) => plain(JSON.stringify(named(object), leaveOutVolatile)))
    .sort();
}

/** A state without what a run leaves behind on purpose: its marks on what it wrote, and the free lock. */
export function unmarked(state: string[]): string[] {
  return state.flatMap((line) => {
    const object = JSON.parse(line) as KubernetesObject;
    if (object.kind === 'Lease') return [];
    const { [changeAnnotation]: mark, ...annotations } = object.metadata.annotations ?? {};
    return [JSON.stringify({ ...object, metadata: { ...object.metadata, annotations } })];
  });
}

/** What still stands on the lock of a state: nothing, when it is free and nothing is half done. */
export function standsOnLock(state: string[]): string[] {
  const leases = state
    .map((line) => JSON.parse(line) as KubernetesObject)
    .filter(({ kind }) => kind === 'Lease');
  return leases.flatMap(({ metadata: { annotations = {} }, spec }) => [
    ...[lockAnnotations.holder, lockAnnotations.leftover].filter((name) => annotations[name] !== undefined),
    ...('holderIdentity' in (spec as object) ? ['holderIdentity'] : []),
  ]);
}

/** Old ReplicaSets are history; the authority's ConfigMap is in every namespace. */
function matters({ kind, metadata, spec }: KubernetesObject): boolean {
  if (metadata.name === 'kube-root-ca.crt') return false;
  return kind !== 'ReplicaSet' || (spec as { replicas?: number }).replicas !== 0;
}

/** A ReplicaSet's name is a hash of its template, which stands beside it. */
function named(object: KubernetesObject): unknown {
  return object.kind === 'ReplicaSet' ? { ...object, metadata: { ...object.metadata, name: '' } } : object;
}

function leaveOutVolatile(key: string, value: unknown): unknown {
  return volatile.has(key) ? undefined : value;
}
