import type { DrillPolicy } from '../contracts/drill-policy.ts';
import type { Scratch } from '../contracts/drill.ts';
import type { KubernetesObject } from '../contracts/kubernetes.ts';
import { drillAnnotations, drillLabel } from '../contracts/names.ts';

const name = 'runbook-drill';
const dayMilliseconds = 24 * 3600 * 1000;

/** The namespace of a drill and what limits it, in the order in which they are made. `identity`: of the Temporal that runs it. */
export function scratchObjects(
  { name: namespace, target, run, startedAt }: Scratch,
  identity: string,
  { quota, allowEmptyClaims }: DrillPolicy,
): [KubernetesObject, ...KubernetesObject[]] {
  const inside = { name, namespace };
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { [drillLabel]: target },
        annotations: {
          [drillAnnotations.workflowId]: run.workflowId,
          [drillAnnotations.firstRunId]: run.firstRunId,
          [drillAnnotations.startedAt]: startedAt,
          [drillAnnotations.temporal]: identity,
        },
      },
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: inside,
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    },
    // A quota refuses pods that do not say what they need: they get a little by default.
    {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: inside,
      spec: { limits: [{ type: 'Container', defaultRequest: { cpu: '10m', memory: '16Mi' } }] },
    },
    {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: inside,
      spec: {
        hard: {
          pods: String(quota.pods),
          'requests.cpu': quota.cpu,
          'requests.memory': quota.memory,
          persistentvolumeclaims: String(allowEmptyClaims ? quota.claims : 0),
          'services.loadbalancers': '0',
          'services.nodeports': '0',
        },
      },
    },
  ];
}

/**
 * Whether a namespace is old enough to be a leftover, if its run is closed: a day, since a worker of a closed run may
 * still be at it. Of another Temporal nobody here knows the runs; without a time nothing is known.
 */
export function isForgotten({ metadata }: KubernetesObject, identity: string, now: number): boolean {
  const { annotations = {}, deletionTimestamp } = metadata;
  const startedAt = Date.parse(annotations[drillAnnotations.startedAt] ?? '');
  return (
    deletionTimestamp === undefined &&
    annotations[drillAnnotations.temporal] === identity &&
    annotations[drillAnnotations.workflowId] !== undefined &&
    now - startedAt > dayMilliseconds
  );
}
