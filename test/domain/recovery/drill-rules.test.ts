import { describe, expect, test } from '@jest/globals';
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { drillRules, dummyValue } from '../../../src/domain/recovery/drill-rules.ts';
import { prepare, type RuleContext } from '../../../src/domain/recovery/rules/index.ts';
import { aClusterObject, aContext, anObject, prepared } from './support.ts';

const drill = { allowEmptyClaims: false, customResources: [], pullSecrets: 'empty' as const, dummies: {} };
const inDrill: Partial<RuleContext> = { purpose: 'drill', into: 'drill-shop-1', drill };

function reasonFor(object: KubernetesObject, change: Partial<RuleContext> = {}): string {
  const result = prepare(object, aContext({ ...inDrill, ...change }));
  return 'leftOut' in result ? result.leftOut : 'drilled';
}

function copyOf(
  object: KubernetesObject,
  change: Partial<NonNullable<RuleContext['drill']>> = {},
): KubernetesObject {
  return prepared(object, { ...inDrill, drill: { ...drill, ...change } });
}

const pod = (spec: Record<string, unknown>): Record<string, unknown> => ({
  spec: { template: { spec: { containers: [{ name: 'c' }], ...spec } } },
});

test('every rule of a drill says why, and in which case', () => {
  for (const { rules } of drillRules)
    for (const { because, when } of rules) {
      expect(because).not.toBe('');
      expect(when).toMatch(/^in a drill/);
    }
});

describe('a drill leaves out', () => {
  test.each([
    aClusterObject('Namespace', {}, { name: 'shop' }),
    aClusterObject('ClusterRoleBinding.rbac.authorization.k8s.io'),
    aClusterObject('ValidatingWebhookConfiguration.admissionregistration.k8s.io'),
    aClusterObject('APIService.apiregistration.k8s.io', { spec: { service: {} } }),
    aClusterObject('CustomResourceDefinition.apiextensions.k8s.io'),
    aClusterObject('PersistentVolume'),
    aClusterObject('Anything.example.org'),
  ])('what has no namespace: $kind', (object) => {
    expect(reasonFor(object)).toContain('not drilled: cluster-scoped objects');
  });

  test.each([
    ['Certificate.cert-manager.io', 'not drilled: custom resources'],
    ['HTTPRoute.gateway.networking.k8s.io', 'not drilled: custom resources'],
    ['VolumeSnapshot.snapshot.storage.k8s.io', 'not drilled: custom resources'],
    ['NetworkPolicy.networking.k8s.io', 'not drilled: NetworkPolicy'],
    ['Endpoints', 'not drilled: Endpoints'],
    ['EndpointSlice.discovery.k8s.io', 'not drilled: Endpoints'],
    ['Lease.coordination.k8s.io', 'not drilled: kinds that no rule knows'],
    ['NewThing.networking.k8s.io', 'not drilled: kinds that no rule knows'],
  ])('%s', (kind, reason) => {
    expect(reasonFor(anObject(kind))).toContain(reason);
  });

  test.each([
    { hostNetwork: true },
    { hostPID: true },
    { hostIPC: true },
    { volumes: [{ name: 'v', hostPath: { path: '/' } }] },
    { containers: [{ name: 'c', securityContext: { privileged: true } }] },
    { initContainers: [{ name: 'c', securityContext: { privileged: true } }] },
    { containers: [{ name: 'c', ports: [{ containerPort: 1, hostPort: 1 }] }] },
  ])('a workload that reaches into its node: %j', (spec) => {
    for (const kind of ['Deployment.apps', 'StatefulSet.apps', 'DaemonSet.apps', 'Job.batch'])
      expect(reasonFor(anObject(kind, pod(spec)))).toContain('reach into their node');
    expect(reasonFor(anObject('Pod', { spec }))).toContain('reach into their node');
    const nightly = { spec: { jobTemplate: { spec: { template: { spec } } } } };
    expect(reasonFor(anObject('CronJob.batch', nightly))).toContain('reach into their node');
  });

  const claimed = { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] };
  test.each([
    anObject('PersistentVolumeClaim', { spec: {} }),
    anObject('StatefulSet.apps', { spec: { volumeClaimTemplates: [{}], template: { spec: {} } } }),
    anObject('Deployment.apps', pod(claimed)),
    anObject('Pod', { spec: { volumes: [{ name: 'v', ephemeral: {} }] } }),
  ])('$kind with a claim, unless empty ones are allowed', (object) => {
    expect(reasonFor(object)).toMatch(/not drilled: (volume claims|workloads with volume claims)/);
    expect(prepare(object, aContext({ purpose: 'drill' }))).toHaveProperty('leftOut');
    expect(reasonFor(object, { drill: { ...drill, allowEmptyClaims: true } })).toBe('drilled');
  });

  test('nothing of that outside of a drill', () => {
    const objects = [
      anObject('NetworkPolicy.networking.k8s.io'),
      anObject('Certificate.cert-manager.io'),
      anObject('Deployment.apps', pod({ hostNetwork: true })),
      anObject('PersistentVolumeClaim', { spec: {} }),
    ];
    for (const object of objects) expect(prepare(object, aContext())).toHaveProperty('object');
  });
});

test('a custom resource that the profile names is drilled, and no other one of its group', () => {
  const drillWith = { drill: { ...drill, customResources: ['Widget.example.org'] } };
  expect(reasonFor(anObject('Widget.example.org'), drillWith)).toBe('drilled');
  expect(reasonFor(anObject('Gadget.example.org'), drillWith)).toContain('custom resources');
});

describe('a Secret in a drill', () => {
  const secret = (type: string, data: Record<string, string>): KubernetesObject =>
    anObject(
      'Secret',
      { type, data },
      { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'c2VjcmV0', note: 'c2VjcmV0' } },
    );

  test('has the keys of the original, and nothing of its values', () => {
    const copy = copyOf(secret('Opaque', { user: 'c2VjcmV0', password: 'c2VjcmV0' }));
    expect(copy['data']).toEqual({ user: dummyValue, password: dummyValue });
    expect(JSON.stringify(copy)).not.toContain('c2VjcmV0');
  });

  test('has what the profile gives for a key, and makes no key that the original lacks', () => {
    const dummies = { web: { user: 'made-up', more: 'x' }, other: { password: 'y' } };
    const copy = copyOf(secret('Opaque', { user: 'c2VjcmV0', password: 'c2VjcmV0' }), { dummies });
    expect(copy['data']).toEqual({ user: btoa('made-up'), password: dummyValue });
  });

  test('loses what was given as text, too', () => {
    const object = { ...secret('Opaque', {}), stringData: { a: 'c2VjcmV0' } };
    expect(JSON.stringify(copyOf(object))).not.toContain('c2VjcmV0');
  });

  test('that is a certificate has one that servers can parse, with its own key', () => {
    const { data } = copyOf(
      secret('kubernetes.io/tls', { 'tls.crt': 'c2VjcmV0', 'tls.key': 'c2VjcmV0', 'ca.crt': 'c2VjcmV0' }),
    ) as unknown as { data: Record<string, string> };
    const pem = (key: string): string => Buffer.from(data[key] ?? '', 'base64').toString();
    const certificate = new X509Certificate(pem('tls.crt'));
    expect(certificate.checkPrivateKey(createPrivateKey(pem('tls.key')))).toBe(true);
    expect(certificate.checkHost('drill.invalid')).toBe('drill.invalid');
    expect(data['ca.crt']).toBe(dummyValue);
  });

  test('for registries is an empty list, unless the profile keeps it', () => {
    const object = secret('kubernetes.io/dockerconfigjson', { '.dockerconfigjson': 'c2VjcmV0' });
    const { data } = copyOf(object) as unknown as { data: Record<string, string> };
    expect(Buffer.from(data['.dockerconfigjson'] ?? '', 'base64').toString()).toBe('{"auths":{}}');
    expect(copyOf(object, { pullSecrets: 'keep' })['data']).toEqual({ '.dockerconfigjson': 'c2VjcmV0' });
    const other = secret('Opaque', { a: 'c2VjcmV0' });
    expect(copyOf(other, { pullSecrets: 'keep' })['data']).toEqual({ a: dummyValue });
  });
});

describe('what reaches outside', () => {
  test.each([
    [
      { type: 'LoadBalancer', externalIPs: ['192.0.2.1'], loadBalancerIP: '192.0.2.2' },
      { type: 'ClusterIP' },
    ],
    [
      { type: 'NodePort', ports: [{ port: 1, nodePort: 30_000 }] },
      { type: 'ClusterIP', ports: [{ port: 1 }] },
    ],
    [{ type: 'ClusterIP', externalIPs: ['192.0.2.1'] }, { type: 'ClusterIP' }],
    [
      { type: 'ExternalName', externalName: 'db.example.org' },
      { type: 'ExternalName', externalName: 'drill.invalid' },
    ],
  ])('a Service %j is inside only', (spec, expected) => {
    const annotations = { 'external-dns.alpha.kubernetes.io/hostname': 'shop.example.org' };
    const copy = copyOf(anObject('Service', { spec }, { annotations }));
    expect(copy['spec']).toEqual(expected);
    expect(copy.metadata.annotations).toBeUndefined();
  });

  test('an Ingress has host names that never resolve, a class that nobody serves, no annotations', () => {
    const spec = {
      ingressClassName: 'nginx',
      rules: [{ host: 'shop.example.org' }, {}],
      tls: [{ hosts: ['*.example.org'], secretName: 't' }],
    };
    const annotations = {
      'cert-manager.io/cluster-issuer': 'letsencrypt',
      'kubernetes.io/ingress.class': 'nginx',
    };
    const copy = copyOf(anObject('Ingress.networking.k8s.io', { spec }, { annotations }));
    expect(copy['spec']).toEqual({
      ingressClassName: 'runbook-drill-served-by-nobody',
      rules: [{ host: 'shop.example.org.drill.invalid' }, {}],
      tls: [{ hosts: ['*.example.org.drill.invalid'], secretName: 't' }],
    });
    expect(copy.metadata.annotations).toBeUndefined();
    expect(copyOf(copy)).toEqual(copy);
  });

  test('an account has no role in a cloud', () => {
    const annotations = { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/shop' };
    expect(copyOf(anObject('ServiceAccount', {}, { annotations })).metadata.annotations).toBeUndefined();
  });

  test.each(['CronJob.batch', 'Job.batch'])('a %s is suspended', (kind) => {
    expect(copyOf(anObject(kind, { spec: { suspend: false } }))['spec']).toMatchObject({ suspend: true });
  });

  test('a GitOps controller does not find its marks', () => {
    const marks = {
      'argocd.argoproj.io/instance': 'shop',
      'kustomize.toolkit.fluxcd.io/name': 'shop',
      app: 'web',
    };
    const { metadata } = copyOf(anObject('ConfigMap', {}, { labels: marks, annotations: marks }));
    expect(metadata.labels).toEqual({ app: 'web' });
    expect(metadata.annotations).toEqual({ app: 'web' });
  });
});
