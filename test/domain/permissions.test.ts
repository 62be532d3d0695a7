import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parse, parseAllDocuments } from 'yaml';
import { targetProfileSchema, type TargetProfile } from '../../src/contracts/target.ts';
import { permissionsFor, resourceName, ruleLine } from '../../src/domain/permissions.ts';

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
    ({ apiGroup, resource, subresource, namespace, names = ['*'], verbs }) =>
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

test('with backups a worker may read the Secret of this target with their keys, and no other one', () => {
  const withBackup = targetProfileSchema.parse({ ...profile, backup });
  const added = permissionsFor(withBackup).slice(permissionsFor(profile).length);
  expect(added).toMatchObject([
    { resource: 'secrets', namespace: 'runbooks', names: ['runbook-backup-alecs'], verbs: ['get'] },
  ]);
  expect(added[0]?.optional).toBeUndefined();
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
