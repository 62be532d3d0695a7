import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { kindKey } from '../kinds.ts';
import type { KindRules } from './rule.ts';

/** Which controllers make which objects anew, by the kinds of owner and owned. */
const made: Record<string, readonly string[]> = {
  'ReplicaSet.apps': ['Deployment.apps'],
  'ControllerRevision.apps': ['StatefulSet.apps', 'DaemonSet.apps'],
  'Job.batch': ['CronJob.batch'],
  'EndpointSlice.discovery.k8s.io': ['Service', 'Endpoints'],
  Pod: [],
};

export const ownedRules: KindRules = {
  kinds: Object.keys(made),
  rules: [
    {
      about: `what a controller keeps: ${Object.entries(made)
        .map(([kind, owners]) => `${kind} of ${owners.length === 0 ? 'any controller' : owners.join(' or ')}`)
        .join(', ')}`,
      does: 'leaves the object out',
      because: 'its controller makes it anew; a copy from the backup would be a second one',
      leavesOut: isKept,
    },
  ],
};

function isKept(object: KubernetesObject): boolean {
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return false;
  const owners = made[kindKey(object)] ?? [];
  return owners.length === 0 || owners.includes(kindKey(owner));
}
