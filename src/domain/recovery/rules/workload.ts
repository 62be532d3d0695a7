import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { dropAnnotations, putAt, valueOf } from '../edit.ts';
import type { KindRules, RuleContext } from './rule.ts';

const ofTheController = new Set([
  'deployment.kubernetes.io/revision',
  'deployment.kubernetes.io/desired-replicas',
  'deployment.kubernetes.io/max-replicas',
  'deprecated.daemonset.template.generation',
]);

/** Kinds that are scaled and rolled out. */
export const workloadRules: KindRules = {
  kinds: ['Deployment.apps', 'StatefulSet.apps', 'DaemonSet.apps', 'ReplicaSet.apps'],
  rules: [
    {
      about: `annotations ${[...ofTheController].join(', ')}`,
      does: 'drops',
      because: 'the controller counts anew; of an object that exists its own stay',
      edit: (workload) => dropAnnotations(workload, (name) => ofTheController.has(name)),
    },
    {
      about: 'spec.replicas',
      does: 'takes it from the live object',
      when: 'with an autoscaler',
      because: 'the autoscaler decides over it, and the load of today is not the one of the backup',
      merge: withLiveReplicas,
    },
  ],
};

function withLiveReplicas(
  wanted: KubernetesObject,
  live: KubernetesObject,
  { autoscaled }: RuleContext,
): KubernetesObject {
  const replicas = valueOf(live, 'spec', 'replicas');
  const owned = autoscaled({ kind: wanted.kind, name: wanted.metadata.name });
  return owned && replicas !== undefined ? putAt(wanted, ['spec', 'replicas'], replicas) : wanted;
}
