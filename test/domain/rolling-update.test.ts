import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';
import { describeRollout } from '../../src/domain/rolling-update.ts';
import { aDeployment } from '../support/builders.ts';

const none = { budgets: [], autoscalers: [] };

function budget(name: string, spec: object, status: object = {}): KubernetesObject {
  return { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name }, spec, status };
}

function autoscaler(name: string, target: object, spec: object = {}): KubernetesObject {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name },
    spec: { scaleTargetRef: target, ...spec },
  };
}

describe('what a person should know beside the changes', () => {
  test('five facts about a plain Deployment', () => {
    const deployment = aDeployment({
      metadata: {
        managedFields: [
          { manager: 'kubectl', operation: 'Apply' },
          { manager: 'kube-controller-manager', operation: 'Update', subresource: 'status' },
          { manager: 'kubectl', operation: 'Apply' },
        ],
      },
    });
    expect(describeRollout(deployment, none)).toEqual([
      'now: revision 2, 3 of 3 replicas available',
      'rollout: RollingUpdate, at most 1 pod(s) more than now',
      'disruption budget: none',
      'autoscaler: none',
      'written by: kubectl (Apply)',
    ]);
  });

  test('a status without available replicas means none of them; without a status nothing is known', () => {
    const [none0] = describeRollout(aDeployment({ status: { observedGeneration: 2 } }), none);
    expect(none0).toBe('now: revision 2, 0 of 3 replicas available');
    const [unknown] = describeRollout(aDeployment({ status: undefined }), none);
    expect(unknown).toBe('now: revision 2, unknown of 3 replicas available');
  });

  test('a missing revision, strategy or manager is called unknown or by its default', () => {
    const bare = aDeployment({
      spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 'odd' } } },
    });
    delete bare.metadata.annotations;
    const facts = describeRollout(bare, none);
    expect(facts[0]).toContain('revision unknown');
    expect(facts[1]).toContain('at most unknown pod(s)');
    expect(facts[4]).toBe('written by: unknown');
    const anonymous = aDeployment({ metadata: { managedFields: [{}] } });
    expect(describeRollout(anonymous, none)[4]).toBe('written by: unknown (unknown)');
  });

  test('what the worker may not list is unknown, not absent', () => {
    const facts = describeRollout(aDeployment(), { budgets: undefined, autoscalers: undefined });
    expect(facts[2]).toBe('disruption budget: unknown, the worker may not list PodDisruptionBudgets');
    expect(facts[3]).toBe('autoscaler: unknown, the worker may not list HorizontalPodAutoscalers');
  });

  test('only budgets that select the pods are named', () => {
    const budgets = [
      budget('ours', { selector: { matchLabels: { app: 'web' } } }, { disruptionsAllowed: 0 }),
      budget('all', { selector: {} }),
      budget('other', { selector: { matchLabels: { app: 'api' } } }),
      budget('none', {}),
    ];
    expect(describeRollout(aDeployment(), { ...none, budgets })[2]).toBe(
      'disruption budget: ours allows 0 now, all allows unknown now',
    );
  });

  test('only autoscalers of this workload are named', () => {
    const autoscalers = [
      autoscaler('ours', { kind: 'Deployment', name: 'web' }, { minReplicas: 2, maxReplicas: 9 }),
      autoscaler('defaults', { kind: 'Deployment', name: 'web' }),
      autoscaler('other kind', { kind: 'StatefulSet', name: 'web' }),
      autoscaler('other name', { kind: 'Deployment', name: 'api' }),
    ];
    expect(describeRollout(aDeployment(), { ...none, autoscalers })[3]).toBe(
      'autoscaler: ours keeps 2 to 9 replicas, defaults keeps 1 to ? replicas',
    );
  });
});
