import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Drills } from './support/drills.ts';
import { manifests } from '../support/backup-world.ts';
import { DeployedAccount } from '../support/deployed-account.ts';

let drills: Drills;
let account: DeployedAccount | undefined;

beforeAll(async () => {
  drills = await Drills.open({ probes: false });
  const { kubectl } = drills.backups.world;
  await kubectl('apply', '--filename', join(manifests, 'objects.yaml'));
  // What the account itself may not do unless a manifest says so: RBAC lets nobody grant more than they have.
  await kubectl('create', 'role', 'remover', '--verb=delete', '--resource=pods');
  await kubectl('create', 'rolebinding', 'remover', '--role=remover', '--serviceaccount=default:default');
});
afterEach(async () => {
  await account?.remove();
  account = undefined;
});
afterAll(async () => {
  const { kubectl, namespace } = drills.backups.world;
  await kubectl('delete', `persistentvolume/${namespace}-data`, '--ignore-not-found', '--wait=false');
  await drills.close();
});

/** A claim with a volume of its own, which keeps its data when the claim goes. */
async function boundClaim(): Promise<void> {
  const { world, target } = drills.backups;
  const file = join(world.targetsFolder, 'volume.json');
  const spec = { storageClassName: target, accessModes: ['ReadWriteOnce'] };
  const storage = '1Mi';
  const volume = {
    ...{ capacity: { storage }, hostPath: { path: '/tmp' }, persistentVolumeReclaimPolicy: 'Retain' },
    ...spec,
  };
  const items = [
    { apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: `${target}-data` }, spec: volume },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'data' },
      spec: { ...spec, resources: { requests: { storage } } },
    },
  ];
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await world.kubectl('apply', '--filename', file);
  await world.kubectl('wait', 'pvc/data', '--for=jsonpath={.status.phase}=Bound', '--timeout=60s');
}

/** From now on the worker is an account with the rights of these manifests. */
async function deploy(...names: string[]): Promise<void> {
  const { world, target } = drills.backups;
  await world.stopWorker();
  account = await DeployedAccount.make(names, target);
  await world.startWorker({ RUNBOOK_KUBECONFIG: account.kubeconfig });
}

test('with worker.yaml and backup.yaml a worker backs up everything, verifies and prunes', async () => {
  await deploy('worker', 'backup');
  const { committed } = await drills.backups.backUp();
  expect(committed).toMatchObject({ complete: true });
  expect((await drills.backups.verify()).outcome).toBe('succeeded');
  const { world, target } = drills.backups;
  const pruning = await world.start({ target }, undefined, 'pruneBackups');
  expect((await pruning.end()).report.outcome).toBe('succeeded');
});

test('with recover.yaml, too, it restores what was lost, and looks at the volumes of claims', async () => {
  await deploy('worker', 'backup', 'recover');
  const { world, target } = drills.backups;
  await boundClaim();
  const { committed } = await drills.backups.backUp();
  await world.kubectl('delete', 'secret/credentials', 'role/web', 'rolebinding/web', 'role/remover');
  const run = await world.start({ target, backup: committed.backupId }, undefined, 'recover');
  await run.approve(await run.approve());
  const { report } = await run.end();
  expect(report.error).toBeUndefined();
  expect(report.outcome).toBe('succeeded');

  await world.kubectl('delete', 'pvc/data', '--wait=true');
  const asked = { target, backup: committed.backupId, dryRun: true };
  const planned = await (await world.start(asked, undefined, 'recover')).end();
  expect(planned.report.plan?.summary.join('\n')).toContain(
    `wait for a claim that is gone: ${target}-data (claim data)`,
  );
});

test('with drill.yaml instead it drills in a namespace of its own', async () => {
  await deploy('worker', 'backup', 'drill');
  await drills.backups.backUp();
  await drills.backups.verify();
  const { report } = await (await drills.start({})).end();
  expect(report.error).toBeUndefined();
  expect(report).toMatchObject({
    outcome: 'succeeded',
    result: { result: { verdict: 'pass', findings: [] } },
  });
});
