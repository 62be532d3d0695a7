import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createKubernetesGateway, type KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { unique } from '../../support/stack.ts';
import {
  ownNamespace,
  proxiedKubeconfig,
  realGateway,
  scratch,
  startProxyToCluster,
} from './support/cluster.ts';
import { failureOf } from './support/failure.ts';

const manager = { fieldManager: 'gateway-test' };
let gateway: KubernetesGateway;
let namespace: Awaited<ReturnType<typeof ownNamespace>>;

beforeAll(async () => {
  gateway = realGateway();
  namespace = await ownNamespace(gateway);
});

afterAll(async () => {
  await namespace.remove();
  await gateway.close();
});

function configMap(name: string, data: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: namespace.name }, data };
}

function refOf({ apiVersion, kind, metadata }: KubernetesObject): Parameters<KubernetesGateway['get']>[0] {
  return { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

describe('objects', () => {
  test('a missing object is NotFound and not retryable', async () => {
    const error = await failureOf(gateway.get(refOf(configMap('missing'))));
    expect(error).toMatchObject({ status: 404, reason: 'NotFound', retryable: false });
    expect(error.message).toBe(`GET configmaps ${namespace.name}/missing failed: 404 NotFound`);
  });

  test('the metadata of a Secret come without its values', async () => {
    const metadata = { name: 'closed', namespace: namespace.name };
    const stringData = { key: 'canary-1f2e' };
    const created = await gateway.create({ apiVersion: 'v1', kind: 'Secret', metadata, stringData }, manager);
    const found = await gateway.getMetadata(refOf(created));
    expect(found.kind).toBe('PartialObjectMetadata');
    expect(found.metadata.uid).toBe(created.metadata.uid);
    expect(Object.keys(found).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
    const missing = await failureOf(gateway.getMetadata({ ...refOf(created), name: 'missing' }));
    expect(missing).toMatchObject({ status: 404 });
  });

  test('a key named __proto__ survives a read-modify-write', async () => {
    const data = JSON.parse('{"__proto__":"kept","a":"1"}') as Record<string, string>;
    const created = await gateway.create(configMap('proto', data), manager);
    await gateway.replace({ ...created, data: { ...data, b: '2' } }, manager);
    const { data: stored } = await gateway.get(refOf(created));
    expect(JSON.stringify(stored)).toBe('{"__proto__":"kept","a":"1","b":"2"}');
  });

  test('a dry run changes nothing', async () => {
    const planned = await gateway.create(configMap('dry'), { ...manager, dryRun: true });
    expect(planned.metadata.uid).toBeDefined();
    expect((await failureOf(gateway.get(refOf(planned)))).status).toBe(404);
  });

  test('creating what exists is AlreadyExists', async () => {
    await gateway.create(configMap('twice'), manager);
    const error = await failureOf(gateway.create(configMap('twice'), manager));
    expect(error).toMatchObject({ status: 409, reason: 'AlreadyExists' });
  });

  test('a JSON Patch pinned to a stale resourceVersion is a Conflict and changes nothing', async () => {
    const first = await gateway.create(configMap('pinned', { a: '1' }), manager);
    const pin = {
      op: 'replace',
      path: '/metadata/resourceVersion',
      value: first.metadata.resourceVersion!,
    } as const;
    const patch = (value: string) =>
      gateway.jsonPatch(refOf(first), [pin, { op: 'replace', path: '/data/a', value }], manager);
    expect((await patch('2'))['data']).toEqual({ a: '2' });
    expect(await failureOf(patch('3'))).toMatchObject({ status: 409, reason: 'Conflict', retryable: true });
    expect((await gateway.get(refOf(first)))['data']).toEqual({ a: '2' });
  });

  test('an apply conflicts with another manager unless forced', async () => {
    await gateway.apply(configMap('owned', { a: '1' }), { fieldManager: 'one', force: false });
    const second = configMap('owned', { a: '2' });
    const error = await failureOf(gateway.apply(second, { fieldManager: 'two', force: false }));
    expect(error).toMatchObject({
      status: 409,
      causes: [{ field: '.data.a', reason: 'FieldManagerConflict' }],
    });
    const forced = await gateway.apply(second, { fieldManager: 'two', force: true });
    expect(forced['data']).toEqual({ a: '2' });
  });

  test('a delete with another uid or a stale version is a Conflict; with the right ones it deletes', async () => {
    const created = await gateway.create(configMap('doomed'), manager);
    const uid = created.metadata.uid!;
    const stale = created.metadata.resourceVersion!;
    const changed = await gateway.replace({ ...created, data: { a: '1' } }, manager);
    const remove = (preconditions: { uid: string; resourceVersion?: string }) =>
      gateway.delete(refOf(created), { preconditions });
    expect((await failureOf(remove({ uid: 'another' }))).status).toBe(409);
    expect((await failureOf(remove({ uid, resourceVersion: stale }))).status).toBe(409);
    await remove({ uid, resourceVersion: changed.metadata.resourceVersion! });
    expect((await failureOf(gateway.get(refOf(created)))).status).toBe(404);
  });

  test('an invalid object names the field and never the value', async () => {
    const bad = configMap('invalid');
    bad.metadata.labels = { team: 'canary value!' };
    const error = await failureOf(gateway.create(bad, manager));
    expect(error).toMatchObject({ status: 422, reason: 'Invalid', retryable: false });
    expect(error.causes).toEqual([{ field: 'metadata.labels', reason: 'FieldValueInvalid' }]);
    expect(error.message).not.toContain('canary');
  });
});

describe('lists', () => {
  test('come complete, in pages, with the kind on every item', async () => {
    const label = unique('page');
    for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) {
      const object = configMap(name);
      object.metadata.labels = { label };
      await gateway.create(object, manager);
    }
    const query = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      namespace: namespace.name,
      labelSelector: `label=${label}`,
    };
    const { items, resourceVersion } = await gateway.list({ ...query, pageSize: 2 });
    expect(items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(
      ['p1', 'p2', 'p3', 'p4', 'p5'].map((name) => `ConfigMap ${name}`),
    );
    expect(resourceVersion).toMatch(/^\d+$/);
    const sizes: number[] = [];
    for await (const page of gateway.listPages({ ...query, pageSize: 2 })) sizes.push(page.items.length);
    expect(sizes).toEqual([2, 2, 1]);
  });

  test('a selector cannot smuggle a second parameter in', async () => {
    const query = { apiVersion: 'v1', kind: 'ConfigMap', namespace: namespace.name };
    const error = await failureOf(gateway.list({ ...query, labelSelector: 'a=b&watch=true' }));
    expect(error.status).toBe(400);
  });

  test('of cluster-scoped kinds have no namespace', async () => {
    const { items } = await gateway.list({ apiVersion: 'v1', kind: 'Namespace' });
    expect(items.map(({ metadata }) => metadata.name)).toContain(namespace.name);
    const error = await failureOf(
      gateway.list({ apiVersion: 'v1', kind: 'Namespace', namespace: 'default' }),
    );
    expect(error.reason).toBe('InvalidInput');
  });
});

describe('custom resources', () => {
  const group = `${unique('g')}.runbooks.test`;
  const definition: KubernetesObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `oxen.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'oxen', singular: 'ox', kind: 'Ox' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  };

  test('are found once they are installed, by their real plural, and int64 survives a read-modify-write', async () => {
    const ox = { apiVersion: `${group}/v1`, kind: 'Ox', namespace: namespace.name, name: 'a' };
    expect((await failureOf(gateway.get(ox))).status).toBe(404);
    const created = await gateway.create(definition, manager);
    try {
      await served(ox.apiVersion);
      const weight: unknown = JSON.rawJSON('9007199254740993');
      const metadata = { name: 'a', namespace: namespace.name };
      const first = await gateway.create(
        { apiVersion: ox.apiVersion, kind: 'Ox', metadata, weight },
        manager,
      );
      await gateway.replace({ ...first, colour: 'red' }, manager);
      const stored = JSON.stringify(await gateway.get(ox));
      expect(stored).toContain('"weight":9007199254740993');
      expect(stored).toContain('"colour":"red"');
    } finally {
      await gateway.delete(refOf(definition), { preconditions: { uid: created.metadata.uid! } });
    }
  });

  async function served(apiVersion: string): Promise<void> {
    const query = { apiVersion: definition.apiVersion, kind: definition.kind };
    const signal = AbortSignal.timeout(20_000);
    for await (const event of gateway.watch(query, { signal })) {
      const all = event.type === 'SYNC' ? event.items : [event.object];
      const ours = all.find(({ metadata }) => metadata.name === definition.metadata.name);
      if (JSON.stringify(ours?.['status'] ?? {}).includes('"type":"Established"')) break;
    }
    // Established comes a moment before the path is served.
    for (;;) {
      const error = await gateway.list({ apiVersion, kind: 'Ox', signal }).then(() => undefined, String);
      if (error === undefined) return;
      signal.throwIfAborted();
    }
  }

  test('a kind that the server does not serve is UnknownKind', async () => {
    const error = await failureOf(gateway.list({ apiVersion: 'apps/v1', kind: 'Deploymint' }));
    expect(error).toMatchObject({ reason: 'UnknownKind', status: 404, retryable: false });
  });
});

describe('connections', () => {
  test('200 requests in a row use at most two connections', async () => {
    const proxy = await startProxyToCluster();
    const files = scratch();
    const kubeconfigPath = files.file('kubeconfig', JSON.stringify(proxiedKubeconfig(proxy.port)));
    const proxied = createKubernetesGateway({ kubeconfigPath });
    try {
      const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: namespace.name };
      for (let request = 0; request < 200; request += 1) await proxied.get(ref);
      expect(proxy.accepted()).toBeLessThanOrEqual(2);
    } finally {
      await proxied.close();
      await proxy.close();
      files.remove();
    }
  });

  test('are made anew when a certificate file changes', async () => {
    const proxy = await startProxyToCluster();
    const files = scratch();
    const content = proxiedKubeconfig(proxy.port);
    const cluster = content.clusters[0]!.cluster;
    const authority = Buffer.from(String(cluster['certificate-authority-data']), 'base64').toString('utf8');
    delete cluster['certificate-authority-data'];
    cluster['certificate-authority'] = files.file('authority.crt', authority);
    const proxied = createKubernetesGateway({
      kubeconfigPath: files.file('kubeconfig', JSON.stringify(content)),
    });
    try {
      await proxied.raw('GET', '/version');
      files.file('authority.crt', `${authority}\n`);
      await proxied.raw('GET', '/version');
      expect(proxy.accepted()).toBe(2);
    } finally {
      await proxied.close();
      await proxy.close();
      files.remove();
    }
  });
});
