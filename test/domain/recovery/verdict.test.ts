import { describe, expect, test } from '@jest/globals';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { claimsOf } from '../../../src/domain/recovery/claims.ts';
import { prepare } from '../../../src/domain/recovery/rules/index.ts';
import { judge, updateOf, type Situation } from '../../../src/domain/recovery/verdict.ts';
import { aClusterObject, aContext, anObject } from './support.ts';

const stored = anObject('ConfigMap', { data: { a: '1' } });
const live = (change: Partial<KubernetesObject> = {}, metadata: Partial<KubernetesObject['metadata']> = {}) =>
  ({
    ...stored,
    ...change,
    metadata: { ...stored.metadata, uid: 'live-uid', resourceVersion: '7', managedFields: [], ...metadata },
  }) as KubernetesObject;

function situation(change: Partial<Situation> & { stored?: KubernetesObject } = {}): Situation {
  const object = change.stored ?? stored;
  const context = change.context ?? aContext();
  const result = prepare(object, context);
  if ('leftOut' in result) throw new Error(result.leftOut);
  return {
    wanted: result.object,
    stored: object,
    live: undefined,
    dryRun: undefined,
    policy: 'skip',
    emptyClaims: [],
    allowEmptyClaims: false,
    clusterScoped: false,
    gitOps: 'stop',
    context,
    ...change,
  };
}

function judged(change: Parameters<typeof situation>[0]) {
  const result = judge(situation(change));
  if (result === 'dryRunNeeded') throw new Error('a dry run is needed');
  return result;
}

describe('an object that is missing', () => {
  test('is created', () => {
    expect(judged({})).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: 'shop',
      name: 'web',
      verdict: 'create',
      write: 'create',
      because: 'it is missing',
      uid: null,
    });
  });

  test.each([
    ['is blocked', false, 'blocked'],
    ['is created when people asked for it', true, 'create'],
  ])('and cluster-scoped %s', (_case, clusterScoped, expected) => {
    expect(
      judged({ stored: aClusterObject('ClusterRole.rbac.authorization.k8s.io'), clusterScoped }).verdict,
    ).toBe(expected);
  });

  test('and is the Namespace of the recovery itself is created', () => {
    const namespace = (name: string) => aClusterObject('Namespace', {}, { name });
    expect(judged({ stored: namespace('shop') }).verdict).toBe('create');
    expect(judged({ stored: namespace('other') }).verdict).toBe('blocked');
  });

  test('and would come back without data is blocked, unless people allow it', () => {
    const emptyClaims = ['a', 'b', 'c', 'd'];
    const blocked = judged({ emptyClaims });
    expect(blocked.verdict).toBe('blocked');
    expect(blocked.because).toContain('a, b, c and 1 more');
    expect(blocked).not.toHaveProperty('write');
    const allowed = judged({ emptyClaims: ['a'], allowEmptyClaims: true });
    expect(allowed.verdict).toBe('create');
    expect(allowed.because).toBe('it is missing; without its data: a');
  });
});

describe('an object that exists', () => {
  test('as in the backup is unchanged', () => {
    expect(judged({ live: live() })).toMatchObject({ verdict: 'unchanged', uid: 'live-uid' });
  });

  test('is unchanged whatever the server and an earlier recovery wrote into it', () => {
    const same = live({ status: { x: 1 } }, { generation: 4, annotations: { 'runbook/change': 'w/r/s' } });
    expect(judged({ live: same }).verdict).toBe('unchanged');
  });

  test('with an address of its own is unchanged', () => {
    const service = anObject('Service', {
      spec: { clusterIP: '10.0.0.1', ports: [{ port: 80, nodePort: 31000 }] },
    });
    const spec = { clusterIP: '10.0.0.2', ports: [{ port: 80, nodePort: 32000 }] };
    const other = anObject('Service', { spec }, { uid: 'live-uid', resourceVersion: '7' });
    expect(judged({ stored: service, live: other }).verdict).toBe('unchanged');
  });

  test('and is a pod with another node and token is unchanged', () => {
    const pod = (node: string, token: string) =>
      anObject('Pod', { spec: { nodeName: node, priority: 0, volumes: [{ name: token }], containers: [] } });
    expect(
      judged({ stored: pod('n1', 'kube-api-access-abcde'), live: pod('n2', 'kube-api-access-fghij') })
        .verdict,
    ).toBe('unchanged');
  });

  test('and is being deleted is blocked', () => {
    expect(judged({ live: live({}, { deletionTimestamp: 'now' }) }).verdict).toBe('blocked');
  });

  test('and differs is asked about with a dry run', () => {
    expect(judge(situation({ live: live({ data: { a: '2' } }) }))).toBe('dryRunNeeded');
  });

  describe('and differs', () => {
    const there = live({ data: { a: '2' } });
    const dryRun = { object: live({ data: { a: '1' } }) };

    test('stays with onConflict skip', () => {
      const result = judged({ live: there, dryRun });
      expect(result).toMatchObject({
        verdict: 'conflict',
        changes: [{ path: 'data/a', before: '2', after: '1' }],
      });
      expect(result).not.toHaveProperty('write');
    });

    test.each(['update', 'replace'] as const)('is updated with onConflict %s', (policy) => {
      expect(judged({ live: there, dryRun, policy })).toMatchObject({ verdict: 'update', write: 'update' });
    });

    test.each(['update', 'replace'] as const)(
      'and belongs to a GitOps controller that would revert it, stays with onConflict %s, unless the profile ignores that',
      (policy) => {
        const tracked = {
          annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:shop/web' },
        };
        const changed = live({ data: { a: '2' } }, tracked);
        for (const dryRun of [{ object: live({ data: { a: '1' } }, tracked) }, { refused: '422 Invalid' }]) {
          const asked = { live: changed, policy: 'replace' as const, dryRun };
          const { verdict, because, write } = judged({
            ...asked,
            policy: 'object' in dryRun ? policy : 'replace',
          });
          expect({ verdict, write }).toEqual({ verdict: 'conflict', write: undefined });
          expect(because).toContain(
            'it belongs to Argo CD (argocd.argoproj.io/tracking-id: shop:apps/Deployment:shop/web), which would revert that',
          );
          expect(judged({ ...asked, gitOps: 'ignore' }).verdict).toBe('update');
        }
      },
    );

    test('and was installed with Helm is updated: nothing reverts that by itself', () => {
      const release = { annotations: { 'meta.helm.sh/release-name': 'web' } };
      const changed = live({ data: { a: '2' } }, release);
      const dryRun = { object: live({ data: { a: '1' } }, release) };
      expect(judged({ live: changed, policy: 'update', dryRun }).verdict).toBe('update');
    });

    test('only in what the server fills in is unchanged', () => {
      expect(judged({ live: there, dryRun: { object: there }, policy: 'update' }).verdict).toBe('unchanged');
    });

    test('and the server refuses the update, stays, unless it may be replaced', () => {
      const refused = { refused: '422 Invalid (data: FieldValueForbidden)' };
      expect(judged({ live: there, dryRun: refused, policy: 'update' })).toMatchObject({
        verdict: 'conflict',
      });
      expect(judged({ live: there, dryRun: refused, policy: 'replace' })).toMatchObject({
        verdict: 'update',
        write: 'replace',
      });
    });

    test.each(['PersistentVolumeClaim', 'Namespace', 'PersistentVolume'])('%s is never replaced', (kind) => {
      const object = anObject(kind, { spec: { size: 1 } }, { labels: { a: '1' } });
      const other = anObject(kind, { spec: { size: 2 } }, { uid: 'u' });
      expect(
        judged({
          stored: object,
          live: other,
          dryRun: { refused: '422' },
          policy: 'replace',
          clusterScoped: true,
        }),
      ).toMatchObject({ verdict: 'conflict' });
    });

    test('and is cluster-scoped stays, unless people asked for it', () => {
      const role = aClusterObject('ClusterRole.rbac.authorization.k8s.io', { rules: [1] });
      const other = { ...role, rules: [2], metadata: { ...role.metadata, uid: 'u' } };
      const asked = { stored: role, live: other, dryRun: { object: role }, policy: 'update' as const };
      expect(judged(asked).verdict).toBe('conflict');
      expect(judged({ ...asked, clusterScoped: true }).verdict).toBe('update');
    });
  });

  test.each([
    ['values of a Secret', 'Secret', { data: { a: 'MQ==' } }, { data: { a: 'Mg==' } }, 'data/a'],
    [
      'environment',
      'Deployment.apps',
      { spec: { template: { spec: { containers: [{ name: 'c', env: [{ name: 'P', value: '1' }] }] } } } },
      { spec: { template: { spec: { containers: [{ name: 'c', env: [{ name: 'P', value: '2' }] }] } } } },
      'spec/template/spec/containers[name=c]/env[name=P]/value',
    ],
  ])('hides the %s that differ', (_case, kind, before, after, path) => {
    const object = anObject(kind, before);
    const there = anObject(kind, after, { uid: 'u' });
    expect(judged({ stored: object, live: there, dryRun: { object }, policy: 'update' }).changes).toEqual([
      { path, hidden: true },
    ]);
  });

  test('shows of a long value its beginning', () => {
    const object = anObject('ConfigMap', { data: { a: 'x'.repeat(5000) } });
    const result = judged({ stored: object, live: live(), dryRun: { object }, policy: 'update' });
    expect(JSON.stringify(result.changes).length).toBeLessThan(400);
  });
});

describe('a name that another object has taken', () => {
  const other = { data: { a: '2' } };
  const owner = (name: string) => [
    { apiVersion: 'example.org/v1', kind: 'Database', name, uid: 'u', controller: true },
  ];

  test.each([
    [
      'belongs to a controller',
      {},
      { ownerReferences: owner('db') },
      'it belongs to Database.example.org db',
    ],
    [
      'is part of another application',
      { labels: { 'app.kubernetes.io/instance': 'one' } },
      { labels: { 'app.kubernetes.io/instance': 'two' } },
      'its app.kubernetes.io/instance is two',
    ],
    [
      'comes from another release',
      { annotations: { 'meta.helm.sh/release-name': 'one' } },
      { annotations: { 'meta.helm.sh/release-name': 'two' } },
      'its meta.helm.sh/release-name is two',
    ],
  ])('stays when it %s, whatever the policy', (_case, was, is, reason) => {
    const object = anObject('ConfigMap', { data: { a: '1' } }, was);
    const result = judged({ stored: object, live: live(other, is), policy: 'replace' });
    expect(result.verdict).toBe('conflict');
    expect(result.because).toContain(reason);
  });

  test('is not taken when the object is the one of the backup, or has the same owner', () => {
    const context = aContext({ dropped: { metadata: { uid: 'live-uid' } } });
    const owned = { ownerReferences: owner('db') };
    expect(judge(situation({ live: live(other, owned), context }))).toBe('dryRunNeeded');
    const object = anObject('ConfigMap', { data: { a: '1' } }, owned);
    expect(judge(situation({ stored: object, live: live(other, owned) }))).toBe('dryRunNeeded');
  });
});

test('an update is bound to the object that was seen', () => {
  expect(updateOf(situation(), live()).metadata).toMatchObject({ uid: 'live-uid', resourceVersion: '7' });
});

describe('the claims of a StatefulSet', () => {
  const template = (name: string, spec: Record<string, unknown> = {}) => ({ metadata: { name }, spec });
  const set = (spec: Record<string, unknown>) => anObject('StatefulSet.apps', { spec });

  test.each([
    [
      'one for each template and pod',
      { replicas: 2, volumeClaimTemplates: [template('d')] },
      ['d-web-0', 'd-web-1'],
    ],
    ['one pod when it says nothing', { volumeClaimTemplates: [template('d')] }, ['d-web-0']],
    ['none without pods', { replicas: 0, volumeClaimTemplates: [template('d')] }, []],
    ['from its first number', { ordinals: { start: 5 }, volumeClaimTemplates: [template('d')] }, ['d-web-5']],
    [
      'none that is filled from a snapshot',
      { volumeClaimTemplates: [template('d', { dataSource: {} })] },
      [],
    ],
    [
      'those that its pods name',
      { template: { spec: { volumes: [{ persistentVolumeClaim: { claimName: 'x' } }, { emptyDir: {} }] } } },
      ['x'],
    ],
    ['none', {}, []],
  ])('are %s', (_case, spec, expected) => {
    expect(claimsOf(set(spec))).toEqual(expected);
  });
});
