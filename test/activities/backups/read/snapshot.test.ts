import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readKind, type SnapshotKind } from '../../../../src/activities/backups/read/snapshot.ts';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import { stringifyLossless, parseLossless } from '../../../../src/clients/kubernetes/lossless-json.ts';
import type { KubernetesObject } from '../../../../src/contracts/kubernetes.ts';
import { kindName } from '../../../../src/domain/backups/archive-path.ts';
import { storedForm } from '../../../../src/domain/backups/stored-form.ts';
import { waitFor } from '../../../../src/local/wait.ts';
import { failureOf } from '../../../clients/kubernetes/support/failure.ts';
import { Ground, namesOf } from '../support/ground.ts';
import { narrowGateway } from '../support/narrow-gateway.ts';

const canary = 'canary-77d1c0';
const grounds: Ground[] = [];
const gateways: KubernetesGateway[] = [];

async function open(): Promise<Ground> {
  const ground = await Ground.open();
  grounds.push(ground);
  return ground;
}
afterAll(async () => {
  for (const gateway of gateways) await gateway.close();
  for (const ground of grounds) await ground.close();
});

function kindIn(kinds: SnapshotKind[], name: string): SnapshotKind {
  const kind = kinds.find((one) => kindName(one) === name);
  if (kind === undefined) throw new Error(`no ${name} in the snapshot`);
  return kind;
}

describe('one moment', () => {
  test('what is changed, deleted and added while a kind is listed comes as it was', async () => {
    const ground = await open();
    const names = Array.from({ length: 60 }, (_, index) => `c-${String(index).padStart(2, '0')}`);
    await Promise.all(names.map((name) => ground.configMap(name, { state: 'before' })));
    const snapshot = await ground.snapshot();
    const kind = kindIn(snapshot.kinds, 'configmaps');
    expect(kind.estimate).toBe(61); // with kube-root-ca.crt
    const found = new Map<string, unknown>();
    const consistency = new Set<string>();
    let pages = 0;
    const signal = new AbortController().signal;
    for await (const item of readKind(ground.gateway, snapshot, kind, ground.asked(), signal)) {
      if (!('objects' in item)) throw new Error('only objects were expected');
      for (const { metadata, data } of item.objects) found.set(metadata.name, data);
      consistency.add(`${item.consistency} ${item.resourceVersion}`);
      pages += 1;
      if (pages > 1) continue;
      for (const name of ['c-00', 'c-59']) await remove(ground, name);
      for (const name of ['c-01', 'c-58'])
        await ground.gateway.jsonPatch(
          ground.ref('v1', 'ConfigMap', name),
          [{ op: 'replace', path: '/data/state', value: 'after' }],
          { fieldManager: 'test' },
        );
      await ground.configMap('c-zz', { state: 'after' });
    }
    expect(pages).toBeGreaterThan(1);
    expect([...found.keys()]).toEqual(names);
    for (const data of found.values()) expect(data).toEqual({ state: 'before' });
    expect([...consistency]).toEqual([`snapshot ${snapshot.resourceVersion}`]);
  });

  test('the snapshot holds no value of a Secret and is small', async () => {
    const ground = await open();
    await ground.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { a: canary },
    });
    const snapshot = await ground.snapshot();
    const text = JSON.stringify(snapshot);
    expect(text).not.toMatch(new RegExp(`${canary}|${Buffer.from(canary).toString('base64')}`));
    expect(text.length).toBeLessThan(snapshot.kinds.length * 400 + 400);
    expect(snapshot.serverVersion).toMatch(/^v1\.\d+\./);
  });
});

async function remove(ground: Ground, name: string): Promise<void> {
  const ref = ground.ref('v1', 'ConfigMap', name);
  const { metadata } = await ground.gateway.get(ref);
  await ground.gateway.delete(ref, { preconditions: { uid: metadata.uid! } });
}

describe('objects come as they are', () => {
  test('with integers of 64 bits, keys of prototypes, nulls and a mebibyte of content', async () => {
    const ground = await open();
    const { apiVersion, kind } = await ground.defineThings();
    const text = `{"apiVersion":"${apiVersion}","kind":"${kind}","metadata":{"name":"one"},"spec":{"big":9007199254740993,"low":-9223372036854775808,"__proto__":{"x":1},"none":null},"status":{"seen":9007199254740993}}`;
    await ground.create(parseLossless(text) as unknown as KubernetesObject);
    await ground.create(
      parseLossless(
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"odd"},"data":{"__proto__":"p","constructor":"c"}}',
      ) as unknown as KubernetesObject,
    );
    await ground.configMap('large', { a: 'x'.repeat(1024 * 1024) });
    const reading = await ground.readAll();
    expect(reading.missing).toEqual([]);
    const group = apiVersion.split('/')[0]!;
    const thing = reading.objects.get(`things.${group}`)!.get('one')!;
    const { stored } = storedForm(thing, kindIn(reading.snapshot.kinds, `things.${group}`));
    const written = stringifyLossless(stored);
    expect(written).toContain('"big":9007199254740993');
    expect(written).toContain('"low":-9223372036854775808');
    expect(written).toContain('"__proto__":{"x":1}');
    // The kind has no status subresource: it is content.
    expect(written).toContain('"status":{"seen":9007199254740993}');
    const maps = reading.objects.get('configmaps')!;
    expect(stringifyLossless(maps.get('odd')!['data'])).toBe('{"__proto__":"p","constructor":"c"}');
    expect((maps.get('large')!['data'] as { a: string }).a).toHaveLength(1024 * 1024);
    expect(namesOf(reading, 'customresourcedefinitions.apiextensions.k8s.io')).toEqual([`things.${group}`]);
  });

  test('of forty kinds, each once', async () => {
    const ground = await open();
    const custom = await Promise.all(Array.from({ length: 30 }, () => ground.defineThings()));
    for (const { apiVersion, kind } of custom)
      for (const name of ['one', 'two']) await ground.create({ apiVersion, kind, metadata: { name } });
    const simple: [string, string, Record<string, unknown>][] = [
      ['v1', 'Secret', {}],
      ['v1', 'Service', { spec: { ports: [{ port: 80 }] } }],
      ['v1', 'LimitRange', { spec: { limits: [] } }],
      ['v1', 'ResourceQuota', {}],
      [
        'v1',
        'PersistentVolumeClaim',
        { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } },
      ],
      ['rbac.authorization.k8s.io/v1', 'Role', { rules: [] }],
      ['networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {} } }],
      ['policy/v1', 'PodDisruptionBudget', { spec: { maxUnavailable: 1 } }],
    ];
    for (const [apiVersion, kind, more] of simple)
      await ground.create({ apiVersion, kind, metadata: { name: 'plain' }, ...more });
    const reading = await ground.readAll();
    expect(reading.missing).toEqual([]);
    for (const { group } of custom) expect(namesOf(reading, `things.${group}`)).toEqual(['one', 'two']);
    const filled = [...reading.objects].filter(([, objects]) => objects.size > 0).map(([kind]) => kind);
    // Beside those: the namespace, its default account, and the definitions.
    expect(filled).toHaveLength(30 + simple.length + 3);
    expect(namesOf(reading, 'customresourcedefinitions.apiextensions.k8s.io')).toHaveLength(30);
  });
});

describe('what is always left out', () => {
  test('leases, events, what controllers make, and the certificates of the cluster', async () => {
    const ground = await open();
    await ground.create({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'leader' },
    });
    const labels = { app: 'web' };
    const template = {
      metadata: { labels },
      spec: { containers: [{ name: 'main', image: 'registry.example/web:1' }] },
    };
    await ground.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: { replicas: 1, selector: { matchLabels: labels }, template },
    });
    await ground.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { selector: labels, ports: [{ port: 80 }] },
    });
    const made = { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: ground.namespace };
    for (const query of [
      made,
      { ...made, apiVersion: 'v1', kind: 'Pod' },
      { ...made, apiVersion: 'v1', kind: 'Event' },
      { ...made, apiVersion: 'v1', kind: 'Endpoints' },
    ])
      await waitFor(async () => ((await ground.gateway.list(query)).items.length > 0 ? true : undefined), {
        what: `${query.kind} of the controllers`,
        timeoutMilliseconds: 30_000,
      });
    const reading = await ground.readAll();
    const filled = [...reading.objects].filter(([, objects]) => objects.size > 0).map(([kind]) => kind);
    expect(filled.sort()).toEqual(['deployments.apps', 'namespaces', 'serviceaccounts', 'services']);
    expect(reading.missing).toEqual([]);
  });

  test('and what the profile excludes, a kind or an object', async () => {
    const ground = await open();
    for (const name of ['a', 'b']) await ground.configMap(name);
    const exclude = [
      { apiGroup: '', kind: 'ConfigMap', name: 'a' },
      { apiGroup: '', kind: 'ServiceAccount' },
    ];
    const reading = await ground.read(await ground.snapshot(), { exclude });
    expect(namesOf(reading, 'configmaps')).toEqual(['b']);
    expect(namesOf(reading, 'serviceaccounts')).toEqual([]);
  });
});

describe('what cannot be read', () => {
  test('a kind whose definition is removed after the snapshot is missing, and the rest is there', async () => {
    const ground = await open();
    const { apiVersion, kind, group } = await ground.defineThings();
    await ground.create({ apiVersion, kind, metadata: { name: 'one' } });
    await ground.configMap('kept');
    const snapshot = await ground.snapshot();
    const ref = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      namespace: '',
      name: `things.${group}`,
    };
    const { metadata } = await ground.gateway.get(ref);
    await ground.gateway.delete(ref, { preconditions: { uid: metadata.uid! } });
    await waitFor(
      () =>
        ground.gateway.raw('GET', `/apis/${apiVersion}/things`).then(
          () => undefined,
          () => true,
        ),
      { what: 'the kind to be gone', timeoutMilliseconds: 30_000 },
    );
    const reading = await ground.read(snapshot);
    expect(reading.missing).toEqual([
      { what: `things.${group}`, why: 'the API server does not serve it any more' },
    ]);
    expect(namesOf(reading, 'configmaps')).toEqual(['kept']);
    // The definition itself is as of the snapshot.
    expect(namesOf(reading, 'customresourcedefinitions.apiextensions.k8s.io')).toEqual([`things.${group}`]);
  });

  test('a namespace that is not there is told, and so is one that is being deleted', async () => {
    const ground = await open();
    await ground.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'held', finalizers: ['example.com/hold'] },
    });
    const namespace = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: ground.namespace };
    const { metadata } = await ground.gateway.get(namespace);
    await ground.gateway.delete(namespace, { preconditions: { uid: metadata.uid! } });
    const { missing } = await ground.snapshot();
    expect(missing).toContainEqual({
      what: `namespace ${ground.namespace}`,
      why: 'it is being deleted, and with it everything in it',
    });
    const held = ground.ref('v1', 'ConfigMap', 'held');
    await ground.gateway.jsonPatch(held, [{ op: 'remove', path: '/metadata/finalizers' }], {
      fieldManager: 'test',
    });
    await waitFor(
      () =>
        ground.gateway.get(namespace).then(
          () => undefined,
          () => true,
        ),
      {
        what: 'the namespace to be gone',
        timeoutMilliseconds: 60_000,
      },
    );
    expect(await failureOf(ground.snapshot())).toMatchObject({ status: 404, reason: 'NotFound' });
  });

  test('by an account that may list two kinds: these are there, every other is missing, and no value shows', async () => {
    const ground = await open();
    await ground.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData: { a: canary },
    });
    await ground.configMap('kept');
    const narrow = await narrowGateway(
      ground,
      [
        { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] },
        { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list'] },
      ],
      `/api/v1/namespaces/${ground.namespace}/configmaps`,
    );
    gateways.push(narrow);
    const snapshot = await ground.snapshot(narrow);
    const reading = await ground.read(snapshot, { gateway: narrow });
    expect([...reading.objects.keys()]).toEqual(['configmaps']);
    expect(namesOf(reading, 'configmaps')).toEqual(['kept']);
    const missing = new Map(reading.missing.map(({ what, why }) => [what, why]));
    for (const what of [
      'secrets',
      'namespaces',
      'statefulsets.apps',
      'clusterrolebindings.rbac.authorization.k8s.io',
    ])
      expect([what, missing.get(what)]).toEqual([
        what,
        expect.stringMatching(/^the worker may not list it: .*403 Forbidden$/),
      ]);
    expect(missing.has('configmaps')).toBe(false);
    expect(missing.has('deployments.apps')).toBe(false);
    expect(missing.has('events')).toBe(false);
    expect(JSON.stringify(snapshot)).not.toContain(canary);
  });

  test('by an account that may list nothing at all is a failure', async () => {
    const ground = await open();
    const narrow = await narrowGateway(ground, [], '/version');
    gateways.push(narrow);
    expect(await failureOf(ground.snapshot(narrow))).toMatchObject({ status: 403 });
  });
});

describe('what a namespace needs of the cluster', () => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await open();
  });
  const rbac = 'rbac.authorization.k8s.io';
  const role = (
    name: string,
    more: Record<string, unknown> = {},
    labels: Record<string, string> = {},
  ): KubernetesObject => ({
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRole',
    metadata: { name, labels },
    ...more,
  });

  test('comes with it, and what belongs to others or to Kubernetes does not', async () => {
    const { namespace } = ground;
    const name = (what: string): string => `${what}-${namespace}`;
    await ground.create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'web' } });
    const selector = { matchLabels: { [`to/${namespace}`]: 'all' } };
    await ground.createInCluster(
      role(name('all'), { aggregationRule: { clusterRoleSelectors: [selector] } }),
    );
    await ground.createInCluster(role(name('part'), { rules: [] }, selector.matchLabels));
    await ground.createInCluster(role(name('foreign'), { rules: [] }));
    await ground.createInCluster(role(name('bound'), { rules: [] }));
    const bind = (roleName: string): Record<string, unknown> => ({
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: roleName },
      subjects: [{ kind: 'ServiceAccount', name: 'web', namespace }],
    });
    const binding = { apiVersion: `${rbac}/v1`, kind: 'RoleBinding' };
    await ground.create({ ...binding, metadata: { name: 'all' }, ...bind(name('all')) });
    await ground.create({ ...binding, metadata: { name: 'view' }, ...bind('view') });
    await ground.createInCluster({
      ...binding,
      kind: 'ClusterRoleBinding',
      metadata: { name: name('bound') },
      ...bind(name('bound')),
    });
    for (const [kind, of] of [
      ['ValidatingWebhookConfiguration', namespace],
      ['MutatingWebhookConfiguration', 'elsewhere'],
    ] as const)
      await ground.createInCluster({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind,
        metadata: { name: name('hook') },
        webhooks: [
          {
            name: 'hook.example.com',
            clientConfig: { service: { name: 'nobody', namespace: of } },
            // It sees nothing: no object has such a label.
            objectSelector: { matchLabels: { [`never/${namespace}`]: 'x' } },
            rules: [
              { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
            ],
            failurePolicy: 'Ignore',
            sideEffects: 'None',
            admissionReviewVersions: ['v1'],
          },
        ],
      });
    await ground.createInCluster({
      apiVersion: 'node.k8s.io/v1',
      kind: 'RuntimeClass',
      metadata: { name: name('sandboxed') },
      handler: 'runc',
    });
    const podSpec = {
      containers: [{ name: 'main', image: 'registry.example/web:1' }],
      runtimeClassName: name('sandboxed'),
      priorityClassName: 'system-cluster-critical',
    };
    const labels = { app: 'web' };
    await ground.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web' },
      spec: {
        replicas: 0,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: podSpec },
      },
    });
    const { snapshot, missing } = await ground.readAll();
    const ofCluster = snapshot.kinds.filter(({ namespaced }) => !namespaced);
    expect(Object.fromEntries(ofCluster.map((kind) => [kindName(kind), kind.names]))).toEqual({
      namespaces: [namespace],
      'clusterrolebindings.rbac.authorization.k8s.io': [name('bound')],
      'clusterroles.rbac.authorization.k8s.io': [name('all'), name('bound'), name('part')],
      'validatingwebhookconfigurations.admissionregistration.k8s.io': [name('hook')],
      'runtimeclasses.node.k8s.io': [name('sandboxed')],
    });
    expect(missing).toEqual([]);
  });
});
