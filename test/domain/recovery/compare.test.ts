import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import {
  compareRestored,
  documentedDifferences,
  type ComparisonContext,
} from '../../../src/domain/recovery/compare.ts';
import { aClusterObject, aContext, anObject } from './support.ts';

const context = (change: Partial<ComparisonContext> = {}): ComparisonContext => ({
  ...aContext(),
  ownerThere: () => true,
  otherServerVersion: false,
  ...change,
});
const restored = (object: KubernetesObject, metadata = {}): KubernetesObject => ({
  ...object,
  status: { phase: 'x' },
  metadata: {
    ...object.metadata,
    uid: 'new',
    resourceVersion: '9',
    annotations: { 'runbook/change': 'w/r/s' },
    ...metadata,
  },
});

describe('a restored object', () => {
  const wanted = anObject('ConfigMap', { data: { a: '1' } });

  test('equals the one of the backup but for what the server writes', () => {
    expect(compareRestored(wanted, undefined, restored(wanted), context())).toEqual({
      documented: [],
      undocumented: [],
    });
  });

  test('that differs is a finding: the path, and never the value', () => {
    const live = restored({ ...wanted, data: { a: 'other', b: 'more' } });
    expect(compareRestored(wanted, undefined, live, context()).undocumented).toEqual(['data/a', 'data/b']);
  });

  test('that lost its labels or annotations is a finding', () => {
    const labelled = anObject('ConfigMap', {}, { labels: { a: '1' }, annotations: { b: '1' } });
    expect(compareRestored(labelled, undefined, anObject('ConfigMap'), context()).undocumented).toEqual([
      'metadata/annotations',
      'metadata/labels',
    ]);
  });
});

describe('documented are', () => {
  test('replicas of a workload with an autoscaler, and only of one', () => {
    const wanted = anObject('Deployment.apps', { spec: { replicas: 2 } });
    const live = restored(anObject('Deployment.apps', { spec: { replicas: 5 } }));
    expect(compareRestored(wanted, undefined, live, context()).undocumented).toEqual(['spec/replicas']);
    expect(
      compareRestored(wanted, undefined, live, context({ autoscaled: () => true })).undocumented,
    ).toEqual([]);
  });

  test('certificates that an injector writes', () => {
    const hooks = (caBundle: string) =>
      aClusterObject('ValidatingWebhookConfiguration.admissionregistration.k8s.io', {
        webhooks: [{ name: 'a', clientConfig: { caBundle } }],
      });
    const result = compareRestored(hooks('x'), undefined, restored(hooks('y')), context());
    expect(result.undocumented).toEqual([]);
    expect(result.documented).toHaveLength(1);
    const other = aClusterObject('Widget.example.org', { spec: { caBundle: 'x' } });
    const otherLive = restored(aClusterObject('Widget.example.org', { spec: { caBundle: 'y' } }));
    expect(compareRestored(other, undefined, otherLive, context()).undocumented).toEqual(['spec/caBundle']);
  });

  test('defaults of a server of another version, and only of one', () => {
    const wanted = anObject('Widget.example.org', { spec: {} });
    const live = restored(anObject('Widget.example.org', { spec: { mode: 'new' } }));
    expect(compareRestored(wanted, undefined, live, context()).undocumented).toEqual(['spec/mode']);
    expect(
      compareRestored(wanted, undefined, live, context({ otherServerVersion: true })).undocumented,
    ).toEqual([]);
  });

  test('addresses that the server chose', () => {
    const wanted = anObject('Service', { spec: { ports: [{ port: 80 }] } });
    const live = restored(
      anObject('Service', { spec: { clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 31000 }] } }),
    );
    expect(compareRestored(wanted, undefined, live, context()).undocumented).toEqual([]);
  });
});

describe('owners', () => {
  const wanted = anObject('ConfigMap', { data: {} });
  const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: 'old' };
  const live = restored(wanted, { ownerReferences: [{ ...owner, uid: 'new' }] });

  test('are compared by name, since their uids are new', () => {
    expect(compareRestored(wanted, [owner], live, context()).undocumented).toEqual([]);
  });

  test('that are there and are not named are a finding', () => {
    expect(compareRestored(wanted, [owner], restored(wanted), context()).undocumented).toEqual([
      'metadata/ownerReferences',
    ]);
  });

  test('that are not there cannot be named', () => {
    const result = compareRestored(wanted, [owner], restored(wanted), context({ ownerThere: () => false }));
    expect(result.undocumented).toEqual([]);
    expect(result.documented).toHaveLength(1);
  });
});

test('every documented difference says why', () => {
  expect(documentedDifferences.filter(({ because }) => because.length < 20)).toEqual([]);
});
