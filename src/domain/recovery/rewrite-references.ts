import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { editAt, every, isJsonObject, putAt, valueOf, type EditPath } from './edit.ts';
import { kindKey } from './kinds.ts';

const nameLabel = 'kubernetes.io/metadata.name';

/** A place that names a namespace, and what it means there. The page has a row for each. */
export interface ReferencePlace {
  /** As `Kind.group`; without kinds in every object. */
  kinds?: readonly string[];
  about: string;
  because: string;
  rewrite: (object: KubernetesObject, move: Move) => KubernetesObject;
}

/** From which namespace into which. */
export interface Move {
  from: string;
  into: string;
}

const webhooks = [
  'MutatingWebhookConfiguration.admissionregistration.k8s.io',
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
] as const;

const templated = [
  'Deployment.apps',
  'StatefulSet.apps',
  'DaemonSet.apps',
  'ReplicaSet.apps',
  'ReplicationController',
  'Job.batch',
] as const;

/** Everything that is written anew when a backup goes into another namespace. */
export const referencePlaces: readonly ReferencePlace[] = [
  {
    about: 'metadata.namespace',
    because: 'the object itself moves',
    rewrite: (object, { from, into }) =>
      object.metadata.namespace === from ? putAt(object, ['metadata', 'namespace'], into) : object,
  },
  {
    kinds: ['Namespace'],
    about: 'metadata.name of the Namespace itself',
    because: 'its labels, annotations and limits go along',
    rewrite: (object, { from, into }) =>
      object.metadata.name === from ? putAt(object, ['metadata', 'name'], into) : object,
  },
  {
    kinds: ['RoleBinding.rbac.authorization.k8s.io', 'ClusterRoleBinding.rbac.authorization.k8s.io'],
    about:
      'subjects: namespace of a ServiceAccount, system:serviceaccount:<namespace>:…, system:serviceaccounts:<namespace>',
    because: 'else the accounts of the former namespace would get the permissions',
    rewrite: (object, move) => editAt(object, ['subjects', every], (subject) => movedSubject(subject, move)),
  },
  {
    kinds: webhooks,
    about: 'webhooks[].clientConfig.service.namespace',
    because: 'the Service that answers moves too',
    rewrite: (object, move) =>
      named(object, ['webhooks', every, 'clientConfig', 'service', 'namespace'], move),
  },
  {
    kinds: webhooks,
    about: `webhooks[].namespaceSelector by ${nameLabel}`,
    because: 'it selects the namespace by its name',
    rewrite: (object, move) => selected(object, ['webhooks', every, 'namespaceSelector'], move),
  },
  {
    kinds: ['APIService.apiregistration.k8s.io'],
    about: 'spec.service.namespace',
    because: 'the Service that answers moves too',
    rewrite: (object, move) => named(object, ['spec', 'service', 'namespace'], move),
  },
  {
    kinds: ['CustomResourceDefinition.apiextensions.k8s.io'],
    about: 'spec.conversion.webhook.clientConfig.service.namespace',
    because: 'the Service that answers moves too',
    rewrite: (object, move) =>
      named(object, ['spec', 'conversion', 'webhook', 'clientConfig', 'service', 'namespace'], move),
  },
  {
    kinds: ['PersistentVolume'],
    about: 'spec.claimRef.namespace',
    because: 'the volume waits for its claim there',
    rewrite: (object, move) => named(object, ['spec', 'claimRef', 'namespace'], move),
  },
  {
    kinds: ['PersistentVolumeClaim'],
    about: 'spec.dataSourceRef.namespace',
    because: 'the snapshot moves too',
    rewrite: (object, move) => named(object, ['spec', 'dataSourceRef', 'namespace'], move),
  },
  {
    kinds: ['NetworkPolicy.networking.k8s.io'],
    about: `spec.ingress[].from[], spec.egress[].to[]: namespaceSelector by ${nameLabel}`,
    because: 'it selects the namespace by its name',
    rewrite: (object, move) =>
      selected(
        selected(object, ['spec', 'ingress', every, 'from', every, 'namespaceSelector'], move),
        ['spec', 'egress', every, 'to', every, 'namespaceSelector'],
        move,
      ),
  },
  {
    kinds: ['Pod', 'CronJob.batch', ...templated],
    about: `affinity of pods: namespaces, and namespaceSelector by ${nameLabel}`,
    because: 'it looks for pods beside which to run',
    rewrite: (object, move) => movedAffinity(object, podSpecOf(object), move),
  },
  {
    kinds: ['ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io'],
    about: `spec.paramRef.namespace, spec.matchResources.namespaceSelector by ${nameLabel}`,
    because: 'the parameters move too, and it selects the namespace by its name',
    rewrite: (object, move) =>
      selected(
        named(object, ['spec', 'paramRef', 'namespace'], move),
        ['spec', 'matchResources', 'namespaceSelector'],
        move,
      ),
  },
];

/** What is not rewritten, since only people know whether it should be: the plan names each place. */
export const notRewritten =
  'Host names such as db.<namespace>.svc in environment, arguments and configuration, fields named namespace in other kinds, and everything inside Secrets stay as they are.';

/** At most so many places of one object are named; whoever has more sees the pattern by then. */
const mostNotes = 10;

/**
 * Puts `into` in place of `from` wherever a field is known to name a namespace. `stays` has the paths of what looks
 * like a reference and was left: paths only, since the values may be secret.
 */
export function rewriteReferences(
  object: KubernetesObject,
  move: Move,
): { object: KubernetesObject; stays: string[] } {
  if (move.from === move.into) return { object, stays: [] };
  const kind = kindKey(object);
  const rewritten = referencePlaces
    .filter(({ kinds }) => kinds === undefined || kinds.includes(kind))
    .reduce((result, { rewrite }) => rewrite(result, move), object);
  const host = new RegExp(`\\.${move.from}\\.svc(?![a-z0-9-])`);
  const stays = suspicious(rewritten as unknown as Json, '', (key, text) =>
    key === 'namespace' ? text === move.from : host.test(text),
  );
  return {
    object: rewritten,
    stays:
      stays.length > mostNotes
        ? [...stays.slice(0, mostNotes), `… and ${stays.length - mostNotes} more`]
        : stays,
  };
}

function movedSubject(subject: Json, { from, into }: Move): Json {
  if (!isJsonObject(subject)) return subject;
  const { kind, name, namespace } = subject;
  if (kind === 'ServiceAccount') return namespace === from ? { ...subject, namespace: into } : subject;
  if (typeof name !== 'string') return subject;
  if (kind === 'User' && name.startsWith(`system:serviceaccount:${from}:`))
    return { ...subject, name: `system:serviceaccount:${into}:${name.split(':').slice(3).join(':')}` };
  if (kind === 'Group' && name === `system:serviceaccounts:${from}`)
    return { ...subject, name: `system:serviceaccounts:${into}` };
  return subject;
}

function named(object: KubernetesObject, path: EditPath, { from, into }: Move): KubernetesObject {
  return editAt(object, path, (value) => (value === from ? into : value));
}

function selected(object: KubernetesObject, path: EditPath, move: Move): KubernetesObject {
  const byLabel = named(object, [...path, 'matchLabels', nameLabel], move);
  return editAt(byLabel, [...path, 'matchExpressions', every], (expression) => {
    if (!isJsonObject(expression) || expression['key'] !== nameLabel) return expression;
    const { values } = expression;
    if (!Array.isArray(values)) return expression;
    return { ...expression, values: values.map((value) => (value === move.from ? move.into : value)) };
  });
}

function podSpecOf({ kind }: KubernetesObject): readonly string[] {
  if (kind === 'Pod') return ['spec'];
  if (kind === 'CronJob') return ['spec', 'jobTemplate', 'spec', 'template', 'spec'];
  return ['spec', 'template', 'spec'];
}

function movedAffinity(object: KubernetesObject, podSpec: readonly string[], move: Move): KubernetesObject {
  if (valueOf(object, ...podSpec, 'affinity') === undefined) return object;
  const terms = ['podAffinity', 'podAntiAffinity'].flatMap((affinity): EditPath[] => [
    [...podSpec, 'affinity', affinity, 'requiredDuringSchedulingIgnoredDuringExecution', every],
    [
      ...podSpec,
      'affinity',
      affinity,
      'preferredDuringSchedulingIgnoredDuringExecution',
      every,
      'podAffinityTerm',
    ],
  ]);
  return terms.reduce(
    (result, term) =>
      selected(named(result, [...term, 'namespaces', every], move), [...term, 'namespaceSelector'], move),
    object,
  );
}

/** Paths of strings that may name the former namespace. Annotations are notes of tools and hold whole objects. */
function suspicious(value: Json, path: string, names: (key: string, text: string) => boolean): string[] {
  if (path === 'metadata.annotations') return [];
  if (typeof value === 'string') {
    const key = /[^.[\]]+$/.exec(path)?.[0] ?? '';
    return names(key, value) ? [path] : [];
  }
  if (Array.isArray(value))
    return value.flatMap((item, index) => suspicious(item, `${path}[${index}]`, names));
  if (!isJsonObject(value)) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    suspicious(member, path === '' ? key : `${path}.${key}`, names),
  );
}
