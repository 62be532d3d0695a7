import { afterAll, expect, test } from '@jest/globals';
import { readLogs } from '../../../../src/activities/backups/read/pod-logs.ts';
import { rolesOf } from '../../../support/deploy-manifests.ts';
import { Ground, namesOf } from '../support/ground.ts';
import { narrowGateway } from '../support/narrow-gateway.ts';

const grounds: Ground[] = [];
afterAll(async () => {
  for (const ground of grounds) await ground.close();
});

test('the rights of deploy/kubernetes/backup.yaml are enough for a whole backup, and allow no writing and no exec', async () => {
  const ground = await Ground.open();
  grounds.push(ground);
  const { apiVersion, kind, group } = await ground.defineThings();
  await ground.create({ apiVersion, kind, metadata: { name: 'one' } });
  await ground.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { a: 'x' } });
  const probe = `/api/v1/namespaces/${ground.namespace}/secrets`;
  const rules = rolesOf('backup').find(({ kind }) => kind === 'ClusterRole')?.rules ?? [];
  const narrow = await narrowGateway(ground, rules, probe, { everywhere: true });
  const reading = await ground.read(await ground.snapshot(narrow), { gateway: narrow });
  expect(reading.missing).toEqual([]);
  expect(namesOf(reading, `things.${group}`)).toEqual(['one']);
  expect(namesOf(reading, 'secrets')).toEqual(['s']);
  expect(namesOf(reading, 'customresourcedefinitions.apiextensions.k8s.io')).toEqual([`things.${group}`]);
  const asked = { namespace: ground.namespace, sinceSeconds: 60, bytesPerContainer: 1024 };
  for await (const item of readLogs(narrow, asked, new AbortController().signal))
    expect(item).not.toHaveProperty('missing');
  for (const [verb, resource, subresource] of [
    ['create', 'configmaps', ''],
    ['get', 'pods', 'exec'],
    ['get', 'services', 'proxy'],
  ]) {
    const resourceAttributes = { verb, resource, subresource, namespace: ground.namespace };
    const { text } = await narrow.raw('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      body: {
        contentType: 'application/json',
        text: JSON.stringify({
          apiVersion: 'authorization.k8s.io/v1',
          kind: 'SelfSubjectAccessReview',
          spec: { resourceAttributes },
        }),
      },
    });
    expect([resource, subresource, JSON.parse(text)]).toMatchObject([
      resource,
      subresource,
      { status: { allowed: false } },
    ]);
  }
  await narrow.close();
});
