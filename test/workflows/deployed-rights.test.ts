import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
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
  await drills.close();
});

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

test('with recover.yaml, too, it restores what was lost', async () => {
  await deploy('worker', 'backup', 'recover');
  const { world, target } = drills.backups;
  const { committed } = await drills.backups.backUp();
  await world.kubectl('delete', 'secret/credentials', 'role/web', 'rolebinding/web', 'role/remover');
  const run = await world.start({ target, backup: committed.backupId }, undefined, 'recover');
  await run.approve(await run.approve());
  const { report } = await run.end();
  expect(report.error).toBeUndefined();
  expect(report.outcome).toBe('succeeded');
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
