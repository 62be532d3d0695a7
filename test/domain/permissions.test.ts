import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';
import { targetProfileSchema, type TargetProfile } from '../../src/contracts/target.ts';
import { permissionsFor, resourceName, ruleLine, type Permission } from '../../src/domain/permissions.ts';
import { manifestOf, rolesOf, type Role } from '../support/deploy-manifests.ts';

/** The profile that the manifest itself brings. */
const profile = manifestOf('worker').flatMap(({ kind, data }) =>
  kind === 'ConfigMap'
    ? [targetProfileSchema.parse(parse((data as Record<string, string>)['alecs.yaml'] ?? ''))]
    : [],
)[0]!;

function withHealth(health: Record<string, unknown>): TargetProfile {
  return targetProfileSchema.parse({ ...profile, health: { path: '/health', ...health } });
}

/** Every single thing that a role allows, one line each. */
function grantsOf({ metadata, rules }: Role): string[] {
  return rules.flatMap(({ apiGroups, resources, resourceNames = ['*'], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) =>
          verbs.map((verb) => [metadata.namespace, verb, resource, group, name].join(' ')),
        ),
      ),
    ),
  );
}

function needsOf({ apiGroup, resource, subresource, namespace, names = ['*'], verbs }: Permission): string[] {
  const path = [resource, subresource].filter(Boolean).join('/');
  return names.flatMap((name) => verbs.map((verb) => [namespace, verb, path, apiGroup, name].join(' ')));
}

test('the manifest grants everything that procedures need, and nothing else', () => {
  expect(rolesOf('worker').flatMap(grantsOf).sort()).toEqual(permissionsFor(profile).flatMap(needsOf).sort());
});

test.each([
  [{ via: 'port-forward', port: 8080 }, ['pods/portforward']],
  [{ via: 'exec', command: ['true'] }, ['pods/exec']],
  [{ via: 'pod-address', port: 8080 }, []],
  [{ via: 'url', url: 'http://web' }, []],
])('the way to a pod decides which subresource is needed: %j', (health, expected) => {
  const names = permissionsFor(withHealth(health)).map(resourceName);
  expect(names.filter((name) => name.startsWith('pods/'))).toEqual(expected);
});

test('only Deployments are named, every one of them', () => {
  const workloads = {
    ...profile.workloads,
    second: { kind: 'Deployment' as const, container: 'main' },
    database: { kind: 'StatefulSet' as const, container: 'main' },
  };
  const [deployments] = permissionsFor({ ...profile, workloads });
  expect(deployments?.names).toEqual(['alecs-server', 'second']);
});

test('a permission is shown as the line of a Role, which YAML reads back', () => {
  const lines = permissionsFor(profile).map((permission) => ruleLine(permission));
  expect(lines[0]).toBe(
    '- { apiGroups: [apps], resources: [deployments], resourceNames: [alecs-server], verbs: [get, list, watch, patch] }',
  );
  expect(lines).toContain("- { apiGroups: [''], resources: [pods/portforward], verbs: [get, create] }");
  for (const line of lines) expect(parse(line)).toMatchObject([{ verbs: expect.any(Array) as unknown }]);
});

test('only a part of the verbs may be shown', () => {
  const [deployments] = permissionsFor(profile);
  expect(ruleLine(deployments!, ['patch'])).toContain('verbs: [patch]');
});

test('of all Secrets only the audit key can be read: a rollback says what it could not check instead', () => {
  const secrets = permissionsFor(profile).filter((one) => resourceName(one) === 'secrets');
  expect(secrets).toMatchObject([
    { namespace: 'runbooks', names: ['runbook-audit-key'], verbs: ['get'], optional: true },
  ]);
});

const backup = { keys: { signing: ['keys/s.asc'], online: 'keys/on.asc', escrow: 'keys/esc.asc' } };

/** What a profile needs more when it has backups. */
function neededForBackup(more: Record<string, unknown> = {}): Permission[] {
  const without = permissionsFor(profile).map((one) => JSON.stringify(one));
  const all = permissionsFor(targetProfileSchema.parse({ ...profile, backup: { ...backup, ...more } }));
  return all.filter((one) => !without.includes(JSON.stringify(one)));
}

test('with backups a worker may read the Secret of this target with their keys, and no other one', () => {
  const added = neededForBackup().filter((one) => resourceName(one) === 'secrets');
  expect(added).toMatchObject([{ namespace: 'runbooks', names: ['runbook-backup-alecs'], verbs: ['get'] }]);
  expect(added[0]?.optional).toBeUndefined();
});

test('with backups a worker lists everything, and gets logs alone: get on everything would allow exec', () => {
  const added = neededForBackup().filter((one) => resourceName(one) !== 'secrets');
  expect(added.map((one) => [one.namespace, one.optional ?? false, ruleLine(one)])).toEqual([
    ['alecs', false, "- { apiGroups: ['*'], resources: ['*'], verbs: [list] }"],
    [undefined, true, "- { apiGroups: ['*'], resources: ['*'], verbs: [list] }"],
    ['alecs', true, "- { apiGroups: [''], resources: [pods/log], verbs: [get] }"],
  ]);
  for (const one of added) expect(parse(ruleLine(one))).toHaveLength(1);
});

test('logs that are not backed up are not read', () => {
  expect(neededForBackup({ logs: { sinceSeconds: 0 } }).map(resourceName)).not.toContain('pods/log');
});

test('hooks are run in the workloads that they name, and these are looked up', () => {
  const hook = (name: string, workload: string): object => ({
    name,
    workload,
    container: 'main',
    command: ['true'],
  });
  const hooks = { before: [hook('a', 'database'), hook('b', 'web')], after: [hook('c', 'database')] };
  const added = neededForBackup({ hooks }).filter(({ why }) => why.includes('hooks'));
  expect(added.map((one) => [resourceName(one), one.names ?? [], one.verbs])).toEqual([
    ['deployments.apps', ['database', 'web'], ['get']],
    ['statefulsets.apps', ['database', 'web'], ['get']],
    ['daemonsets.apps', ['database', 'web'], ['get']],
    ['pods/exec', [], ['get', 'create']],
  ]);
});

test('backup.yaml and backup-hooks.yaml grant what backups with hooks need more, and nothing else', () => {
  const hook = { name: 'a', workload: 'alecs-server', container: 'main', command: ['true'] };
  const needed = neededForBackup({ hooks: { before: [hook], after: [] } }).flatMap(needsOf);
  const roles = ['backup', 'backup-hooks'].flatMap(rolesOf);
  const everywhere = roles.filter(({ kind }) => kind === 'ClusterRole').flatMap(grantsOf);
  // What may be read in the whole cluster may be read in the target's namespace.
  const inNamespace = everywhere.map((line) => `alecs${line}`);
  const granted = [...everywhere, ...roles.filter(({ kind }) => kind === 'Role').flatMap(grantsOf)];
  expect(needed.filter((line) => !granted.includes(line) && !inNamespace.includes(line))).toEqual([]);
  expect(granted.filter((line) => !needed.includes(line) && !needed.includes(`alecs${line}`))).toEqual([]);
});

test.each(['worker', 'backup', 'backup-hooks', 'recover', 'drill', 'pause-owner'])(
  'every role of %s.yaml is bound to the worker',
  (name) => {
    type Binding = KubernetesObject & { roleRef: unknown; subjects: unknown };
    const bindings = manifestOf(name).filter((one): one is Binding => one.kind.endsWith('RoleBinding'));
    const apiGroup = 'rbac.authorization.k8s.io';
    expect(
      bindings.map(({ roleRef, subjects, metadata }) => [metadata.namespace, roleRef, subjects]),
    ).toEqual(
      rolesOf(name).map(({ kind, metadata }) => [
        metadata.namespace,
        { apiGroup, kind, name: metadata.name },
        [{ kind: 'ServiceAccount', name: 'runbook-worker', namespace: 'runbooks' }],
      ]),
    );
  },
);
