import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { backupPolicySchema } from '../../../src/contracts/backup-policy.ts';
import {
  excludedKinds,
  excludedObjects,
  leavesOutGroup,
  reasonWithout,
  reasonWithoutKind,
} from '../../../src/domain/backups/exclusions.ts';

type Owner = NonNullable<KubernetesObject['metadata']['ownerReferences']>[number];

function object(
  apiVersion: string,
  kind: string,
  metadata: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): KubernetesObject {
  return { apiVersion, kind, metadata: { name: 'a', ...metadata }, ...more };
}

const owner = (kind: string, more: Partial<Owner> = {}): { ownerReferences: Owner[] } => ({
  ownerReferences: [{ apiVersion: 'apps/v1', kind, name: 'o', uid: 'u', controller: true, ...more }],
});
const ended = (type: string, status = 'True'): Record<string, unknown> => ({
  status: { conditions: [{ type, status }] },
});
const token = (name: string): KubernetesObject =>
  object(
    'v1',
    'Secret',
    { name, annotations: { 'kubernetes.io/service-account.name': 'web' } },
    { type: 'kubernetes.io/service-account-token' },
  );
const managed = (by: string): Record<string, unknown> => ({
  labels: { 'endpointslice.kubernetes.io/managed-by': by },
});
const rbac = 'rbac.authorization.k8s.io/v1';

describe('left out', () => {
  test.each<[string, KubernetesObject]>([
    ['an event', object('v1', 'Event')],
    ['an event under its newer name', object('events.k8s.io/v1', 'Event')],
    ['a Lease', object('coordination.k8s.io/v1', 'Lease')],
    ['what a metrics server measures', object('metrics.k8s.io/v1beta1', 'PodMetrics')],
    ['what is being deleted', object('v1', 'ConfigMap', { deletionTimestamp: 'now', finalizers: ['x'] })],
    ['a pod of a ReplicaSet', object('v1', 'Pod', owner('ReplicaSet'))],
    [
      'a pod of a controller that nobody knows',
      object('v1', 'Pod', owner('GameServer', { apiVersion: 'x.example/v1' })),
    ],
    ['a mirror pod', object('v1', 'Pod', { annotations: { 'kubernetes.io/config.mirror': 'x' } })],
    ['a pod that is done', object('v1', 'Pod', {}, { status: { phase: 'Succeeded' } })],
    ['a pod that has failed', object('v1', 'Pod', {}, { status: { phase: 'Failed' } })],
    ['a ReplicaSet of a Deployment', object('apps/v1', 'ReplicaSet', owner('Deployment'))],
    ['a revision of a StatefulSet', object('apps/v1', 'ControllerRevision', owner('StatefulSet'))],
    ['a running Job of a CronJob', object('batch/v1', 'Job', owner('CronJob', { apiVersion: 'batch/v1' }))],
    ['a Job that is done', object('batch/v1', 'Job', {}, ended('Complete'))],
    ['a Job that has failed', object('batch/v1', 'Job', {}, ended('Failed'))],
    [
      'the claim of an ephemeral volume',
      object('v1', 'PersistentVolumeClaim', owner('Pod', { apiVersion: 'v1' })),
    ],
    [
      'slices of a Service',
      object('discovery.k8s.io/v1', 'EndpointSlice', managed('endpointslice-controller.k8s.io')),
    ],
    [
      'mirrored slices',
      object('discovery.k8s.io/v1', 'EndpointSlice', managed('endpointslicemirroring-controller.k8s.io')),
    ],
    [
      'endpoints of a Service',
      object('v1', 'Endpoints', { labels: { 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' } }),
    ],
    [
      'endpoints of a Service of an older cluster',
      object('v1', 'Endpoints', {
        annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
      }),
    ],
    ['the certificates of the cluster', object('v1', 'ConfigMap', { name: 'kube-root-ca.crt' })],
    ['an automatic token', token('web-token-x7k2p')],
    ['a copy of ours', object('v1', 'Secret', { labels: { 'runbook/copy': 'run-1' } })],
    ['a role of Kubernetes', object(rbac, 'ClusterRole', { name: 'system:node' })],
    [
      'a role of Kubernetes for people',
      object(rbac, 'ClusterRole', {
        name: 'view',
        labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults' },
      }),
    ],
    [
      'a priority of Kubernetes',
      object('scheduling.k8s.io/v1', 'PriorityClass', { name: 'system-node-critical' }),
    ],
  ])('%s', (_what, one) => {
    expect(reasonWithout(one, [])).toMatch(/^[A-Z].*\.$/);
  });
});

describe('kept', () => {
  test.each<[string, KubernetesObject]>([
    ['a ConfigMap', object('v1', 'ConfigMap')],
    ['a pod of its own', object('v1', 'Pod', {}, { status: { phase: 'Running' } })],
    [
      'a pod whose owner does not control it',
      object('v1', 'Pod', owner('ReplicaSet', { controller: false })),
    ],
    ['a ReplicaSet of its own', object('apps/v1', 'ReplicaSet')],
    [
      'a Secret that an operator made',
      object('v1', 'Secret', owner('Database', { apiVersion: 'x.example/v1' })),
    ],
    ['a Job that still runs', object('batch/v1', 'Job', {}, ended('Complete', 'False'))],
    ['a suspended Job', object('batch/v1', 'Job', {}, ended('Suspended'))],
    ['a Job without a status', object('batch/v1', 'Job')],
    [
      'a claim of a StatefulSet',
      object('v1', 'PersistentVolumeClaim', owner('StatefulSet', { controller: false })),
    ],
    [
      'what belongs to a kind of someone else called Pod',
      object('v1', 'Secret', owner('Pod', { apiVersion: 'x.example/v1' })),
    ],
    ['a slice written by hand', object('discovery.k8s.io/v1', 'EndpointSlice', managed('me'))],
    ['endpoints written by hand', object('v1', 'Endpoints')],
    [
      'the default account, which may hold credentials of registries',
      object('v1', 'ServiceAccount', { name: 'default' }),
    ],
    ['a token made by hand', token('web-token')],
    ['a token whose name only looks alike', token('other-token-x7k2p')],
    ['a token with a longer end', token('web-token-x7k2pq')],
    ['a role of ours', object(rbac, 'ClusterRole', { name: 'viewer' })],
    ['a namespaced role with a name of the system', object(rbac, 'Role', { name: 'system:x' })],
    ['a priority of ours', object('scheduling.k8s.io/v1', 'PriorityClass', { name: 'high' })],
    ['an Event of someone else', object('example.com/v1', 'Event')],
  ])('%s', (_what, one) => {
    expect(reasonWithout(one, [])).toBeUndefined();
  });
});

describe('what a profile excludes', () => {
  test('a whole group, whatever its kinds are, and no other group', () => {
    const group = [{ apiGroup: 'example.com' }];
    expect(reasonWithoutKind('example.com', 'Any', group)).toBe('The profile excludes it.');
    expect(reasonWithout(object('example.com/v2', 'Thing'), group)).toBe('The profile excludes it.');
    expect(leavesOutGroup('example.com', group)).toBe(true);
    expect(reasonWithoutKind('x.example.com', 'Any', group)).toBeUndefined();
    expect(leavesOutGroup('x.example.com', group)).toBe(false);
    expect(leavesOutGroup('example.com', [{ apiGroup: 'example.com', kind: 'Any' }])).toBe(false);
  });

  test.each([
    [{ apiGroup: '' }, 'the core group cannot be left out as a whole'],
    [{ apiGroup: 'example.com', name: 'one' }, 'must be given with a name'],
  ])('but not %j: its kind is missing', (one, sentence) => {
    const keys = { signing: ['s.asc'], online: 'on.asc', escrow: 'esc.asc' };
    const { error } = backupPolicySchema.safeParse({ keys, exclude: [one] });
    expect(error?.issues).toMatchObject([
      { path: ['exclude', 0, 'kind'], message: expect.stringContaining(sentence) as unknown },
    ]);
  });

  const exclude = [
    { apiGroup: '', kind: 'ConfigMap', name: 'scratch' },
    { apiGroup: 'example.com', kind: 'Cache' },
  ];

  test('by name: this object alone', () => {
    expect(reasonWithout(object('v1', 'ConfigMap', { name: 'scratch' }), exclude)).toBe(
      'The profile excludes it.',
    );
    expect(reasonWithout(object('v1', 'ConfigMap', { name: 'other' }), exclude)).toBeUndefined();
    expect(reasonWithoutKind('', 'ConfigMap', exclude)).toBeUndefined();
  });

  test('without a name: the whole kind, in every version', () => {
    expect(reasonWithout(object('example.com/v1beta1', 'Cache'), exclude)).toBe('The profile excludes it.');
    expect(reasonWithoutKind('example.com', 'Cache', exclude)).toBe('The profile excludes it.');
    expect(reasonWithoutKind('other.example.com', 'Cache', exclude)).toBeUndefined();
  });
});

test('every exclusion has its reason as a sentence', () => {
  for (const { reason } of [...excludedKinds, ...excludedObjects]) expect(reason).toMatch(/^[A-Z].*\.$/);
});
