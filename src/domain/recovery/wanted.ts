import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { ConflictPolicy, RestoreOptions } from '../../contracts/recovery.ts';
import { kindKey } from './kinds.ts';
import { rewriteReferences } from './rewrite-references.ts';
import { prepare, type RuleContext } from './rules/index.ts';

/** What the rules go by that neither the backup nor the request says. */
export type Surroundings = Pick<RuleContext, 'volumeKept' | 'autoscaled'>;

/** An object of a backup on its way into the cluster. */
export interface Wanted {
  /** As it is written. */
  object: KubernetesObject;
  /** As it lies in the backup, with its owners. */
  stored: KubernetesObject;
  context: RuleContext;
  /** Paths that may name the former namespace and were left. */
  stays: string[];
}

/** Applies rules and rewriting to one object of a backup, or says why it is left out. */
export function wantedOf(
  entry: Pick<IndexEntry, 'dropped'>,
  stored: KubernetesObject,
  { from, options, surroundings }: { from: string; options: RestoreOptions; surroundings: Surroundings },
): Wanted | { leftOut: string; object: KubernetesObject } {
  const { dropped } = entry;
  const context: RuleContext = {
    purpose: options.purpose,
    from,
    into: options.into,
    dropped,
    ...surroundings,
    ...(options.drill === undefined
      ? {}
      : { drill: { ...options.drill, allowEmptyClaims: options.allowEmptyClaims } }),
  };
  const whole = withOwners(stored, ownersOf(entry));
  const prepared = prepare(whole, context);
  const move = { from, into: options.into };
  if ('leftOut' in prepared)
    return { leftOut: prepared.leftOut, object: rewriteReferences(stored, move).object };
  const { object, stays } = rewriteReferences(prepared.object, move);
  return { object, stored: whole, context, stays };
}

/** The owners that an object had; their uids are those of its former life. */
export function ownersOf({
  dropped,
}: Pick<IndexEntry, 'dropped'>): NonNullable<KubernetesObject['metadata']['ownerReferences']> {
  const owners: unknown = dropped.metadata['ownerReferences'];
  return Array.isArray(owners)
    ? (owners as NonNullable<KubernetesObject['metadata']['ownerReferences']>)
    : [];
}

function withOwners(object: KubernetesObject, owners: ReturnType<typeof ownersOf>): KubernetesObject {
  return owners.length === 0
    ? object
    : { ...object, metadata: { ...object.metadata, ownerReferences: owners } };
}

/** Whether an object is asked for. `labels` needs the object itself. */
export function isSelected(
  { only }: Pick<RestoreOptions, 'only'>,
  { apiVersion, kind, name }: { apiVersion: string; kind: string; name: string },
  labels?: Record<string, string>,
): boolean {
  if (only === undefined) return true;
  const key = kindKey({ apiVersion, kind });
  if (only.kinds !== undefined && !only.kinds.some((one) => one === key || one === kind)) return false;
  if (only.names !== undefined && !only.names.includes(name)) return false;
  return Object.entries(only.labels ?? {}).every(([label, value]) => labels?.[label] === value);
}

/** What to do when an object of this kind exists and differs. An account is joined with the one that every namespace has. */
export function policyOf(
  { onConflict, onConflictOf }: Pick<RestoreOptions, 'onConflict' | 'onConflictOf'>,
  object: { apiVersion: string; kind: string; name: string },
): ConflictPolicy {
  const key = kindKey(object);
  const named = [key, object.kind].find((one) => Object.hasOwn(onConflictOf, one));
  if (named !== undefined) return onConflictOf[named] ?? onConflict;
  return object.kind === 'ServiceAccount' && object.name === 'default' && onConflict === 'skip'
    ? 'update'
    : onConflict;
}
