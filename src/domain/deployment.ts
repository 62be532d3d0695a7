import type { KubernetesObject } from '../contracts/kubernetes.ts';

/** The parts of a Deployment, ReplicaSet, Pod or Event that this project reads; everything else stays raw. */
export interface Container {
  name: string;
  image?: string;
  resources?: { requests?: Record<string, unknown>; limits?: Record<string, unknown> };
  readinessProbe?: ProbeTiming;
  startupProbe?: ProbeTiming;
  restartPolicy?: string;
}

export interface ProbeTiming {
  initialDelaySeconds?: number;
  periodSeconds?: number;
  failureThreshold?: number;
}

export interface Condition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export interface PodSpec {
  containers: Container[];
  initContainers?: Container[];
}

export interface Deployment extends KubernetesObject {
  spec: {
    replicas?: number;
    paused?: boolean;
    progressDeadlineSeconds?: number;
    strategy?: {
      type?: string;
      rollingUpdate?: { maxSurge?: number | string; maxUnavailable?: number | string };
    };
    selector: {
      matchLabels?: Record<string, string>;
      matchExpressions?: { key: string; operator: string; values?: string[] }[];
    };
    template: {
      metadata?: { labels?: Record<string, string>; annotations?: Record<string, string> };
      spec: PodSpec;
    };
  };
  status?: {
    observedGeneration?: number;
    replicas?: number;
    updatedReplicas?: number;
    availableReplicas?: number;
    readyReplicas?: number;
    conditions?: Condition[];
  };
}

export const revisionAnnotation = 'deployment.kubernetes.io/revision';

/** Desired replicas; Kubernetes defaults to one. */
export function desiredReplicas(deployment: Deployment): number {
  return deployment.spec.replicas ?? 1;
}

/**
 * How many pods more than desired may run during a rollout. Percentages round up, as Kubernetes does, and
 * never more new pods start than are desired. Undefined when maxSurge is neither a number nor a percentage.
 */
export function surge(deployment: Deployment): number | undefined {
  if (deployment.spec.strategy?.type === 'Recreate') return 0;
  const desired = desiredReplicas(deployment);
  const value = deployment.spec.strategy?.rollingUpdate?.maxSurge ?? '25%';
  if (typeof value === 'number') return Math.min(value, desired);
  const percent = /^([0-9]+)%$/.exec(value)?.[1];
  return percent === undefined ? undefined : Math.min(Math.ceil((desired * Number(percent)) / 100), desired);
}

/** A label selector in the form of a query parameter. */
export function selectorText(selector: Deployment['spec']['selector']): string {
  const labels = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.join(',')})`;
  });
  return [...labels, ...expressions].join(',');
}

/** The controlling owner's uid. */
export function controllerUid(object: KubernetesObject): string | undefined {
  return object.metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid;
}

/** Whether labels satisfy a label selector; an empty selector selects everything. */
export function matchesSelector(
  labels: Record<string, string>,
  selector: Deployment['spec']['selector'] | undefined,
): boolean {
  if (selector === undefined) return false;
  const own = (key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => own(key) === value);
  const expressions = (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = own(key);
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    if (operator === 'In') return value !== undefined && values.includes(value);
    return value === undefined || !values.includes(value);
  });
  return equal && expressions;
}
