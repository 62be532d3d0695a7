import { kindKey } from './kinds.ts';

/** What has to be true of a group before the next one begins, or of the cluster before this one does. */
export type Wait =
  /** Every definition serves its kind. */
  | 'established'
  /** Every namespace takes objects. */
  | 'active'
  /** Every claim has its volume, but those of a class that waits for a pod: they bind with it. */
  | 'bound'
  /** The Services that these objects name have ready endpoints. */
  | 'backendsReady';

/** Kinds that are restored together, and why at this place. */
export interface RestoreGroup {
  name: string;
  /** As `Kind.group`; the group of everything that no other one names has none. */
  kinds: readonly string[];
  because: string;
  /** What is waited for before the first object of the group is written. */
  before?: Wait;
  /** What is waited for after the last one. */
  after?: Wait;
}

/** The group of every kind that no other one names: custom resources, mostly. */
export const otherKinds = 'custom resources';

/** From first to last. */
export const restoreOrder: readonly RestoreGroup[] = [
  {
    name: 'definitions',
    kinds: ['CustomResourceDefinition.apiextensions.k8s.io'],
    because: 'the server refuses an object whose kind it does not serve yet',
    after: 'established',
  },
  {
    name: 'namespaces',
    kinds: ['Namespace'],
    because: 'everything else in the backup lies in one',
    after: 'active',
  },
  {
    name: 'classes',
    kinds: [
      'PriorityClass.scheduling.k8s.io',
      'RuntimeClass.node.k8s.io',
      'StorageClass.storage.k8s.io',
      'VolumeSnapshotClass.snapshot.storage.k8s.io',
      'IngressClass.networking.k8s.io',
    ],
    because:
      'a pod whose priority or runtime class is missing is refused, and a claim whose storage class is missing waits for ever',
  },
  {
    name: 'volumes',
    kinds: ['PersistentVolume'],
    because: 'a claim that finds its own volume does not get a new, empty one',
  },
  {
    name: 'roles',
    kinds: ['ClusterRole.rbac.authorization.k8s.io', 'Role.rbac.authorization.k8s.io'],
    because: 'a binding is checked against the permissions of the role that it names',
  },
  {
    name: 'accounts',
    kinds: ['ServiceAccount'],
    because: 'a token Secret of an account that is missing is deleted at once, and a pod of it is refused',
  },
  {
    name: 'bindings',
    kinds: ['ClusterRoleBinding.rbac.authorization.k8s.io', 'RoleBinding.rbac.authorization.k8s.io'],
    because: 'a workload that starts before its permissions fails its first calls, and some do not try again',
  },
  {
    name: 'configuration',
    kinds: ['Secret', 'ConfigMap'],
    because: 'a container whose Secret or ConfigMap is missing does not start',
  },
  {
    name: 'limits',
    kinds: ['LimitRange'],
    because: 'its defaults are written into pods and claims when these are made, and never later',
  },
  {
    name: 'claims',
    kinds: ['PersistentVolumeClaim'],
    because: 'a StatefulSet makes every claim that it does not find, and an empty volume with it',
    after: 'bound',
  },
  {
    name: 'network policies',
    kinds: ['NetworkPolicy.networking.k8s.io'],
    because: 'no pod may run for a moment without the rules that it had',
  },
  {
    name: 'addresses',
    kinds: ['Endpoints', 'EndpointSlice.discovery.k8s.io'],
    because: 'those made by hand are there when their Service begins to answer',
  },
  {
    name: 'services',
    kinds: ['Service'],
    because:
      'pods get the addresses of Services as variables when they start, and a StatefulSet its names from one',
  },
  {
    name: 'workloads',
    kinds: [
      'Pod',
      'ReplicationController',
      'ReplicaSet.apps',
      'DaemonSet.apps',
      'Deployment.apps',
      'StatefulSet.apps',
      'ControllerRevision.apps',
    ],
    because: 'everything that their pods need to start is there',
  },
  {
    name: otherKinds,
    kinds: [],
    because:
      'an operator makes what it misses anew, with new passwords and empty volumes: it has to find the objects of its resource in place',
  },
  {
    name: 'jobs',
    kinds: ['Job.batch', 'CronJob.batch'],
    because: 'a job gives up after a few tries: what it talks to comes first',
  },
  {
    name: 'scaling',
    kinds: ['HorizontalPodAutoscaler.autoscaling', 'PodDisruptionBudget.policy'],
    because: 'they act on workloads, and an autoscaler reports a fault for each one that it does not find',
  },
  {
    name: 'ingress',
    kinds: ['Ingress.networking.k8s.io'],
    because: 'traffic comes when what answers it is there',
  },
  {
    name: 'quotas',
    kinds: ['ResourceQuota'],
    because:
      'a new quota refuses everything until its controller has counted, slows every write that it counts, and one that was lowered under its objects would never let them back: behind them it changes nothing that was in force before',
  },
  {
    name: 'admission',
    kinds: [
      'ValidatingAdmissionPolicy.admissionregistration.k8s.io',
      'ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io',
      'MutatingAdmissionPolicy.admissionregistration.k8s.io',
      'MutatingAdmissionPolicyBinding.admissionregistration.k8s.io',
      'MutatingWebhookConfiguration.admissionregistration.k8s.io',
      'ValidatingWebhookConfiguration.admissionregistration.k8s.io',
    ],
    because:
      'a webhook whose pods do not answer refuses or delays every write, and what is restored was admitted once already',
    before: 'backendsReady',
  },
  {
    name: 'aggregated APIs',
    kinds: ['APIService.apiregistration.k8s.io'],
    because: 'while the pods behind one do not answer, discovery fails and no namespace can be deleted',
    before: 'backendsReady',
  },
];

const positions = new Map(
  restoreOrder.flatMap(({ kinds }, position) => kinds.map((kind) => [kind, position] as const)),
);
const otherPosition = restoreOrder.findIndex(({ name }) => name === otherKinds);

/** The place of a kind in {@link restoreOrder}, whatever its version. */
export function positionOf(kind: { apiVersion: string; kind: string }): number {
  return positions.get(kindKey(kind)) ?? otherPosition;
}

/** The group that a kind is restored with. */
export function groupOf(kind: { apiVersion: string; kind: string }): RestoreGroup {
  const group = restoreOrder[positionOf(kind)];
  if (group === undefined) throw new Error('the order has no group for other kinds');
  return group;
}
