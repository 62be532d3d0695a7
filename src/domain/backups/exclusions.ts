import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { copyLabel } from '../../contracts/names.ts';
import { groupOf } from './archive-path.ts';

/** Kinds of which nothing is in a backup. */
export interface ExcludedKinds {
  apiGroup: string;
  /** Without it every kind of the group. */
  kinds?: string[];
  /** A sentence for the page and for whoever misses them. */
  reason: string;
}

/** Objects that are not in a backup although others of their kind are. */
export interface ExcludedObjects {
  /** For the page: which ones. */
  what: string;
  reason: string;
  applies: (object: KubernetesObject) => boolean;
}

const events = 'Events tell what happened to objects of this life; the cluster forgets them within hours.';
const measured = 'Measured when asked for, never stored.';

/** Always left out, whatever the profile says. */
export const excludedKinds: ExcludedKinds[] = [
  { apiGroup: '', kinds: ['Event'], reason: events },
  { apiGroup: 'events.k8s.io', reason: events },
  {
    apiGroup: 'coordination.k8s.io',
    reason: 'Leases say who leads right now. An old one would only keep the next leader waiting.',
  },
  { apiGroup: 'metrics.k8s.io', reason: measured },
  { apiGroup: 'custom.metrics.k8s.io', reason: measured },
  { apiGroup: 'external.metrics.k8s.io', reason: measured },
  {
    apiGroup: 'packages.operators.coreos.com',
    reason: 'Package manifests are computed from the catalogues of the cluster.',
  },
];

/** Always left out, whatever the profile says. The first that applies is the reason. */
export const excludedObjects: ExcludedObjects[] = [
  {
    what: 'Objects that are being deleted',
    reason: 'They have a deletionTimestamp: someone wanted them gone.',
    applies: ({ metadata }) => metadata.deletionTimestamp !== undefined,
  },
  {
    what: 'Pods, ReplicaSets and ControllerRevisions of a controller',
    reason:
      'Their controller makes new ones from its template, which is in the backup. The history of its revisions is not: after a recovery there is none to roll back to.',
    applies: (object) =>
      (is(object, '', 'Pod') ||
        is(object, 'apps', 'ReplicaSet') ||
        is(object, 'apps', 'ControllerRevision')) &&
      controllerOf(object) !== undefined,
  },
  {
    what: 'Mirror pods',
    reason: 'They show what a node runs from its own files; nobody can create them through the API.',
    applies: (object) => is(object, '', 'Pod') && hasAnnotation(object, 'kubernetes.io/config.mirror'),
  },
  {
    what: 'Pods that have ended',
    reason: 'Created anew they would run once more. Their logs are in the backup.',
    applies: (object) => is(object, '', 'Pod') && ['Succeeded', 'Failed'].includes(textAt(object, 'phase')),
  },
  {
    what: 'Jobs of a CronJob',
    reason:
      'The CronJob, which is in the backup, starts the next one at its time; an old one would run out of turn.',
    applies: (object) => is(object, 'batch', 'Job') && controllerOf(object)?.kind === 'CronJob',
  },
  {
    what: 'Jobs that have ended, well or badly',
    reason: 'Created anew they would do their work a second time.',
    applies: (object) => is(object, 'batch', 'Job') && hasEnded(object),
  },
  {
    what: 'Whatever belongs to a pod',
    reason:
      'Claims of ephemeral volumes, resource claims, endpoints of a network plugin: made together with the pod, and deleted with it.',
    applies: (object) => controllerOf(object)?.kind === 'Pod' && controllerOf(object)?.apiVersion === 'v1',
  },
  {
    what: 'EndpointSlices that Kubernetes manages',
    reason: 'Written from the Services and their pods. Those written by hand are in the backup.',
    applies: (object) =>
      is(object, 'discovery.k8s.io', 'EndpointSlice') &&
      /^endpointslice(mirroring)?-controller\.k8s\.io$/.test(
        labelOf(object, 'endpointslice.kubernetes.io/managed-by'),
      ),
  },
  {
    what: 'Endpoints that Kubernetes manages',
    reason: 'Written from the Services and their pods. Those written by hand are in the backup.',
    applies: (object) =>
      is(object, '', 'Endpoints') &&
      (labelOf(object, 'endpoints.kubernetes.io/managed-by') === 'endpoint-controller' ||
        hasAnnotation(object, 'endpoints.kubernetes.io/last-change-trigger-time')),
  },
  {
    what: 'ConfigMaps `kube-root-ca.crt` and `openshift-service-ca.crt`',
    reason: 'Every namespace gets them, with the certificates of its own cluster.',
    applies: (object) =>
      is(object, '', 'ConfigMap') &&
      ['kube-root-ca.crt', 'openshift-service-ca.crt'].includes(object.metadata.name),
  },
  {
    what: 'Secrets with a token that Kubernetes made for a service account by itself (`<account>-token-<five characters>`)',
    reason:
      'The token names the uid of its account and is worth nothing in another life. Of those made by hand everything but the token is in the backup; Kubernetes puts a new token in.',
    applies: isAutomaticToken,
  },
  {
    what: `ConfigMaps and Secrets with the label \`${copyLabel}\``,
    reason: 'Copies of former ones that a run keeps for its undo.',
    applies: (object) => labelOf(object, copyLabel) !== '',
  },
  {
    what: 'ClusterRoles and ClusterRoleBindings of Kubernetes itself (`system:…`, or labelled `kubernetes.io/bootstrapping`)',
    reason: 'Every API server makes its own when it starts.',
    applies: (object) =>
      groupOf(object.apiVersion) === 'rbac.authorization.k8s.io' &&
      object.kind.startsWith('ClusterRole') &&
      (object.metadata.name.startsWith('system:') ||
        labelOf(object, 'kubernetes.io/bootstrapping') === 'rbac-defaults'),
  },
  {
    what: 'PriorityClasses `system-…`',
    reason: 'Every API server makes its own when it starts.',
    applies: (object) =>
      is(object, 'scheduling.k8s.io', 'PriorityClass') && object.metadata.name.startsWith('system-'),
  },
];

type Exclude = BackupPolicy['exclude'];

/** Why nothing of a kind is in a backup; undefined when something is. */
export function reasonWithoutKind(apiGroup: string, kind: string, exclude: Exclude): string | undefined {
  const always = excludedKinds.find(
    (one) => one.apiGroup === apiGroup && (one.kinds === undefined || one.kinds.includes(kind)),
  );
  if (always !== undefined) return always.reason;
  const asked = exclude.some(
    (one) => one.apiGroup === apiGroup && (one.kind ?? kind) === kind && one.name === undefined,
  );
  return asked ? asTheProfileSays : undefined;
}

/** Whether nothing of a whole group is in a backup, whatever its kinds are. */
export function leavesOutGroup(apiGroup: string, exclude: Exclude): boolean {
  return (
    excludedKinds.some((one) => one.apiGroup === apiGroup && one.kinds === undefined) ||
    exclude.some((one) => one.apiGroup === apiGroup && one.kind === undefined)
  );
}

/** Why an object is not in a backup; undefined when it is. */
export function reasonWithout(object: KubernetesObject, exclude: Exclude): string | undefined {
  const { apiVersion, kind, metadata } = object;
  const group = groupOf(apiVersion);
  const ofKind = reasonWithoutKind(group, kind, exclude);
  if (ofKind !== undefined) return ofKind;
  const named = exclude.some(
    (one) => one.apiGroup === group && one.kind === kind && one.name === metadata.name,
  );
  if (named) return asTheProfileSays;
  return excludedObjects.find(({ applies }) => applies(object))?.reason;
}

const asTheProfileSays = 'The profile excludes it.';

function is({ apiVersion, kind }: KubernetesObject, group: string, wanted: string): boolean {
  return kind === wanted && groupOf(apiVersion) === group;
}

function controllerOf({ metadata }: KubernetesObject): { apiVersion: string; kind: string } | undefined {
  return metadata.ownerReferences?.find(({ controller }) => controller === true);
}

function hasAnnotation({ metadata }: KubernetesObject, name: string): boolean {
  return metadata.annotations?.[name] !== undefined;
}

function labelOf({ metadata }: KubernetesObject, name: string): string {
  return metadata.labels?.[name] ?? '';
}

function textAt({ status }: KubernetesObject, key: string): string {
  const value = (status as JsonObject | undefined)?.[key];
  return typeof value === 'string' ? value : '';
}

function hasEnded({ status }: KubernetesObject): boolean {
  const { conditions = [] } = (status ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions.some(
    ({ type, status }) => status === 'True' && (type === 'Complete' || type === 'Failed'),
  );
}

function isAutomaticToken(object: KubernetesObject): boolean {
  if (!is(object, '', 'Secret') || object.type !== 'kubernetes.io/service-account-token') return false;
  const account = object.metadata.annotations?.['kubernetes.io/service-account.name'] ?? '';
  const { name } = object.metadata;
  return name.startsWith(`${account}-token-`) && /^[a-z0-9]{5}$/.test(name.slice(`${account}-token-`.length));
}
