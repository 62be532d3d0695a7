import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupRef } from '../../../src/contracts/recovery.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { kubectlIn } from '../../support/stack.ts';
import { RecoveryPlace } from './support/recovery-place.ts';

let recovery: RecoveryPlace;
let backup: BackupRef;
let before: KubernetesObject[];

/** Everything of the application that is there, without what controllers keep. */
async function everything(): Promise<KubernetesObject[]> {
  const kubectl = kubectlIn(recovery.name);
  const kinds =
    'sa,role,rolebinding,secret,cm,limitrange,quota,pvc,netpol,svc,deploy,sts,ds,job,cronjob,hpa,pdb,ingress';
  return (JSON.parse(await kubectl('get', kinds, '-o', 'json')) as { items: KubernetesObject[] }).items;
}

async function deleteEverything(): Promise<void> {
  const kubectl = kubectlIn(recovery.name);
  await kubectl(
    'patch',
    'cm',
    'settings',
    '--type=json',
    '-p',
    '[{"op":"remove","path":"/metadata/finalizers"}]',
  );
  const kinds =
    'deploy,sts,ds,job,cronjob,hpa,pdb,ingress,svc,netpol,quota,limitrange,role,rolebinding,secret,cm,pvc';
  await kubectl('delete', kinds, '--all', '--wait=true', '--timeout=60s');
  await kubectl('delete', 'sa', 'web');
}

beforeAll(async () => {
  recovery = await RecoveryPlace.open();
  const text = readFileSync(join(import.meta.dirname, 'support', 'application.yaml'), 'utf8');
  const file = join(recovery.place.targetsFolder, 'application.txt');
  writeFileSync(file, text.replaceAll('NAMESPACE', recovery.name));
  const kubectl = kubectlIn(recovery.name);
  await kubectl('apply', '--server-side', '--field-manager=flux', '-f', file);
  const owner = await recovery.get('Deployment.apps', 'web');
  await recovery.place.create({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'owned',
      annotations: { large: 'x'.repeat(200 * 1024) },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid: owner.metadata.uid! }],
    },
  });
  backup = await recovery.backUp();
  before = await everything();
});

afterAll(async () => {
  await recovery.close();
});

describe('a service that lost nothing', () => {
  test('has nothing to restore: every object reads unchanged', async () => {
    const plan = await recovery.plan(backup);
    expect(plan.counts).toMatchObject({ blocked: 0, conflict: 0, update: 0, create: 0 });
    expect(plan.counts.unchanged).toBeGreaterThan(20);
    expect(plan.changes).toEqual([]);
  });
});

describe('a service that lost everything in its namespace', () => {
  test('is restored as it was; only documented differences are left', async () => {
    await deleteEverything();
    const plan = await recovery.plan(backup, { allowEmptyClaims: true });
    expect(plan.counts).toMatchObject({ blocked: 0, conflict: 0 });
    expect(plan.summary.join('\n')).toContain('claims whose volumes come back empty');
    // What lies in a history or on a screen holds no value of a Secret.
    expect(JSON.stringify(plan)).not.toContain('canary-of-the-recovery-tests');

    const outcome = await recovery.restore(plan, 'first');
    expect(outcome).toMatchObject({ troubles: 0, first: [] });
    expect(await recovery.proveContent(plan)).toMatchObject({ verdict: 'pass' });

    const names = (all: KubernetesObject[]): string[] =>
      all.map(({ kind, metadata }) => `${kind}/${metadata.name}`).sort();
    expect(names(await everything())).toEqual(names(before));
    const settings = await recovery.get('ConfigMap', 'settings');
    expect(settings.metadata.finalizers).toEqual(['example.org/guard']);
    expect(settings.metadata.annotations).toMatchObject({ 'runbook/change': 'first/first-first/restore' });
    expect(Object.keys(settings['data'] as object)).toContain('__proto__');
  });

  test('ties objects to their owners as they are now', async () => {
    const [owned, owner] = await Promise.all([
      recovery.get('ConfigMap', 'owned'),
      recovery.get('Deployment.apps', 'web'),
    ]);
    expect(owned.metadata.ownerReferences).toMatchObject([{ kind: 'Deployment', uid: owner.metadata.uid }]);
  });

  test('lets whoever applied its objects apply them again without a conflict', async () => {
    const file = join(recovery.place.targetsFolder, 'application.txt');
    const kubectl = kubectlIn(recovery.name);
    await expect(kubectl('apply', '--server-side', '--field-manager=flux', '-f', file)).resolves.toContain(
      'web',
    );
  });

  test('reads unchanged for a second recovery, but for what came back empty', async () => {
    const plan = await recovery.plan(backup);
    expect(plan.counts).toMatchObject({ blocked: 0, conflict: 0, update: 0, create: 0 });
  });

  test('is not restored a second time by a late attempt: each write recognises its own object', async () => {
    await recovery.remove(recovery.place.ref('web', 'v1', 'Service'));
    const plan = await recovery.plan(backup);
    expect(plan.counts.create).toBe(1);
    expect(await recovery.restore(plan, 'late')).toMatchObject({ written: 1, troubles: 0 });
    const restored = await recovery.get('Service', 'web');
    expect(await recovery.restore(plan, 'late')).toMatchObject({ written: 0, troubles: 0 });
    expect((await recovery.get('Service', 'web')).metadata.resourceVersion).toBe(
      restored.metadata.resourceVersion,
    );
  });
});

describe('into another namespace', () => {
  test('references follow, and what nobody can know is named', async () => {
    const into = await recovery.otherNamespace();
    const plan = await recovery.plan(backup, { into, allowEmptyClaims: true });
    expect(plan.counts).toMatchObject({ blocked: 0 });
    expect(plan.summary.join('\n')).toContain(`ConfigMap ${into}/settings: data.host`);
    expect(await recovery.restore(plan)).toMatchObject({ troubles: 0 });
    expect(await recovery.proveContent(plan)).toMatchObject({ verdict: 'pass' });
    const binding = await recovery.get('RoleBinding.rbac.authorization.k8s.io', 'reader', into);
    expect(binding['subjects']).toMatchObject([{ namespace: into }]);
    const policy = JSON.stringify(await recovery.get('NetworkPolicy.networking.k8s.io', 'own', into));
    expect(policy).toContain(`"kubernetes.io/metadata.name":"${into}"`);
  });

  test('a StatefulSet whose claims would be empty is blocked with its claims, and nothing else', async () => {
    const into = await recovery.otherNamespace();
    const plan = await recovery.plan(backup, { into });
    expect(await recovery.verdictOf(plan, 'StatefulSet', 'db')).toMatchObject({ verdict: 'blocked' });
    expect(await recovery.verdictOf(plan, 'PersistentVolumeClaim', 'data-db-0')).toMatchObject({
      verdict: 'blocked',
    });
    expect(plan.counts.blocked).toBe(2);
  });
});
