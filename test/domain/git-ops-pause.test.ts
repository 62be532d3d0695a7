import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import {
  decidePause,
  managesWorkload,
  ownersOf,
  type PauseDecision,
} from '../../src/domain/git-ops-pause.ts';
import { checkGitOps } from '../../src/domain/guards/git-ops.ts';
import { aDeployment, hostileTexts } from '../support/builders.ts';

type Metadata = NonNullable<NonNullable<Parameters<typeof aDeployment>[0]>['metadata']>;

const decide = (metadata: Metadata): PauseDecision => decidePause(aDeployment({ metadata }));
const cannot = (metadata: Metadata): string => {
  const decision = decide(metadata);
  return 'cannot' in decision ? decision.cannot : '';
};
const tracking = (id: string): Metadata => ({ annotations: { 'argocd.argoproj.io/tracking-id': id } });
const manager = (name: string): Metadata => ({ managedFields: [{ manager: name, operation: 'Apply' }] });
const flux = { 'helm.toolkit.fluxcd.io/name': 'shop', 'helm.toolkit.fluxcd.io/namespace': 'releases' };

const application = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Application' };
const skip = 'metadata/annotations/argocd.argoproj.io~1skip-reconcile';

test('what nobody owns needs no pause', () => {
  expect(decide({})).toEqual({ owner: 'none', note: 'no GitOps controller owns Deployment web' });
});

test.each([
  ['label', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }],
  ['manager', manager('kustomize-controller')],
])('a Flux Kustomization, known by its %s, is paused for this object alone', (_how, metadata) => {
  expect(decide(metadata)).toEqual({
    owner: 'flux-kustomization',
    edit: {
      path: 'metadata/annotations/kustomize.toolkit.fluxcd.io~1reconcile',
      value: 'disabled',
      reach: 'Flux leaves this object alone, and nothing else',
    },
  });
});

test('a Flux HelmRelease is suspended as a whole, and the sentence says so', () => {
  expect(decide({ labels: flux, annotations: { 'meta.helm.sh/release-name': 'shop' } })).toEqual({
    owner: 'flux-helm',
    edit: {
      on: {
        apiVersion: 'helm.toolkit.fluxcd.io/v2',
        kind: 'HelmRelease',
        namespace: 'releases',
        name: 'shop',
      },
      path: 'spec/suspend',
      value: true,
      reach: 'Flux leaves the whole release releases/shop alone, every object of it',
    },
  });
});

test.each([
  ['no label at all', manager('helm-controller')],
  ['no namespace', { labels: { 'helm.toolkit.fluxcd.io/name': 'shop' } }],
  ['a namespace that is none', { labels: { ...flux, 'helm.toolkit.fluxcd.io/namespace': '../x' } }],
  ['an empty name', { labels: { ...flux, 'helm.toolkit.fluxcd.io/name': '' } }],
])('a HelmRelease that is not named, with %s, cannot be paused', (_what, metadata) => {
  expect(cannot(metadata)).toMatch(/belongs to a Flux HelmRelease.*suspend it by hand$/);
});

describe('an Argo CD Application', () => {
  test.each([
    ['a tracking id', tracking('shop:apps/Deployment:shop/web'), 'argocd', 'shop'],
    ['a tracking id of another namespace', tracking('team_shop:apps/Deployment:shop/web'), 'team', 'shop'],
    ['its own label', { labels: { 'argocd.argoproj.io/instance': 'shop' } }, 'argocd', 'shop'],
    [
      'its own label of another namespace',
      { labels: { 'argocd.argoproj.io/instance': 'team_shop' } },
      'team',
      'shop',
    ],
    [
      'the common label',
      { ...manager('argocd-controller'), labels: { 'app.kubernetes.io/instance': 'shop' } },
      'argocd',
      'shop',
    ],
    [
      'both, the tracking id first',
      { ...tracking('shop:apps/Deployment:shop/web'), labels: { 'app.kubernetes.io/instance': 'other' } },
      'argocd',
      'shop',
    ],
  ])('is named by %s, and paused as a whole', (_how, metadata, namespace, name) => {
    expect(decide(metadata)).toEqual({
      owner: 'argo-cd',
      edit: {
        on: { ...application, namespace, name },
        path: skip,
        value: 'true',
        reach: `Argo CD leaves the whole Application ${namespace}/${name} alone, every object of it`,
      },
    });
  });

  test('is not to be known by the common label alone, which Helm charts set, too', () => {
    expect(decide({ labels: { 'app.kubernetes.io/instance': 'shop' } })).toMatchObject({ owner: 'none' });
  });

  test.each([
    'shop:apps/Deployment:shop/other',
    'shop:apps/Deployment:elsewhere/web',
    'shop:apps/StatefulSet:shop/web',
    'shop:/Deployment:shop/web',
    'shop:extensions/Deployment:shop/web',
    'shop',
    '',
    ...hostileTexts,
  ])('is not taken from a tracking id about another object: %.30j', (id) => {
    const sentence = cannot(tracking(id));
    expect(sentence).toMatch(/is about another object .*pause that by hand$/);
    expect(sentence.length).toBeLessThan(400);
    expect(sentence).not.toMatch(/[\p{Cc}\p{Cs}]/u);
  });

  test.each([
    ':apps/Deployment:shop/web',
    '../x:apps/Deployment:shop/web',
    'team/x:apps/Deployment:shop/web',
    '_shop:apps/Deployment:shop/web',
    'team_:apps/Deployment:shop/web',
    'a_b_c:apps/Deployment:shop/web',
    'Shop:apps/Deployment:shop/web',
    'x'.repeat(254) + ':apps/Deployment:shop/web',
  ])('whose name is none cannot be paused: %.20j', (id) => {
    expect(cannot(tracking(id))).toMatch(/does not say to which Application/);
  });

  test('that is known by its manager alone cannot be paused', () => {
    expect(cannot(manager('argocd-application-controller'))).toMatch(/does not say to which Application/);
  });
});

test('Helm alone reverts nothing: a note, and no pause', () => {
  for (const metadata of [{ annotations: { 'meta.helm.sh/release-name': 'shop' } }, manager('helm')]) {
    const decision = decide(metadata);
    expect(decision).toMatchObject({ owner: 'helm' });
    expect(decision).toHaveProperty('note', expect.stringContaining('until someone runs helm upgrade'));
  }
});

test('marks of Helm do not count beside a controller that took over', () => {
  const annotations = { 'meta.helm.sh/release-name': 'shop' };
  expect(decide({ annotations, labels: { 'argocd.argoproj.io/instance': 'shop' } })).toMatchObject({
    owner: 'argo-cd',
  });
});

test('an object of two controllers is left to people', () => {
  expect(cannot({ labels: { ...flux, 'argocd.argoproj.io/instance': 'shop' } })).toBe(
    'Deployment web has several owners: argo-cd, flux-helm; pause them by hand',
  );
});

test.each([
  tracking('shop:apps/Deployment:shop/web'),
  { labels: { 'argocd.argoproj.io/instance': 'shop' } },
  { labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } },
  { labels: { 'helm.toolkit.fluxcd.io/name': 'shop' } },
  { annotations: { 'meta.helm.sh/release-name': 'shop' } },
  ...[
    'argocd-controller',
    'argocd-application-controller',
    'kustomize-controller',
    'helm-controller',
    'helm',
  ].map(manager),
  ...['kubectl', 'runbook', 'constructor', '__proto__', ''].map(manager),
])('whatever stops the guard has an owner here, and nothing else has: %j', (metadata) => {
  const object = aDeployment({ metadata });
  expect(ownersOf(object).length > 0).toBe(checkGitOps(object, 'stop').verdict === 'stops');
});

describe('an Application manages a workload', () => {
  const resource = { group: 'apps', kind: 'Deployment', namespace: 'shop', name: 'web', version: 'v1' };
  const manages = (status: unknown): boolean =>
    managesWorkload({ ...application, metadata: { name: 'shop' }, status }, aDeployment());

  test('when it lists it among its resources', () => {
    expect(manages({ resources: [{ kind: 'Service', namespace: 'shop', name: 'web' }, resource] })).toBe(
      true,
    );
  });

  test.each([
    [undefined],
    [{}],
    [{ resources: [] }],
    [{ resources: 'all' }],
    [{ resources: [null, 7] }],
    [{ resources: [{ ...resource, name: 'other' }] }],
    [{ resources: [{ ...resource, namespace: 'other' }] }],
    [{ resources: [{ ...resource, kind: 'StatefulSet' }] }],
    [{ resources: [{ ...resource, group: '' }] }],
  ])('and else it does not, nor when it says nothing: %j', (status) => {
    expect(manages(status)).toBe(false);
  });
});

test('the Role of deploy/kubernetes/pause-owner.yaml allows what a pause needs', () => {
  const file = new URL('../../deploy/kubernetes/pause-owner.yaml', import.meta.url);
  const [role, binding] = parseAllDocuments(readFileSync(file, 'utf8')).map((one) => one.toJS() as unknown);
  expect(role).toMatchObject({
    kind: 'Role',
    metadata: { name: 'runbook-pause' },
    rules: [
      { apiGroups: ['argoproj.io'], resources: ['applications'], verbs: ['get', 'patch'] },
      { apiGroups: ['helm.toolkit.fluxcd.io'], resources: ['helmreleases'], verbs: ['get', 'patch'] },
    ],
  });
  expect(binding).toMatchObject({ kind: 'RoleBinding', roleRef: { name: 'runbook-pause' } });
});
