import type { KubernetesObject } from '../contracts/kubernetes.ts';
import {
  desiredReplicas,
  matchesSelector,
  revisionAnnotation,
  surge,
  type Deployment,
} from './deployment.ts';

interface PodDisruptionBudget extends KubernetesObject {
  spec?: { selector?: Deployment['spec']['selector'] };
  status?: { disruptionsAllowed?: number };
}

interface Autoscaler extends KubernetesObject {
  spec?: { scaleTargetRef?: { kind?: string; name?: string }; minReplicas?: number; maxReplicas?: number };
}

/** What a person should know beside the changes: replicas, surge, budgets, autoscalers, who wrote the object. */
export function describeRollout(
  deployment: Deployment,
  around: { budgets: KubernetesObject[] | undefined; autoscalers: KubernetesObject[] | undefined },
): string[] {
  const revision = deployment.metadata.annotations?.[revisionAnnotation];
  // A status leaves out zeros; without a status nothing is known.
  const available = deployment.status === undefined ? 'unknown' : (deployment.status.availableReplicas ?? 0);
  return [
    `now: revision ${revision ?? 'unknown'}, ${available} of ${desiredReplicas(deployment)} replicas available`,
    `rollout: ${deployment.spec.strategy?.type ?? 'RollingUpdate'}, at most ${surge(deployment) ?? 'unknown'} pod(s) more than now`,
    describeBudgets(deployment, around.budgets),
    describeAutoscalers(deployment, around.autoscalers),
    describeManagers(deployment),
  ];
}

function describeBudgets(deployment: Deployment, budgets: PodDisruptionBudget[] | undefined): string {
  if (budgets === undefined)
    return 'disruption budget: unknown, the worker may not list PodDisruptionBudgets';
  const labels = deployment.spec.template.metadata?.labels ?? {};
  const ours = budgets.filter((budget) => matchesSelector(labels, budget.spec?.selector));
  if (ours.length === 0) return 'disruption budget: none';
  return `disruption budget: ${ours.map((budget) => `${budget.metadata.name} allows ${budget.status?.disruptionsAllowed ?? 'unknown'} now`).join(', ')}`;
}

function describeAutoscalers(deployment: Deployment, autoscalers: Autoscaler[] | undefined): string {
  if (autoscalers === undefined)
    return 'autoscaler: unknown, the worker may not list HorizontalPodAutoscalers';
  const ours = autoscalers.filter(
    ({ spec }) =>
      spec?.scaleTargetRef?.kind === deployment.kind && spec.scaleTargetRef.name === deployment.metadata.name,
  );
  if (ours.length === 0) return 'autoscaler: none';
  return `autoscaler: ${ours.map(({ metadata, spec }) => `${metadata.name} keeps ${spec?.minReplicas ?? 1} to ${spec?.maxReplicas ?? '?'} replicas`).join(', ')}`;
}

function describeManagers(deployment: Deployment): string {
  const writers = (deployment.metadata.managedFields ?? []).filter(
    (entry) => entry.subresource === undefined,
  );
  const names = [
    ...new Set(writers.map((entry) => `${entry.manager ?? 'unknown'} (${entry.operation ?? 'unknown'})`)),
  ];
  return `written by: ${names.slice(0, 5).join(', ') || 'unknown'}`;
}
