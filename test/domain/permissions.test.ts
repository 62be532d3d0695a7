import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { targetProfileSchema, type TargetProfile } from '../../src/contracts/target.ts';
import { permissionsFor, resourceName, ruleLine, type Permission } from '../../src/domain/permissions.ts';

interface Role {
  kind: string;
  metadata: { name: string; namespace: string };
  rules: { apiGroups: string[]; resources: string[]; resourceNames?: string[]; verbs: string[] }[];
}

const file = new URL('../../deploy/kubernetes/worker.yaml', import.meta.url);
const manifest = parseAllDocuments(readFileSync(file, 'utf8')).map((one) => one.toJS() as unknown);

/** The profile that the manifest itself brings. */
const profile = manifest.flatMap((document) => {
  const { kind, data } = document as { kind: string; data?: Record<string, string> };
  return kind === 'ConfigMap' ? [targetProfileSchema.parse(parse(data?.['alecs.yaml'] ?? ''))] : [];
})[0]!;

function withHealth(health: Record<string, unknown>): TargetProfile {
  return targetProfileSchema.parse({ ...profile, health: { path: '/health', ...health } });
}

/** Every single thing that is allowed, one line each. */
function granted(): string[] {
  const roles = manifest.filter((document): document is Role => (document as Role).kind === 'Role');
  return roles.flatMap(({ metadata, rules }) =>
    rules.flatMap(({ apiGroups, resources, resourceNames = ['*'], verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) =>
          resourceNames.flatMap((name) =>
            verbs.map((verb) => [metadata.namespace, verb, resource, group, name].join(' ')),
          ),
        ),
      ),
    ),
  );
}

function needed(): string[] {
  return permissionsFor(profile).flatMap(
    ({ apiGroup, resource, subresource, namespace = '', names = ['*'], verbs }) =>
      names.flatMap((name) =>
        verbs.map((verb) =>
          [namespace, verb, [resource, subresource].filter(Boolean).join('/'), apiGroup, name].join(' '),
        ),
      ),
  );
}

test('the manifest grants everything that procedures need, and nothing else', () => {
  expect(granted().sort()).toEqual(needed().sort());
});

test('every Role of the manifest is bound to the worker', () => {
  type Binding = Role & { roleRef: { name: string }; subjects: { name: string }[] };
  const bindings = manifest.filter((one): one is Binding => (one as Role).kind === 'RoleBinding');
  const bound = bindings.map(({ metadata, roleRef, subjects }) => [
    metadata.namespace,
    roleRef.name,
    subjects.map(({ name }) => name),
  ]);
  const roles = manifest.filter((one): one is Role => (one as Role).kind === 'Role');
  expect(bound).toEqual(roles.map(({ metadata }) => [metadata.namespace, metadata.name, ['runbook-worker']]));
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

test('the manifest has the roles of backups ready, as a comment', () => {
  const text = readFileSync(file, 'utf8').replaceAll(/^# ?/gm, '');
  const roles = ['ClusterRole', 'Role'].map((kind) => {
    const start = new RegExp(
      `^apiVersion: rbac.*\\nkind: ${kind}\\nmetadata:\\n  name: runbook-backup`,
      'm',
    ).exec(text);
    return parse(text.slice(start?.index ?? text.length).split(/^---$/m)[0] ?? '') as Role;
  });
  expect(roles.map(({ rules }) => rules)).toEqual([
    [
      { apiGroups: ['*'], resources: ['*'], verbs: ['list'] },
      { apiGroups: [''], resources: ['pods/log'], verbs: ['get'] },
    ],
    [
      {
        apiGroups: ['apps'],
        resources: ['deployments', 'statefulsets', 'daemonsets'],
        resourceNames: ['alecs-server'],
        verbs: ['get'],
      },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['get', 'create'] },
    ],
  ]);
});

test('the manifest has the rule for the keys of backups ready, as a comment', () => {
  const [added] = permissionsFor(targetProfileSchema.parse({ ...profile, backup })).slice(-1);
  const rule = /# - apiGroups.*\n.*secrets.*\n.*runbook-backup-.*\n.*verbs.*/.exec(
    readFileSync(file, 'utf8'),
  );
  expect(parse(rule?.[0].replaceAll(/^ *# /gm, '').replace(/^# /, '') ?? '')).toEqual(
    parse(ruleLine(added!)),
  );
});
