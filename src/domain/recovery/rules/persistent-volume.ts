import { dropAnnotations, dropAt, editAt } from '../edit.ts';
import type { KindRules } from './rule.ts';

export const persistentVolumeRules: KindRules = {
  kinds: ['PersistentVolume'],
  rules: [
    {
      about: 'spec.claimRef.uid, spec.claimRef.resourceVersion',
      does: 'drops',
      because:
        'the volume waits for the claim of that uid, which is gone; by name alone the restored claim gets its volume back',
      edit: (volume) =>
        dropAt(dropAt(volume, ['spec', 'claimRef', 'uid']), ['spec', 'claimRef', 'resourceVersion']),
    },
    {
      about: 'annotations pv.kubernetes.io/bound-by-controller, pv.kubernetes.io/bind-completed',
      does: 'drops',
      because:
        'the controller undoes a binding that it made and whose claim it does not see, and may delete the data',
      edit: (volume) =>
        dropAnnotations(volume, (name) =>
          ['pv.kubernetes.io/bound-by-controller', 'pv.kubernetes.io/bind-completed'].includes(name),
        ),
    },
    {
      about: 'metadata.finalizers: external-attacher/…',
      does: 'drops',
      because: 'they belong to an attachment to a node, which is not restored',
      edit: (volume) =>
        editAt(volume, ['metadata', 'finalizers'], (value) => {
          if (!Array.isArray(value)) return value;
          const left = value.filter(
            (name) => typeof name !== 'string' || !name.startsWith('external-attacher/'),
          );
          return left.length === 0 ? undefined : left;
        }),
    },
    {
      about: 'annotation pv.kubernetes.io/provisioned-by',
      does: 'keeps',
      because: 'it says who may delete the storage behind the volume',
    },
  ],
};
