import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { Difference } from '../plan/paths.ts';
import { dropAt, isJsonObject } from './edit.ts';
import { kindKey } from './kinds.ts';
import type { RuleContext } from './rules/index.ts';
import { beyondUpdate, isAsWanted } from './rules/same.ts';

/** What the comparison knows beside the two objects. */
export interface ComparisonContext extends RuleContext {
  /** Whether an owner that the backup names exists; what has none cannot be tied to it. */
  ownerThere: (owner: { apiVersion: string; kind: string; name: string }) => boolean;
  /** Whether the server has another version than the one that was backed up. */
  otherServerVersion: boolean;
}

/** A difference that is no fault, beside those that the rules make. The page has a row for each. */
export interface DocumentedDifference {
  /** As `Kind.group`; without kinds of every object. */
  kinds?: readonly string[];
  about: string;
  because: string;
  covers: (difference: Difference, object: KubernetesObject, context: ComparisonContext) => boolean;
}

const ownersPath = 'metadata/ownerReferences';
const injected = /(^|\/)caBundle$/;

export const documentedDifferences: readonly DocumentedDifference[] = [
  {
    kinds: ['Deployment.apps', 'StatefulSet.apps', 'ReplicaSet.apps', 'ReplicationController'],
    about: 'spec.replicas of a workload with an autoscaler',
    because: 'the autoscaler decides over it',
    covers: ({ path }, { kind, metadata }, { autoscaled }) =>
      path === 'spec/replicas' && autoscaled({ kind, name: metadata.name }),
  },
  {
    kinds: [
      'MutatingWebhookConfiguration.admissionregistration.k8s.io',
      'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
      'APIService.apiregistration.k8s.io',
      'CustomResourceDefinition.apiextensions.k8s.io',
    ],
    about: 'caBundle',
    because: 'an injector writes the certificate of today',
    covers: ({ path }) => injected.test(path),
  },
  {
    kinds: ['Pod'],
    about: 'resources of a pod in a drill',
    because: 'the limits of its namespace fill in what the pod does not ask for',
    covers: ({ path, before }, _object, { purpose }) =>
      purpose === 'drill' && before === undefined && /^spec\/(initC|c)ontainers.*\/resources/.test(path),
  },
  {
    about: 'metadata.ownerReferences of an owner that is not there',
    because: 'the garbage collector deletes what has only such owners',
    covers: ({ path, before }, _object, { ownerThere }) =>
      path === ownersPath && isOwner(before) && !ownerThere(before),
  },
  {
    about: 'fields that the backup does not have',
    because: 'a server of another version fills in defaults that the former one did not know',
    covers: ({ path, before }, _object, { otherServerVersion }) =>
      otherServerVersion && before === undefined && path.startsWith('spec/'),
  },
];

/** Differences between an object as it should be and as it is. */
export interface Comparison {
  documented: { path: string; because: string }[];
  /** Paths only: values may be secret. */
  undocumented: string[];
}

/**
 * Compares an object as the recovery writes it (`wanted`: prepared, references rewritten) with the one that is there.
 * What the rules take from the live object, such as addresses, counts as documented by the rule.
 * `owners`: those that the backup names.
 */
export function compareRestored(
  wanted: KubernetesObject,
  owners: Owners,
  live: KubernetesObject,
  context: ComparisonContext,
): Comparison {
  const kind = kindKey(wanted);
  const found = [
    ...(isAsWanted(wanted, live, context)
      ? []
      : beyondUpdate(withoutOwners(wanted), withoutOwners(live), context)),
    ...missingOwners(owners, live.metadata.ownerReferences),
  ];
  const result: Comparison = { documented: [], undocumented: [] };
  for (const difference of found) {
    const reason = documentedDifferences.find(
      ({ kinds, covers }) =>
        (kinds === undefined || kinds.includes(kind)) && covers(difference, live, context),
    );
    if (reason === undefined) result.undocumented.push(difference.path);
    else result.documented.push({ path: difference.path, because: reason.because });
  }
  return result;
}

type Owners = KubernetesObject['metadata']['ownerReferences'];

function withoutOwners(object: KubernetesObject): KubernetesObject {
  return dropAt(object, ['metadata', 'ownerReferences']);
}

/** Owners are compared by name: their uids are new ones. One more than in the backup is its owner's doing. */
function missingOwners(stored: Owners = [], live: Owners = []): Difference[] {
  const there = new Set(live.map(ownerKey));
  return stored
    .filter((owner) => !there.has(ownerKey(owner)))
    .map(({ apiVersion, kind, name }) => ({ path: ownersPath, before: { apiVersion, kind, name } }));
}

function ownerKey(owner: { apiVersion: string; kind: string; name: string }): string {
  return `${kindKey(owner)} ${owner.name}`;
}

function isOwner(value: Json | undefined): value is { apiVersion: string; kind: string; name: string } {
  return isJsonObject(value) && ['apiVersion', 'kind', 'name'].every((key) => typeof value[key] === 'string');
}
