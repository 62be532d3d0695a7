import { PutObjectCommand } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { createS3Client } from '../../../src/clients/object-storage.ts';
import type { GroupOutcome, RecoveryPlan } from '../../../src/contracts/recovery.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { kubectlIn, stack, unique } from '../../support/stack.ts';
import { act, anEnvironment, failureOf } from '../support/run-activity.ts';
import { onlyConfigMaps, RecoveryPlace } from './support/recovery-place.ts';

let recovery: RecoveryPlace;

beforeAll(async () => {
  recovery = await RecoveryPlace.open();
});

afterAll(async () => {
  await recovery.close();
});

/** A gateway whose creates are counted, and fail as if the network were gone once there were so many. */
function failingAfter(
  gateway: KubernetesGateway,
  most: number,
): { gateway: KubernetesGateway; creates: () => number } {
  let creates = 0;
  const create: KubernetesGateway['create'] = async (object, options) => {
    creates += 1;
    if (creates > most)
      throw new KubernetesError({ operation: 'POST', reason: 'NetworkError', retryable: true });
    return await gateway.create(object, options);
  };
  const proxy = new Proxy(gateway, {
    get: (target, key) => {
      if (key === 'create') return create;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { gateway: proxy, creates: () => creates };
}

/** Restores one group as a certain attempt; collects its heartbeats. */
async function attempt(
  plan: RecoveryPlan,
  number: number,
  heartbeatDetails: unknown,
  gateway: KubernetesGateway,
): Promise<{ beats: unknown[]; ended: Promise<GroupOutcome> }> {
  const beats: unknown[] = [];
  const environment = new MockActivityEnvironment(
    { attempt: number, heartbeatDetails },
    { logger: new DefaultLogger('ERROR') },
  );
  environment.on('heartbeat', (details: unknown) => beats.push(details));
  const { position } = plan.groups[0]!;
  const request = recovery.request(plan, position, 'resumed');
  const ended = act(recovery.activitiesWith(gateway).restoreGroup, request, environment);
  await ended.catch(() => undefined);
  return { beats, ended };
}

describe('a restore that is interrupted', () => {
  const count = 60;
  const names = Array.from({ length: count }, (_, index) => `many-${index}`);

  test('goes on where its last heartbeat was, and writes nothing twice', async () => {
    await Promise.all(names.map((name) => recovery.configMap(name)));
    const backup = await recovery.backUp();
    await kubectlIn(recovery.name)('delete', 'configmap', ...names);
    const plan = await recovery.plan(backup, onlyConfigMaps(...names));
    expect(plan.counts.create).toBe(count);

    const first = failingAfter(recovery.gateway, 40);
    const lost = await attempt(plan, 1, undefined, first.gateway);
    expect((await failureOf(lost.ended)).type).toBe('Unavailable');
    const written = (await kubectlIn(recovery.name)('get', 'configmap', '-o', 'name')).match(/many-/g) ?? [];
    expect(written.length).toBe(40);
    const version = async (name: string): Promise<string | undefined> =>
      (await recovery.get('ConfigMap', name)).metadata.resourceVersion;
    const some = await kubectlIn(recovery.name)(
      'get',
      'configmap',
      '-o',
      'jsonpath={.items[*].metadata.name}',
    );
    const early = some.split(' ').find((name) => name.startsWith('many-'))!;
    const before = await version(early);

    const second = failingAfter(recovery.gateway, Infinity);
    const done = await attempt(
      plan,
      2,
      lost.beats.findLast((beat) => beat !== undefined),
      second.gateway,
    );
    const outcome = await done.ended;
    expect(outcome).toMatchObject({ troubles: 0 });
    expect(outcome.written + outcome.same).toBe(count);
    expect(await version(early)).toBe(before);

    // An attempt that begins with the last heartbeat of a complete one has nothing to send.
    const third = failingAfter(recovery.gateway, 0);
    const late = await attempt(plan, 3, done.beats.at(-1), third.gateway);
    expect(await late.ended).toEqual(outcome);
    expect(third.creates()).toBe(0);
  });
});

describe('what was exchanged between verification and restore', () => {
  let plan: RecoveryPlan;
  const put = async (key: string, body: Uint8Array): Promise<void> => {
    const { endpoint, region, bucket } = stack().s3;
    const store = recovery.openStore();
    const at = new URL(store.locationOf(key)).pathname.slice(1);
    store.close();
    const s3 = createS3Client({ endpoint, region });
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: at, Body: body }));
    s3.destroy();
  };

  beforeAll(async () => {
    await recovery.configMap('exchanged');
    const backup = await recovery.backUp();
    await recovery.remove(recovery.configMapRef('exchanged'));
    plan = await recovery.plan(backup, onlyConfigMaps('exchanged'));
  });

  const restore = () =>
    failureOf(
      act(
        recovery.activities.restoreGroup,
        recovery.request(plan, plan.groups[0]!.position),
        anEnvironment(),
      ),
    );
  const isMissing = () =>
    expect(recovery.get('ConfigMap', 'exchanged')).rejects.toMatchObject({ status: 404 });

  test('the manifest: another digest is another backup', async () => {
    const other = { ...plan, backup: { ...plan.backup, manifestSha256: 'f'.repeat(64) } };
    const request = recovery.request(other, plan.groups[0]!.position);
    const failure = await failureOf(act(recovery.activities.restoreGroup, request, anEnvironment()));
    expect(failure.type).toBe('BackupRefused');
    await isMissing();
  });

  test('the plan', async () => {
    const store = recovery.openStore();
    const whole = (await store.read(plan.stored.key))!;
    store.close();
    await put(plan.stored.key, Buffer.concat([whole, Buffer.from('x')]));
    expect(await restore()).toMatchObject({ type: 'BackupRefused' });
    await put(plan.stored.key, whole);
    await isMissing();
  });

  test('a part: nothing of it is written', async () => {
    const { part } = (await recovery.objectsOf(plan))[0]!;
    const key = `backups/${recovery.name}/${plan.backup.backupId}/${part}`;
    const store = recovery.openStore();
    const whole = (await store.read(key))!;
    store.close();
    const broken = Buffer.from(whole);
    broken[broken.length - 1]! ^= 1;
    await put(key, broken);
    expect(await restore()).toMatchObject({ type: 'BackupRefused' });
    await isMissing();
    await put(key, whole);
    const { position } = plan.groups[0]!;
    expect(await act(recovery.activities.restoreGroup, recovery.request(plan, position))).toMatchObject({
      written: 1,
    });
  });
});

describe('an object that exists and differs', () => {
  test('is updated as the plan saw it, its former state is kept, and a second attempt changes nothing', async () => {
    await recovery.configMap('changed');
    const backup = await recovery.backUp();
    await kubectlIn(recovery.name)('patch', 'configmap', 'changed', '-p', '{"data":{"a":"2","b":"3"}}');
    const plan = await recovery.plan(backup, { ...onlyConfigMaps('changed'), onConflict: 'update' });
    expect(await recovery.verdictOf(plan, 'ConfigMap', 'changed')).toMatchObject({
      verdict: 'update',
      changes: [
        { path: 'data/a', before: '2', after: '1' },
        { path: 'data/b', before: '3' },
      ],
    });
    expect(await recovery.restore(plan, 'update')).toMatchObject({ written: 1, troubles: 0 });
    const live = await recovery.get('ConfigMap', 'changed');
    expect(live['data']).toEqual({ a: '1' });
    const store = recovery.openStore();
    const former: string[] = [];
    for await (const found of store.list(`recoveries/${recovery.name}/update-first/former-`))
      if ('key' in found) former.push(found.key);
    store.close();
    expect(former).toHaveLength(1);
    expect(await recovery.restore(plan, 'update')).toMatchObject({ written: 0, same: 1, troubles: 0 });
    expect((await recovery.get('ConfigMap', 'changed')).metadata.resourceVersion).toBe(
      live.metadata.resourceVersion,
    );
  });

  test('and was written since the plan was made is not overwritten', async () => {
    await recovery.configMap('moved');
    const backup = await recovery.backUp();
    const kubectl = kubectlIn(recovery.name);
    await kubectl('patch', 'configmap', 'moved', '-p', '{"data":{"a":"2"}}');
    const plan = await recovery.plan(backup, { ...onlyConfigMaps('moved'), onConflict: 'update' });
    await kubectl('patch', 'configmap', 'moved', '-p', '{"data":{"a":"9"}}');
    const outcome = await recovery.restore(plan);
    expect(outcome).toMatchObject({ written: 0, troubles: 1 });
    expect(outcome.first[0]).toContain('written by someone else since the plan was made');
    expect((await recovery.get('ConfigMap', 'moved'))['data']).toEqual({ a: '9' });
  });

  test('and cannot be changed is a conflict, or is deleted and made anew where people want that', async () => {
    await recovery.configMap('fixed', { a: '1' }, { immutable: true });
    const backup = await recovery.backUp();
    await recovery.remove(recovery.configMapRef('fixed'));
    await recovery.configMap('fixed', { a: '2' }, { immutable: true });
    const stays = await recovery.plan(backup, { ...onlyConfigMaps('fixed'), onConflict: 'update' });
    expect(await recovery.verdictOf(stays, 'ConfigMap', 'fixed')).toMatchObject({ verdict: 'conflict' });
    const plan = await recovery.plan(backup, { ...onlyConfigMaps('fixed'), onConflict: 'replace' });
    expect(plan.summary.join('\n')).toContain('DELETED AND MADE ANEW: 1 ConfigMap (fixed)');
    expect(await recovery.restore(plan)).toMatchObject({ written: 1, troubles: 0 });
    expect((await recovery.get('ConfigMap', 'fixed'))['data']).toEqual({ a: '1' });
  });
});

// Regression: only what was asked for came back, and the run said at its end, and not before, that the service was not healthy.
test('a plan says before anybody approves it that a workload of the profile will be missing after it', async () => {
  await recovery.configMap('alone');
  const before = await recovery.backUp();
  const warned = (await recovery.plan(before, onlyConfigMaps('alone'))).summary.join('\n');
  expect(warned).toContain(`Deployment ${recovery.name} is neither there nor restored by this plan`);

  const matchLabels = { app: 'alone' };
  await recovery.place.create({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: recovery.name },
    spec: {
      replicas: 0,
      selector: { matchLabels },
      template: {
        metadata: { labels: matchLabels },
        spec: { containers: [{ name: 'main', image: 'registry.example/web:1' }] },
      },
    },
  });
  const there = await recovery.plan(before, onlyConfigMaps('alone'));
  const backup = await recovery.backUp();
  await recovery.remove(recovery.place.ref(recovery.name, 'apps/v1', 'Deployment'));
  const restored = await recovery.plan(backup);
  for (const { summary } of [there, restored])
    expect(summary.join('\n')).not.toContain('is neither there nor restored');
});

// Regression: one role in capitals ended a whole recovery before its first write.
test('roles come back whatever they are called, and what else there is with them', async () => {
  const rules = [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }];
  const roles = ['ROLE', '-rf', 'RÖLE ünïcode 👩', 'a?b#c', 'line\nline'];
  const refOf = (name: string) => recovery.place.ref(name, 'rbac.authorization.k8s.io/v1', 'Role');
  for (const name of roles)
    await recovery.place.create({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name },
      rules,
    });
  const backup = await recovery.backUp();
  for (const name of roles) await recovery.remove(refOf(name));
  const plan = await recovery.plan(backup, { only: { kinds: ['Role'] } });
  expect(await recovery.restore(plan)).toMatchObject({ written: roles.length, troubles: 0 });
  for (const name of roles) expect(await recovery.gateway.get(refOf(name))).toMatchObject({ rules });
  const [odd = ''] = roles;
  await recovery.remove(refOf(odd));
  const one = await recovery.plan(backup, { only: { names: [odd] } });
  expect(await recovery.restore(one)).toMatchObject({ written: 1, troubles: 0 });
});

test('a name that somebody took since the plan was made stays theirs, and the others are restored', async () => {
  await Promise.all([recovery.configMap('taken'), recovery.configMap('free')]);
  const backup = await recovery.backUp();
  await Promise.all([
    recovery.remove(recovery.configMapRef('taken')),
    recovery.remove(recovery.configMapRef('free')),
  ]);
  const plan = await recovery.plan(backup, onlyConfigMaps('taken', 'free'));
  await recovery.configMap('taken', { theirs: 'yes' });
  const outcome = await recovery.restore(plan);
  expect(outcome).toMatchObject({ written: 1, troubles: 1 });
  expect(outcome.first[0]).toContain('somebody made another object of this name');
  expect((await recovery.get('ConfigMap', 'taken'))['data']).toEqual({ theirs: 'yes' });
});

test.each([
  ['a name', { kinds: ['ConfigMap'], names: ['no-such-map'] }],
  ['a label', { labels: { app: 'no-such-app' } }],
])('a selection by %s that no object fits is refused, not taken for done', async (_, selection) => {
  await recovery.configMap(unique('there'));
  const backup = await recovery.backUp();
  await expect(recovery.plan(backup, { only: selection })).rejects.toThrow(
    /^only: no object of backup \S+ fits all that it asks for/,
  );
  const namespace = { kinds: ['Namespace'] };
  await expect(recovery.plan(backup, { only: namespace })).resolves.toMatchObject({ objects: 0 });
});

test('nothing is planned into a namespace that is being deleted', async () => {
  const backup = await recovery.backUp();
  const into = await recovery.otherNamespace();
  const held = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'held', namespace: into } };
  const guarded = { ...held, metadata: { ...held.metadata, finalizers: ['example.org/guard'] } };
  await recovery.gateway.create(guarded, { fieldManager: 'test' });
  const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: into };
  const { metadata } = await recovery.gateway.get(ref);
  await recovery.gateway.delete(ref, { preconditions: { uid: metadata.uid! } });
  const failure = await failureOf(recovery.plan(backup, { into }));
  expect(failure.type).toBe('GuardStopped');
  expect(failure.message).toContain('is being deleted');
  await kubectlIn(into)(
    'patch',
    'configmap',
    'held',
    '--type=json',
    '-p',
    '[{"op":"remove","path":"/metadata/finalizers"}]',
  );
});

describe('a definition that was lost with its objects', () => {
  const group = `${unique('g')}.example.org`;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
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
  const ref = {
    apiVersion: definition.apiVersion,
    kind: definition.kind,
    namespace: '',
    name: definition.metadata.name,
  };

  test('is blocked with them, and comes back with them where people want it', async () => {
    await recovery.gateway.create(definition, { fieldManager: 'test' });
    const widget = { apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name: 'w' }, spec: { size: 3 } };
    await waitFor(() => recovery.place.create(widget).catch(() => undefined), {
      what: 'the definition to be served',
      timeoutMilliseconds: 30_000,
    });
    const backup = await recovery.backUp();
    await recovery.remove(ref);
    const kinds = { only: { kinds: ['Widget', 'CustomResourceDefinition'] } };
    try {
      const blocked = await recovery.plan(backup, kinds);
      expect(await recovery.verdictOf(blocked, 'CustomResourceDefinition', ref.name)).toMatchObject({
        verdict: 'blocked',
      });
      expect(await recovery.verdictOf(blocked, 'Widget', 'w')).toMatchObject({ verdict: 'blocked' });
      const plan = await recovery.plan(backup, { ...kinds, clusterScoped: true });
      expect(plan.counts).toMatchObject({ create: 2, blocked: 0 });
      expect(await recovery.restore(plan)).toMatchObject({ written: 2, troubles: 0 });
      const restored = await recovery.gateway.get({
        ...recovery.place.ref('w'),
        apiVersion: `${group}/v1`,
        kind: 'Widget',
      });
      expect(restored['spec']).toEqual({ size: 3 });
      expect(await recovery.proveContent(plan)).toMatchObject({ verdict: 'pass' });
    } finally {
      await recovery.remove(ref).catch(() => undefined);
    }
  });
});

test('an object that a stopped recovery has left without its owner gets it back with the next one, once', async () => {
  const parent = await recovery.configMap('parent');
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid: parent.metadata.uid! };
  const metadata = { name: 'child', ownerReferences: [owner] };
  await recovery.place.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: {} });
  const backup = await recovery.backUp();
  await recovery.remove(recovery.configMapRef('child'));
  await recovery.remove(recovery.configMapRef('parent'));
  const plan = await recovery.plan(backup, onlyConfigMaps('parent', 'child'));
  await recovery.restore({ ...plan, ties: 0 });
  // Both are written at the same time: where the owner happened to be first, the child has it already.
  const child = await recovery.get('ConfigMap', 'child');
  await recovery.gateway.replace(
    { ...child, metadata: { ...child.metadata, ownerReferences: [] } },
    { fieldManager: 'test' },
  );

  const next = await recovery.plan(backup, onlyConfigMaps('parent', 'child'));
  expect(next).toMatchObject({ groups: [], ties: 1 });
  expect(next.changes).toMatchObject([{ name: 'child', path: '/metadata/ownerReferences' }]);
  expect(next.summary.join('\n')).toContain('owners come back to 1 object that an earlier recovery made');
  await expect(recovery.restore(next)).resolves.toMatchObject({ written: 1, troubles: 0 });
  const { uid } = (await recovery.get('ConfigMap', 'parent')).metadata;
  expect((await recovery.get('ConfigMap', 'child')).metadata.ownerReferences).toEqual([{ ...owner, uid }]);
  await expect(recovery.plan(backup, onlyConfigMaps('parent', 'child'))).resolves.toMatchObject({
    changes: [],
    ties: 0,
  });
});
