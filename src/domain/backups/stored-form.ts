import type { Dropped } from '../../contracts/backup-manifest.ts';
import type { Json, JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { groupOf } from './archive-path.ts';

type Path = readonly string[];

/**
 * What every object loses. The API server sets these by itself, and `kubectl apply` fails over uid and resourceVersion
 * the second time, over managedFields with --server-side. Owners are named by uids of this life: an object that names a
 * dead one is deleted by the garbage collector within seconds.
 */
const ofEveryKind = new Set([
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
  'ownerReferences',
]);

interface GeneratedParts {
  group: string;
  kind: string;
  /** Whether this object has them generated. */
  when?: (object: KubernetesObject) => boolean;
  paths: Path[];
}

const jobLabels = [
  'controller-uid',
  'job-name',
  'batch.kubernetes.io/controller-uid',
  'batch.kubernetes.io/job-name',
];

const generatedParts: GeneratedParts[] = [
  {
    // The selector holds the uid; the API server refuses a Job that brings a generated one.
    group: 'batch',
    kind: 'Job',
    when: ({ spec }) => (spec as JsonObject | undefined)?.manualSelector !== true,
    paths: [
      ['spec', 'selector'],
      ...jobLabels.map((label) => ['metadata', 'labels', label]),
      ...jobLabels.map((label) => ['spec', 'template', 'metadata', 'labels', label]),
    ],
  },
  {
    // Debugging containers are added to running pods only; a new pod with some is refused.
    group: '',
    kind: 'Pod',
    paths: [['spec', 'ephemeralContainers']],
  },
  {
    // With the uid of an earlier claim the volume counts as released, and the claim as lost.
    group: '',
    kind: 'PersistentVolume',
    paths: [
      ['spec', 'claimRef', 'uid'],
      ['spec', 'claimRef', 'resourceVersion'],
    ],
  },
  {
    // The token names the uid of its account: Kubernetes deletes the Secret, or makes a new token when it has none.
    group: '',
    kind: 'Secret',
    when: ({ type }) => type === 'kubernetes.io/service-account-token',
    paths: [
      ['metadata', 'annotations', 'kubernetes.io/service-account.uid'],
      ['data', 'token'],
      ['data', 'ca.crt'],
      ['data', 'namespace'],
    ],
  },
];

/**
 * The form in which a backup keeps an object: `kubectl apply` works on it again and again, client-side and with
 * --server-side. Finalizers and annotations stay. What it leaves out comes back as `dropped`, each part at its place, so
 * that nothing is lost. `statusIsData`: the kind has no status subresource, so that its `status` is a field like others.
 * The object itself is not changed.
 */
export function storedForm(
  object: KubernetesObject,
  { statusIsData = false }: { statusIsData?: boolean } = {},
): { stored: KubernetesObject; dropped: Dropped } {
  let { stored, dropped } = withoutServersOwn(object as unknown as JsonObject);
  const status: Path[] = statusIsData || !isObject(stored.status) ? [] : [['status']];
  for (const path of [...status, ...generatedOf(object)]) {
    const value = valueAt(stored, path);
    if (value === undefined) continue;
    stored = without(stored, path);
    dropped = withValue(dropped, path, value);
  }
  return { stored: stored as unknown as KubernetesObject, dropped: dropped as Dropped };
}

/** In one pass: this is done for every object of a backup. */
function withoutServersOwn(object: JsonObject): { stored: JsonObject; dropped: JsonObject } {
  if (!isObject(object.metadata)) return { stored: object, dropped: { metadata: {} } };
  const members = Object.entries(object.metadata);
  const kept = members.filter(([key]) => !ofEveryKind.has(key));
  const gone = members.filter(([key]) => ofEveryKind.has(key));
  // Keys keep their order; `fromEntries` makes members of them, also of one called __proto__.
  return {
    stored: { ...object, metadata: Object.fromEntries(kept) },
    dropped: { metadata: Object.fromEntries(gone) },
  };
}

function generatedOf(object: KubernetesObject): Path[] {
  const group = groupOf(object.apiVersion);
  return generatedParts
    .filter((parts) => parts.kind === object.kind && parts.group === group && (parts.when?.(object) ?? true))
    .flatMap(({ paths }) => paths);
}

function valueAt(value: Json | undefined, [key, ...rest]: Path): Json | undefined {
  if (key === undefined) return value;
  return isObject(value) && Object.hasOwn(value, key) ? valueAt(value[key], rest) : undefined;
}

/** A copy without the value at the path, which is there. */
function without(value: JsonObject, [key = '', ...rest]: Path): JsonObject {
  const { [key]: inner, ...others } = value;
  // Keys keep their order; the copy holds also a key called __proto__.
  return rest.length === 0 || !isObject(inner) ? others : { ...value, [key]: without(inner, rest) };
}

function withValue(value: JsonObject, [key = '', ...rest]: Path, leaf: Json): JsonObject {
  if (rest.length === 0) return { ...value, [key]: leaf };
  const inner = value[key];
  return { ...value, [key]: withValue(isObject(inner) ? inner : {}, rest, leaf) };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}
