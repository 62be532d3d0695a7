import { changeAnnotation } from '../../../contracts/names.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAnnotations, dropAt, editAt, withoutMembers } from '../edit.ts';
import type { KindRules } from './rule.ts';
import { union } from './union.ts';

const ofTheServer = new Set([
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'selfLink',
  'managedFields',
]);

/** Finalizers that stand for a deletion under way. */
const ofDeletion = new Set(['foregroundDeletion', 'orphan']);

/** For every kind. */
export const genericRules: KindRules = {
  rules: [
    {
      about: `metadata: ${[...ofTheServer].join(', ')}`,
      does: 'drops',
      because:
        'the server sets them; field ownership of appliers is put back by a second write, since a create would lose it',
      edit: withoutServerMetadata,
    },
    {
      about: 'status',
      does: 'drops',
      because:
        'it describes pods, volumes and addresses that are gone; controllers write it anew. Backups do not have it, unless it is a field like others in its kind',
    },
    {
      about: 'metadata.ownerReferences',
      does: 'drops',
      because:
        'they name uids that are gone, and the garbage collector deletes what has only such owners; they are put back with the new uids of owners that are restored too, else dropped with a note',
      edit: (object) => dropAt(object, ['metadata', 'ownerReferences']),
      merge: withOwners,
    },
    {
      about: 'metadata.finalizers: foregroundDeletion, orphan',
      does: 'drops',
      because: 'they belong to a deletion that was under way',
      edit: (object) => dropFinalizers(object, (name) => ofDeletion.has(name)),
    },
    {
      about: 'metadata.finalizers',
      does: 'keeps',
      because:
        'their controllers rely on them to clean up outside; of an object that exists, its own stay beside those of the backup',
      merge: (wanted, live) => union(wanted, live, ['metadata', 'finalizers']),
    },
    {
      about: 'metadata.finalizers',
      does: 'drops',
      when: 'in a drill',
      because: 'no controller answers for the copy, and its namespace has to go away afterwards',
      edit: (object, { purpose }) => (purpose === 'drill' ? dropFinalizers(object, () => true) : object),
    },
    {
      about: `annotation ${changeAnnotation}`,
      does: 'drops',
      because: 'it names the run that wrote the object last, and this run writes its own',
      edit: withoutMark,
    },
    {
      about: 'annotation kubectl.kubernetes.io/last-applied-configuration',
      does: 'keeps',
      because: 'without it the next kubectl apply cannot tell what it may remove',
    },
  ],
};

/**
 * An object without what the server sets, its status (unless that is a field like others), and the mark of whoever of
 * ours wrote it last.
 */
export function withoutServerFields(object: KubernetesObject, statusIsData: boolean): KubernetesObject {
  const bare = withoutMark(withoutServerMetadata(object));
  return statusIsData ? bare : dropAt(bare, ['status']);
}

function withoutServerMetadata(object: KubernetesObject): KubernetesObject {
  return editAt(object, ['metadata'], (value) => withoutMembers(value, (key) => ofTheServer.has(key)));
}

/** An object without the mark of whoever of ours wrote it last. */
export function withoutMark(object: KubernetesObject): KubernetesObject {
  return dropAnnotations(object, (name) => name === changeAnnotation);
}

function dropFinalizers(object: KubernetesObject, goes: (name: string) => boolean): KubernetesObject {
  return editAt(object, ['metadata', 'finalizers'], (value) => {
    if (!Array.isArray(value)) return value;
    const left = value.filter((name) => typeof name !== 'string' || !goes(name));
    return left.length === 0 ? undefined : left;
  });
}

/** Uids of the live object are those of the cluster as it is now. */
function withOwners(wanted: KubernetesObject, live: KubernetesObject): KubernetesObject {
  const owners = live.metadata.ownerReferences;
  return owners === undefined
    ? wanted
    : { ...wanted, metadata: { ...wanted.metadata, ownerReferences: owners } };
}
