import { describe, expect, test } from '@jest/globals';
import { referencePlaces, rewriteReferences } from '../../../src/domain/recovery/rewrite-references.ts';
import { aClusterObject, anObject } from './support.ts';

const move = { from: 'shop', into: 'shop-2' };
const rewritten = (object: Parameters<typeof rewriteReferences>[0]) => rewriteReferences(object, move).object;
const byName = { matchLabels: { 'kubernetes.io/metadata.name': 'shop', other: 'shop' } };
const byNameMoved = { matchLabels: { 'kubernetes.io/metadata.name': 'shop-2', other: 'shop' } };

describe('on its way into another namespace', () => {
  test('an object lies there, one of another namespace does not, and a Namespace gets the name', () => {
    expect(rewritten(anObject('ConfigMap')).metadata.namespace).toBe('shop-2');
    expect(rewritten(anObject('ConfigMap', {}, { namespace: 'other' })).metadata.namespace).toBe('other');
    expect(rewritten(aClusterObject('Namespace', {}, { name: 'shop' })).metadata.name).toBe('shop-2');
    expect(rewritten(aClusterObject('Namespace', {}, { name: 'other' })).metadata.name).toBe('other');
  });

  test.each([
    [
      { kind: 'ServiceAccount', name: 'a', namespace: 'shop' },
      { kind: 'ServiceAccount', name: 'a', namespace: 'shop-2' },
    ],
    [
      { kind: 'ServiceAccount', name: 'a', namespace: 'other' },
      { kind: 'ServiceAccount', name: 'a', namespace: 'other' },
    ],
    [
      { kind: 'User', name: 'system:serviceaccount:shop:a' },
      { kind: 'User', name: 'system:serviceaccount:shop-2:a' },
    ],
    [
      { kind: 'User', name: 'system:serviceaccount:shopping:a' },
      { kind: 'User', name: 'system:serviceaccount:shopping:a' },
    ],
    [
      { kind: 'Group', name: 'system:serviceaccounts:shop' },
      { kind: 'Group', name: 'system:serviceaccounts:shop-2' },
    ],
    [
      { kind: 'Group', name: 'system:serviceaccounts' },
      { kind: 'Group', name: 'system:serviceaccounts' },
    ],
  ])('the subject %j becomes %j', (subject, expected) => {
    for (const kind of [
      'RoleBinding.rbac.authorization.k8s.io',
      'ClusterRoleBinding.rbac.authorization.k8s.io',
    ])
      expect(rewritten(anObject(kind, { subjects: [subject] }))['subjects']).toEqual([expected]);
  });

  test('webhooks, aggregated APIs and conversions ask the Service there', () => {
    const service = (namespace: string) => ({ service: { name: 'hook', namespace } });
    const hooks = (namespace: string, selector: unknown) => [
      { name: 'a', clientConfig: service(namespace), namespaceSelector: selector },
      { name: 'b', clientConfig: { url: 'https://hook.example.org' } },
    ];
    const configuration = aClusterObject('MutatingWebhookConfiguration.admissionregistration.k8s.io', {
      webhooks: hooks('shop', byName),
    });
    expect(rewritten(configuration)['webhooks']).toEqual(hooks('shop-2', byNameMoved));
    const api = aClusterObject('APIService.apiregistration.k8s.io', { spec: service('shop') });
    expect(rewritten(api)['spec']).toEqual(service('shop-2'));
    const definition = (namespace: string) => ({
      conversion: { webhook: { clientConfig: service(namespace) } },
    });
    expect(
      rewritten(
        aClusterObject('CustomResourceDefinition.apiextensions.k8s.io', { spec: definition('shop') }),
      )['spec'],
    ).toEqual(definition('shop-2'));
  });

  test('the Service of another namespace stays', () => {
    const spec = { service: { name: 'hook', namespace: 'other' } };
    expect(rewritten(aClusterObject('APIService.apiregistration.k8s.io', { spec }))['spec']).toEqual(spec);
  });

  test('a volume waits for the claim there', () => {
    const volume = aClusterObject('PersistentVolume', {
      spec: { claimRef: { name: 'd', namespace: 'shop' } },
    });
    expect(rewritten(volume)['spec']).toEqual({ claimRef: { name: 'd', namespace: 'shop-2' } });
  });

  test('network policies select it by name, in labels and in expressions', () => {
    const spec = (selector: unknown) => ({
      ingress: [{ from: [{ namespaceSelector: selector }, { podSelector: {} }] }],
      egress: [{ to: [{ namespaceSelector: selector }] }],
    });
    const policy = (selector: unknown) =>
      anObject('NetworkPolicy.networking.k8s.io', { spec: spec(selector) });
    expect(rewritten(policy(byName))['spec']).toEqual(spec(byNameMoved));
    const among = (...values: string[]) => ({
      matchExpressions: [
        { key: 'kubernetes.io/metadata.name', operator: 'In', values },
        { key: 'team', operator: 'In', values: ['shop'] },
      ],
    });
    expect(rewritten(policy(among('shop', 'other')))['spec']).toEqual(spec(among('shop-2', 'other')));
  });

  test.each(['Deployment.apps', 'Pod', 'CronJob.batch'])('affinity of a %s looks there', (kind) => {
    const affinity = (namespace: string) => ({
      podAntiAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: [
          { namespaces: [namespace, 'other'], topologyKey: 'host' },
        ],
        preferredDuringSchedulingIgnoredDuringExecution: [
          { weight: 1, podAffinityTerm: { namespaces: [namespace] } },
        ],
      },
    });
    const place = (namespace: string): Record<string, unknown> => {
      const spec = { affinity: affinity(namespace) };
      if (kind === 'Pod') return { spec };
      const templated = { template: { spec } };
      return kind === 'CronJob.batch' ? { spec: { jobTemplate: { spec: templated } } } : { spec: templated };
    };
    expect(rewritten(anObject(kind, place('shop')))).toMatchObject(place('shop-2'));
  });

  test('an Ingress needs nothing: its Services lie beside it', () => {
    const spec = { rules: [{ http: { paths: [{ backend: { service: { name: 'web' } } }] } }] };
    expect(rewritten(anObject('Ingress.networking.k8s.io', { spec }))['spec']).toEqual(spec);
  });
});

describe('what looks like a reference and stays is named, without its value', () => {
  const stays = (rest: Record<string, unknown>, metadata = {}): string[] =>
    rewriteReferences(anObject('Widget.example.org', rest, metadata), move).stays;

  test.each([
    ['a host name', { data: { url: 'http://db.shop.svc.cluster.local:80' } }, ['data.url']],
    ['the end of one', { data: { url: 'db.shop.svc' } }, ['data.url']],
    ['a longer namespace', { data: { url: 'db.shop.svcs, db.eshop.svc, db.shop-3.svc' } }, []],
    ['a field called namespace', { spec: { ref: [{ namespace: 'shop' }] } }, ['spec.ref[0].namespace']],
    ['another field with the word', { spec: { name: 'shop' } }, []],
  ])('%s', (_case, rest, expected) => {
    expect(stays(rest)).toEqual(expected);
  });

  test('annotations are notes of tools', () => {
    expect(stays({}, { annotations: { note: 'db.shop.svc' } })).toEqual([]);
  });

  test('at most ten places of an object', () => {
    const list = (count: number) => ({ spec: Array.from({ length: count }, () => 'db.shop.svc') });
    expect(stays(list(10))).toHaveLength(10);
    expect(stays(list(12)).at(-1)).toBe('… and 2 more');
  });
});

test('into the same namespace nothing is rewritten', () => {
  const object = anObject('ConfigMap', { data: { url: 'db.shop.svc' } });
  const same = rewriteReferences(object, { from: 'shop', into: 'shop' });
  expect(same.object).toBe(object);
  expect(same.stays).toEqual([]);
});

test('every place says why', () => {
  expect(referencePlaces.filter(({ because }) => because.length < 10)).toEqual([]);
});
