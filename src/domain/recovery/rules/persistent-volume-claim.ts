import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAnnotations, dropAt, valueOf } from '../edit.ts';
import type { KindRules, RuleContext } from './rule.ts';
import { filledFrom } from './union.ts';

const ofTheBinding = new Set([
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/selected-node',
  'volume.kubernetes.io/storage-provisioner',
  'volume.beta.kubernetes.io/storage-provisioner',
]);

export const persistentVolumeClaimRules: KindRules = {
  kinds: ['PersistentVolumeClaim'],
  rules: [
    {
      about: `annotations ${[...ofTheBinding].join(', ')}`,
      does: 'drops',
      because:
        'a claim that says it is bound to a volume that does not know it is lost for ever, and the chosen node may be gone',
      edit: (claim) => dropAnnotations(claim, (name) => ofTheBinding.has(name)),
    },
    {
      about: 'spec.volumeName',
      does: 'drops',
      because:
        'the claim would wait for ever for a volume that is gone; it stays when that volume is there or is restored too',
      edit: withVolumeThatIsThere,
      merge: (wanted, live) => filledFrom(wanted, live, 'spec', 'volumeName'),
    },
    {
      about: 'spec.volumeName',
      does: 'drops',
      when: 'in a drill',
      because: 'a drill must not touch the data of the service',
    },
    {
      about: 'spec.storageClassName, spec.volumeMode',
      does: 'takes it from the live object',
      because: 'the server filled them in when the claim was made, and they cannot be changed',
      merge: (wanted, live) =>
        filledFrom(filledFrom(wanted, live, 'spec', 'storageClassName'), live, 'spec', 'volumeMode'),
    },
  ],
};

function withVolumeThatIsThere(
  claim: KubernetesObject,
  { volumeKept, purpose }: RuleContext,
): KubernetesObject {
  const volume = valueOf(claim, 'spec', 'volumeName');
  return purpose === 'recover' && typeof volume === 'string' && volumeKept(volume)
    ? claim
    : dropAt(claim, ['spec', 'volumeName']);
}
