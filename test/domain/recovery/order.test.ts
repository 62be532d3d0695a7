import { describe, expect, test } from '@jest/globals';
import { groupOf, otherKinds, positionOf, restoreOrder } from '../../../src/domain/recovery/order.ts';
import { anObject } from './support.ts';

const place = (kind: string): number => positionOf(anObject(kind));

describe('the order of a recovery', () => {
  test.each([
    ['CustomResourceDefinition.apiextensions.k8s.io', 'Namespace'],
    ['Namespace', 'Secret'],
    ['StorageClass.storage.k8s.io', 'PersistentVolumeClaim'],
    ['PriorityClass.scheduling.k8s.io', 'Deployment.apps'],
    ['PersistentVolume', 'PersistentVolumeClaim'],
    ['Role.rbac.authorization.k8s.io', 'RoleBinding.rbac.authorization.k8s.io'],
    ['ServiceAccount', 'RoleBinding.rbac.authorization.k8s.io'],
    ['ServiceAccount', 'Secret'],
    ['Secret', 'Deployment.apps'],
    ['LimitRange', 'PersistentVolumeClaim'],
    ['LimitRange', 'Pod'],
    ['PersistentVolumeClaim', 'StatefulSet.apps'],
    ['NetworkPolicy.networking.k8s.io', 'Pod'],
    ['Endpoints', 'Service'],
    ['Service', 'Deployment.apps'],
    ['Deployment.apps', 'Widget.example.org'],
    ['Widget.example.org', 'Job.batch'],
    ['Deployment.apps', 'HorizontalPodAutoscaler.autoscaling'],
    ['Service', 'Ingress.networking.k8s.io'],
    ['Job.batch', 'ResourceQuota'],
    ['ResourceQuota', 'ValidatingWebhookConfiguration.admissionregistration.k8s.io'],
    ['MutatingWebhookConfiguration.admissionregistration.k8s.io', 'APIService.apiregistration.k8s.io'],
  ])('has %s before %s', (first, second) => {
    expect(place(first)).toBeLessThan(place(second));
  });

  test('goes by kind and group, not by version', () => {
    const beta = { apiVersion: 'autoscaling/v2beta2', kind: 'HorizontalPodAutoscaler' };
    expect(groupOf(beta).name).toBe('scaling');
  });

  test('puts a custom resource with the name of a known kind to the other kinds', () => {
    expect(groupOf({ apiVersion: 'serving.knative.dev/v1', kind: 'Service' }).name).toBe(otherKinds);
    expect(groupOf({ apiVersion: 'v1', kind: '__proto__' }).name).toBe(otherKinds);
  });

  test('names every kind once and gives every group a reason', () => {
    const kinds = restoreOrder.flatMap((group) => group.kinds);
    expect(new Set(kinds).size).toBe(kinds.length);
    expect(restoreOrder.filter(({ because }) => because.length < 20)).toEqual([]);
    expect(restoreOrder.filter((group) => group.kinds.length === 0).map(({ name }) => name)).toEqual([
      otherKinds,
    ]);
  });

  test('waits where the next objects need what was made', () => {
    const waits = restoreOrder.flatMap(({ name, before, after }) =>
      before === undefined && after === undefined ? [] : [[name, before ?? after]],
    );
    expect(waits).toEqual([
      ['definitions', 'established'],
      ['namespaces', 'active'],
      ['claims', 'bound'],
      ['admission', 'backendsReady'],
      ['aggregated APIs', 'backendsReady'],
    ]);
  });
});
