import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { ConflictPolicy, ObjectVerdict, RestoreChange, Verdict } from '../../contracts/recovery.ts';
import { differences, type Difference } from '../plan/paths.ts';
import type { Json } from '../../contracts/json.ts';
import { reconcilerOf } from '../guards/git-ops.ts';
import { excerpt } from '../text.ts';
import { kindKey } from './kinds.ts';
import { withoutServerFields } from './rules/generic.ts';
import { merged, type RuleContext } from './rules/index.ts';
import { isAsWanted } from './rules/same.ts';

/** Everything that the verdict over one object depends on. */
export interface Situation {
  /** Prepared by the rules, with its references rewritten. */
  wanted: KubernetesObject;
  /** As it lies in the backup. */
  stored: KubernetesObject;
  live: KubernetesObject | undefined;
  /** The server's answer to a dry run of the update; undefined while it was not asked. */
  dryRun: { object: KubernetesObject } | { refused: string } | undefined;
  policy: ConflictPolicy;
  /** Of a claim or a StatefulSet: claims that would come back without their data. */
  emptyClaims: readonly string[];
  allowEmptyClaims: boolean;
  /** Whether cluster-scoped objects may be written. */
  clusterScoped: boolean;
  /** Of the profile: whether an object that a GitOps controller puts back by itself is left to it. */
  gitOps: 'stop' | 'ignore';
  context: RuleContext;
}

/** Kinds that are never deleted to be made anew, and why. */
export const neverReplaced: Readonly<Record<string, string>> = {
  Namespace: 'everything in it would be deleted',
  PersistentVolume: 'its data could be deleted with it',
  PersistentVolumeClaim: 'its data would be deleted with it',
  'CustomResourceDefinition.apiextensions.k8s.io': 'every object of its kind would be deleted',
};

/** Labels and annotations that say whose an object is. */
const identityMarks: readonly string[] = [
  'app.kubernetes.io/instance',
  'app.kubernetes.io/name',
  'app.kubernetes.io/managed-by',
  'meta.helm.sh/release-name',
];

/**
 * Judges one object. `dryRunNeeded`: it exists and differs, and only the server knows what an update would change.
 * Of the values of Secrets, environment and arguments a verdict says only that they differ.
 */
export function judge(situation: Situation): ObjectVerdict | 'dryRunNeeded' {
  const { live } = situation;
  if (live === undefined) return judgeMissing(situation);
  if (live.metadata.deletionTimestamp !== undefined)
    return verdict(situation, 'blocked', 'it is being deleted; start again when it is gone');
  if (isAsWanted(situation.wanted, live, situation.context))
    return verdict(situation, 'unchanged', 'it is as in the backup');
  const owner = someoneElses(situation.stored, live, situation.context);
  if (owner !== undefined)
    return verdict(situation, 'conflict', `the name is taken by another object: ${owner}`);
  if (situation.dryRun === undefined) return 'dryRunNeeded';
  return 'refused' in situation.dryRun
    ? judgeRefused(situation, live, situation.dryRun.refused)
    : judgeDifferent(situation, live, situation.dryRun.object);
}

/** What an update of `live` writes. */
export function updateOf(
  { wanted, context }: Pick<Situation, 'wanted' | 'context'>,
  live: KubernetesObject,
): KubernetesObject {
  const next = merged(wanted, live, context);
  const { uid, resourceVersion } = live.metadata;
  return {
    ...next,
    metadata: {
      ...next.metadata,
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

/** Whose a live object is when it is not the one of the backup; undefined when nothing speaks against it. */
function someoneElses(
  stored: KubernetesObject,
  live: KubernetesObject,
  { dropped }: Pick<RuleContext, 'dropped'>,
): string | undefined {
  if (live.metadata.uid !== undefined && live.metadata.uid === dropped.metadata['uid']) return undefined;
  const owner = controllerOf(live);
  if (owner !== undefined && owner !== controllerOf(stored)) return `it belongs to ${owner}`;
  const marks = (object: KubernetesObject): Record<string, string> => ({
    ...object.metadata.annotations,
    ...object.metadata.labels,
  });
  const was = marks(stored);
  const is = marks(live);
  const mark = identityMarks.find(
    (name) => was[name] !== undefined && is[name] !== undefined && was[name] !== is[name],
  );
  return mark === undefined ? undefined : `its ${mark} is ${excerpt(is[mark] ?? '')}`;
}

function judgeMissing(situation: Situation): ObjectVerdict {
  const { wanted, emptyClaims, allowEmptyClaims, clusterScoped, context } = situation;
  if (isForeignScope(wanted, context) && !clusterScoped)
    return verdict(
      situation,
      'blocked',
      'it is missing, and cluster-scoped: written only with clusterScoped: true',
    );
  if (emptyClaims.length === 0) return verdict(situation, 'create', 'it is missing');
  const some = emptyClaims.slice(0, 3).join(', ');
  const claims = emptyClaims.length > 3 ? `${some} and ${emptyClaims.length - 3} more` : some;
  return allowEmptyClaims
    ? verdict(situation, 'create', `it is missing; without its data: ${claims}`)
    : verdict(
        situation,
        'blocked',
        `a backup holds no data of volumes, and these claims would come back empty: ${claims}; restored only with allowEmptyClaims: true`,
      );
}

function judgeRefused(situation: Situation, live: KubernetesObject, refused: string): ObjectVerdict {
  const { wanted, policy, clusterScoped, context } = situation;
  const kind = kindKey(wanted);
  const refusal = `it differs, and the server refuses the update (${refused})`;
  const changes = changesTo(situation, live, updateOf(situation, live));
  const loss = Object.hasOwn(neverReplaced, kind) ? neverReplaced[kind] : undefined;
  if (loss !== undefined)
    return verdict(situation, 'conflict', `${refusal}; it is never replaced: ${loss}`, { changes });
  if (policy !== 'replace')
    return verdict(situation, 'conflict', `${refusal}; onConflict replace would delete it and make it anew`, {
      changes,
    });
  if (isForeignScope(wanted, context) && !clusterScoped)
    return verdict(
      situation,
      'conflict',
      `${refusal}; it is cluster-scoped: written only with clusterScoped: true`,
      { changes },
    );
  const reconciler = reconcilerIn(situation);
  if (reconciler !== undefined)
    return verdict(situation, 'conflict', `${refusal}; ${reconciler}`, { changes });
  return verdict(situation, 'update', `${refusal}: it is deleted and made anew`, {
    write: 'replace',
    changes,
  });
}

function judgeDifferent(situation: Situation, live: KubernetesObject, next: KubernetesObject): ObjectVerdict {
  const { wanted, policy, clusterScoped, context } = situation;
  const changes = changesTo(situation, live, next);
  if (changes.length === 0)
    return verdict(situation, 'unchanged', 'it differs only in what the server or a webhook fills in');
  if (policy === 'skip')
    return verdict(situation, 'conflict', 'it differs, and onConflict is skip', { changes });
  if (isForeignScope(wanted, context) && !clusterScoped)
    return verdict(
      situation,
      'conflict',
      'it differs, and is cluster-scoped: written only with clusterScoped: true',
      {
        changes,
      },
    );
  const reconciler = reconcilerIn(situation);
  if (reconciler !== undefined)
    return verdict(situation, 'conflict', `it differs, and ${reconciler}`, { changes });
  return verdict(situation, 'update', 'it differs', { write: 'update', changes });
}

/** What would be other than it is. */
function changesTo({ wanted }: Situation, live: KubernetesObject, next: KubernetesObject): RestoreChange[] {
  const data = Object.hasOwn(wanted, 'status');
  return differences(
    withoutServerFields(live, data) as unknown as Json,
    withoutServerFields(next, data) as unknown as Json,
  ).map((one) => shown(wanted, one));
}

/** Who would revert a change of the live object. */
function reconcilerIn({ live, gitOps }: Situation): string | undefined {
  return live === undefined || gitOps === 'ignore' ? undefined : reconcilerOf(live);
}

/** Only the Namespace that the recovery goes into is its own although it is cluster-scoped. */
function isForeignScope({ kind, metadata }: KubernetesObject, { into }: RuleContext): boolean {
  return metadata.namespace === undefined && !(kind === 'Namespace' && metadata.name === into);
}

function controllerOf({ metadata }: KubernetesObject): string | undefined {
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined ? undefined : `${kindKey(owner)} ${owner.name}`;
}

/** Values that may be secret are not shown: those of Secrets, and what processes are started with. */
function shown({ kind }: KubernetesObject, { path, before, after }: Difference): RestoreChange {
  const secret = kind === 'Secret' && !path.startsWith('metadata/labels');
  if (secret || /\/(env|envFrom|args|command)(\/|\[|$)/.test(path) || path === 'spec/template')
    return { path, hidden: true };
  return {
    path,
    ...(before === undefined ? {} : { before: brief(before) }),
    ...(after === undefined ? {} : { after: brief(after) }),
  };
}

/** A plan is for people: of a long value its beginning. */
function brief(value: Json): Json {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > 200 ? excerpt(text, 200) : value;
}

function verdict(
  { wanted, live }: Situation,
  kind: Verdict,
  because: string,
  more: Pick<ObjectVerdict, 'write' | 'changes'> = {},
): ObjectVerdict {
  const { name, namespace } = wanted.metadata;
  return {
    apiVersion: wanted.apiVersion,
    kind: wanted.kind,
    ...(namespace === undefined ? {} : { namespace }),
    name,
    verdict: kind,
    ...(kind === 'create' ? { write: 'create' as const } : {}),
    because,
    uid: live?.metadata.uid ?? null,
    ...more,
  };
}
