import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../../../src/local/wait.ts';
import { kindName } from '../../../../src/domain/backups/archive-path.ts';
import { storedForm } from '../../../../src/domain/backups/stored-form.ts';
import { canonicalJson } from '../../../../src/domain/plan/canonical-json.ts';
import { Ground, namesOf, type Reading } from '../support/ground.ts';
import { shopClusterObjects, shopManifest } from '../support/shop.ts';

let ground: Ground;
let reading: Reading;
let folder: string;
let thing: { apiVersion: string; kind: string };

/** A namespace with a service in it, which someone applied with kubectl, and what others added to it. */
beforeAll(async () => {
  ground = await Ground.open();
  const { group, ...type } = await ground.defineThings({ subresources: { status: {} } });
  thing = type;
  const file = join(ground.folder, 'shop.yaml');
  writeFileSync(file, shopManifest(ground.namespace, group));
  await ground.kubectl('apply', '--filename', file);
  for (const one of shopClusterObjects(ground.namespace)) ground.alsoRemove(one);
  const owner = await ground.configMap('owner');
  const { apiVersion, kind, metadata } = owner;
  await ground.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'owned',
      ownerReferences: [{ apiVersion, kind, name: metadata.name, uid: metadata.uid! }],
    },
  });
  await ground.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'held', finalizers: ['example.com/hold'] },
  });
  await waitFor(
    async () => {
      const { data } = await ground.gateway.get(ground.ref('v1', 'Secret', 'token'));
      return data;
    },
    { what: 'the token of the account', timeoutMilliseconds: 30_000 },
  );
  reading = await ground.readAll();
  folder = ground.store(reading);
});
afterAll(async () => {
  await release('held');
  await ground.close();
});

async function release(name: string): Promise<void> {
  const ref = ground.ref('v1', 'ConfigMap', name);
  await ground.gateway.jsonPatch(ref, [{ op: 'remove', path: '/metadata/finalizers' }], {
    fieldManager: 'test',
  });
}

/** What a person does with the archives: first the cluster's objects, then all. */
async function apply(...options: string[]): Promise<string> {
  const cluster = await ground.kubectl(
    'apply',
    ...options,
    '--recursive',
    '--filename',
    join(folder, 'cluster'),
  );
  await ground.kubectl(
    'wait',
    '--for=condition=established',
    'crd',
    `things.${thing.apiVersion.split('/')[0]!}`,
  );
  return cluster + (await ground.kubectl('apply', ...options, '--recursive', '--filename', folder));
}

/** The stored form of every object; what kubectl writes down for itself aside. */
function stored({ snapshot, objects }: Reading): Record<string, unknown> {
  const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';
  const entries = snapshot.kinds.flatMap((kind) =>
    [...(objects.get(kindName(kind))?.values() ?? [])].map((object) => {
      const { metadata, ...content } = storedForm(object, kind).stored;
      const { [lastApplied]: ignored, ...annotations } = metadata.annotations ?? {};
      return [
        `${kindName(kind)} ${metadata.name}`,
        canonicalJson({ ...content, ...metadata, annotations }),
      ] as const;
    }),
  );
  return Object.fromEntries(entries.sort());
}

const serverSide = ['--server-side', '--field-manager=hand', '--force-conflicts'];

test('everything that was applied is in the backup, and nothing is said to be missing', () => {
  expect(reading.missing).toEqual([]);
  expect([...reading.own]).toEqual([]);
  const counts = Object.fromEntries([...reading.objects].map(([kind, objects]) => [kind, objects.size]));
  expect(counts).toMatchObject({
    'deployments.apps': 1,
    'statefulsets.apps': 1,
    'daemonsets.apps': 1,
    'jobs.batch': 1,
    services: 4,
    secrets: 2,
    'endpointslices.discovery.k8s.io': 1,
    persistentvolumes: 1,
    'clusterrolebindings.rbac.authorization.k8s.io': 1,
  });
  expect(namesOf(reading, 'configmaps')).toEqual(['fixed', 'held', 'owned', 'owner', 'settings']);
});

test('over what is there it can be applied again and again, client-side and server-side', async () => {
  await apply();
  expect(await apply()).not.toMatch(/created/);
  await apply(...serverSide);
  await apply(...serverSide);
});

test.each([
  ['client-side', []],
  ['server-side', serverSide],
])(
  'into an empty cluster it can be applied twice, %s, and nobody deletes it again',
  async (_how, options) => {
    await release('held');
    await ground.clear();
    await apply(...options);
    await apply(...options);
    // The garbage collector deletes what names a dead owner, within moments of seeing it: it has seen this one.
    const child = await ground.configMap('seen');
    const dead = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: 'nobody',
      uid: 'ffffffff-0000-4000-8000-000000000000',
    };
    const ref = ground.ref('v1', 'ConfigMap', child.metadata.name);
    await ground.gateway.jsonPatch(ref, [{ op: 'add', path: '/metadata/ownerReferences', value: [dead] }], {
      fieldManager: 'test',
    });
    await waitFor(
      () =>
        ground.gateway.get(ref).then(
          () => undefined,
          () => true,
        ),
      {
        what: 'the garbage collector',
        timeoutMilliseconds: 60_000,
      },
    );
    await ground.settled();
    const again = await ground.readAll();
    expect(stored(again)).toEqual(stored(reading));
    await waitFor(
      async () =>
        (await ground.gateway.get(ground.ref('v1', 'Secret', 'token'))).data === undefined ? undefined : true,
      { what: 'a new token of the account', timeoutMilliseconds: 30_000 },
    );
  },
);
