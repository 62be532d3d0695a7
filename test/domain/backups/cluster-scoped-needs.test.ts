import { describe, expect, test } from '@jest/globals';
import { parseLossless } from '../../../src/clients/kubernetes/lossless-json.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import {
  addAggregatedRoles,
  addNeeds,
  kindKey,
  namesNamespace,
  noNeeds,
  roleFact,
  type ClusterNeeds,
} from '../../../src/domain/backups/cluster-scoped-needs.ts';

const rbac = 'rbac.authorization.k8s.io';
const needs = (): ClusterNeeds =>
  noNeeds('shop', [
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole' },
    { apiVersion: 'issuers.example/v1', kind: 'ClusterIssuer' },
    { apiVersion: 'v1', kind: 'Node' },
    { apiVersion: 'v1', kind: 'Namespace' },
    { apiVersion: 'v1', kind: 'PersistentVolume' },
  ]);

function object(
  apiVersion: string,
  kind: string,
  more: Record<string, unknown>,
  metadata: Record<string, unknown> = {},
): KubernetesObject {
  return { apiVersion, kind, metadata: { name: 'a', ...metadata }, ...more };
}

/** What the objects name, one line each. */
function named(...objects: KubernetesObject[]): string[] {
  const found = needs();
  for (const one of objects) addNeeds(found, one);
  return [...found.named].flatMap(([key, names]) => [...names].map((name) => `${key} ${name}`)).sort();
}

describe('objects name what they need of the cluster', () => {
  const podSpec = { priorityClassName: 'high', runtimeClassName: 'sandboxed' };
  const ofPod = ['node.k8s.io/RuntimeClass sandboxed', 'scheduling.k8s.io/PriorityClass high'];
  test.each<[string, KubernetesObject, string[]]>([
    ['a pod', object('v1', 'Pod', { spec: podSpec }), ofPod],
    ['a template', object('apps/v1', 'Deployment', { spec: { template: { spec: podSpec } } }), ofPod],
    [
      'a template in a template',
      object('batch/v1', 'CronJob', { spec: { jobTemplate: { spec: { template: { spec: podSpec } } } } }),
      ofPod,
    ],
    [
      'a template in a custom resource',
      object('x.example/v1', 'App', { spec: { pods: [[{ podSpec }]] } }),
      ofPod,
    ],
    [
      'a claim',
      object('v1', 'PersistentVolumeClaim', { spec: { storageClassName: 'fast', volumeName: 'pv-1' } }),
      ['storage.k8s.io/StorageClass fast'],
    ],
    [
      'a claim of older times',
      object(
        'v1',
        'PersistentVolumeClaim',
        {},
        { annotations: { 'volume.beta.kubernetes.io/storage-class': 'old' } },
      ),
      ['storage.k8s.io/StorageClass old'],
    ],
    [
      'the claims of a StatefulSet',
      object('apps/v1', 'StatefulSet', {
        spec: { volumeClaimTemplates: [{ spec: { storageClassName: 'fast' } }] },
      }),
      ['storage.k8s.io/StorageClass fast'],
    ],
    [
      'an ingress',
      object('networking.k8s.io/v1', 'Ingress', { spec: { ingressClassName: 'outer' } }),
      ['networking.k8s.io/IngressClass outer'],
    ],
    [
      'an ingress of older times',
      object(
        'networking.k8s.io/v1',
        'Ingress',
        {},
        { annotations: { 'kubernetes.io/ingress.class': 'old' } },
      ),
      ['networking.k8s.io/IngressClass old'],
    ],
    [
      'a binding of a role of the cluster',
      object(`${rbac}/v1`, 'RoleBinding', {
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'viewer' },
      }),
      [`${rbac}/ClusterRole viewer`],
    ],
    [
      'a binding of a role of its own',
      object(`${rbac}/v1`, 'RoleBinding', { roleRef: { kind: 'Role', name: 'x' } }),
      [],
    ],
    [
      'a reference to a custom resource of the cluster',
      object('certs.example/v1', 'Certificate', {
        spec: { issuerRef: { kind: 'ClusterIssuer', name: 'public' } },
      }),
      ['issuers.example/ClusterIssuer public'],
    ],
    [
      "nodes, namespaces and volumes, which are nobody's",
      object('x.example/v1', 'App', {
        spec: ['Node', 'Namespace', 'PersistentVolume'].map((kind) => ({ kind, name: 'x' })),
      }),
      [],
    ],
    ['an empty class', object('v1', 'PersistentVolumeClaim', { spec: { storageClassName: '' } }), []],
    [
      'a class that is no text',
      object('v1', 'PersistentVolumeClaim', { spec: { storageClassName: { a: 1 } } }),
      [],
    ],
    ['nothing', object('v1', 'ConfigMap', {}), []],
  ])('%s', (_what, one, expected) => {
    expect(named(one)).toEqual(expected);
  });

  test('a name is held once, however many objects have it', () => {
    const claims = Array.from({ length: 3 }, () =>
      object('v1', 'PersistentVolumeClaim', { spec: { storageClassName: 'fast' } }),
    );
    expect(named(...claims)).toEqual(['storage.k8s.io/StorageClass fast']);
  });

  test('deep nesting, prototype keys and long numbers do no harm', () => {
    const depth = 1000;
    const deep = `${'{"a":['.repeat(depth)}{"storageClassName":"fast"}${']}'.repeat(depth)}`;
    const text = `{"apiVersion":"x.example/v1","kind":"X","metadata":{"name":"a"},"__proto__":{"priorityClassName":"p"},"n":9007199254740993,"d":${deep}}`;
    expect(named(parseLossless(text) as unknown as KubernetesObject)).toEqual([
      'scheduling.k8s.io/PriorityClass p',
      'storage.k8s.io/StorageClass fast',
    ]);
  });
});

describe('objects of the cluster name the namespace', () => {
  const subject = (kind: string, name: string, namespace?: string): Record<string, unknown> => ({
    subjects: [
      { kind: 'User', name: 'ann' },
      { kind, name, namespace },
    ],
  });
  const binding = (more: Record<string, unknown>): KubernetesObject =>
    object(`${rbac}/v1`, 'ClusterRoleBinding', more);
  const webhook = (namespace: string): Record<string, unknown> => ({
    webhooks: [
      { clientConfig: { url: 'https://x' } },
      { clientConfig: { service: { name: 's', namespace } } },
    ],
  });
  const admission = 'admissionregistration.k8s.io/v1';
  test.each<[string, KubernetesObject, boolean]>([
    [
      'a volume of a claim',
      object('v1', 'PersistentVolume', { spec: { claimRef: { namespace: 'shop' } } }),
      true,
    ],
    [
      'a volume of another',
      object('v1', 'PersistentVolume', { spec: { claimRef: { namespace: 'shop2' } } }),
      false,
    ],
    ['a volume of nobody', object('v1', 'PersistentVolume', { spec: {} }), false],
    ['an account', binding(subject('ServiceAccount', 'x', 'shop')), true],
    ['an account of another', binding(subject('ServiceAccount', 'x', 'other')), false],
    ['an account as a user', binding(subject('User', 'system:serviceaccount:shop:x')), true],
    [
      'an account of a longer namespace as a user',
      binding(subject('User', 'system:serviceaccount:shop2:x')),
      false,
    ],
    ['all accounts as a group', binding(subject('Group', 'system:serviceaccounts:shop')), true],
    ['all accounts of everywhere', binding(subject('Group', 'system:serviceaccounts')), false],
    ['no subjects', binding({}), false],
    ['subjects that are null', binding({ subjects: null }), false],
    ['a validating webhook', object(admission, 'ValidatingWebhookConfiguration', webhook('shop')), true],
    ['a mutating webhook', object(admission, 'MutatingWebhookConfiguration', webhook('shop')), true],
    ['a webhook of another', object(admission, 'MutatingWebhookConfiguration', webhook('other')), false],
    [
      'an API service',
      object('apiregistration.k8s.io/v1', 'APIService', { spec: { service: { namespace: 'shop' } } }),
      true,
    ],
    [
      'an API service of the API server',
      object('apiregistration.k8s.io/v1', 'APIService', { spec: { service: null } }),
      false,
    ],
    [
      'what a snapshot holds',
      object('snapshot.storage.k8s.io/v1', 'VolumeSnapshotContent', {
        spec: { volumeSnapshotRef: { namespace: 'shop' } },
      }),
      true,
    ],
  ])('%s: %s', (_what, one, expected) => {
    expect(namesNamespace(needs(), one)).toBe(expected);
  });
});

describe('ClusterRoles that are put together from others', () => {
  const role = (
    name: string,
    labels: Record<string, string>,
    ...clusterRoleSelectors: object[]
  ): KubernetesObject =>
    object(`${rbac}/v1`, 'ClusterRole', { aggregationRule: { clusterRoleSelectors } }, { name, labels });
  const key = kindKey(`${rbac}/v1`, 'ClusterRole');

  function rolesFor(name: string, roles: KubernetesObject[]): string[] {
    const found = needs();
    found.named.set(key, new Set([name]));
    addAggregatedRoles(found, roles.map(roleFact));
    return [...(found.named.get(key) ?? [])].sort();
  }

  test('bring those, and those of those', () => {
    const roles = [
      role('leaf', { to: 'middle' }),
      role('middle', { to: 'top' }, { matchLabels: { to: 'middle' } }),
      role('top', {}, { matchLabels: { to: 'top' } }),
      role('other', { to: 'other' }),
    ];
    expect(rolesFor('top', roles)).toEqual(['leaf', 'middle', 'top']);
    expect(rolesFor('other', roles)).toEqual(['other']);
  });

  test.each([
    [{ key: 'a', operator: 'Exists' }, ['one', 'two']],
    [{ key: 'a', operator: 'DoesNotExist' }, ['none', 'top']],
    [{ key: 'a', operator: 'In', values: ['1'] }, ['one']],
    [{ key: 'a', operator: 'NotIn', values: ['1'] }, ['none', 'top', 'two']],
  ])('by %j', (expression, expected) => {
    const roles = [
      role('one', { a: '1' }),
      role('two', { a: '2' }),
      role('none', {}),
      role('top', {}, { matchExpressions: [expression] }),
    ];
    expect(rolesFor('top', roles)).toEqual([...new Set([...expected, 'top'])].sort());
  });

  test('that no longer exist bring nothing', () => {
    expect(rolesFor('gone', [role('leaf', { a: '1' })])).toEqual(['gone']);
  });
});
