import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { changeAnnotation } from '../../src/contracts/names.ts';
import type { RecoveryPlan } from '../../src/contracts/recovery.ts';
import { waitFor } from '../../src/local/wait.ts';
import { Webhook } from '../activities/recovery/support/webhook.ts';
import { BackupWorld, manifests } from '../support/backup-world.ts';
import { openGateway } from '../support/stack.ts';
import type { TestRun } from '../support/world.ts';

let backups: BackupWorld;
let backupId: string;

beforeAll(async () => {
  backups = await BackupWorld.create({ logs: { sinceSeconds: 0 } });
  await backups.world.kubectl('apply', '--filename', join(manifests, 'objects.yaml'));
  backupId = (await backups.backUp()).committed.backupId;
});

afterAll(async () => {
  await backups.close();
});

async function recover(input: Record<string, unknown>): Promise<TestRun> {
  return await backups.world.start({ target: backups.target, ...input }, undefined, 'recover');
}

/** Loses some objects, and waits until they are gone. */
async function lose(...line: string[]): Promise<void> {
  await backups.world.kubectl('delete', ...line, '--wait=true');
}

describe('a recovery', () => {
  test('refuses an input with every fault in one sentence, and changes nothing', async () => {
    const { report, failure } = await (await recover({ backup: 'yesterday', into: 'No_Name' })).end();
    expect(failure?.type).toBe('failed');
    expect(report.error).toContain('2 faults in the input');
    expect(report.error).toContain('latest-verified');
    expect(report.headline[0]).toContain('nothing was changed');
    const system = await (await recover({ backup: 'latest-verified', into: 'kube-system' })).end();
    expect(system.report.error).toContain('into: must be a namespace for services: not kube-system');
  });

  test('says which backups there are none of', async () => {
    const run = await recover({ backup: 'latest-verified' });
    const { report } = await run.end();
    await run.saveHistory('not-found');
    expect(report.error).toContain('there is no backup with a verification that passed');
  });

  test('ends without a gate when every object is as in the backup', async () => {
    const run = await recover({ backup: backupId });
    const { report } = await run.end();
    await run.saveHistory('nothing-to-do');
    expect(report).toMatchObject({ outcome: 'succeeded', decisions: [] });
    expect(report.headline[0]).toMatch(/^Nothing to restore: \d+ unchanged/);
  });

  test('takes the newest backup whose verification passed, and a dry run changes nothing', async () => {
    expect((await backups.verify()).outcome).toBe('succeeded');
    await lose('configmap', 'settings');
    const run = await recover({ backup: 'latest-verified', dryRun: true });
    const { report } = await run.end();
    await run.saveHistory('planned');
    expect(report.outcome).toBe('planned');
    expect(report.plan?.summary.join('\n')).toContain('create: 1 ConfigMap (settings): it is missing');
    await expect(backups.world.kubectl('get', 'configmap', 'settings')).rejects.toThrow('NotFound');
  });

  test('restores what was lost after one approval, and asks about what it cannot prove', async () => {
    await lose('secret,service,ingress', '--all');
    const run = await recover({ backup: backupId, reason: 'a test' });
    const gate = await run.approve();
    expect(gate.question).toContain('create');
    // The workload of this world has no pods to ask.
    const second = await run.approve(gate);
    expect(second.question).toContain('what it wrote stays');
    const { report } = await run.end();
    await run.saveHistory('succeeded');
    expect(report).toMatchObject({ outcome: 'succeeded', undo: [] });
    expect(report.headline[0]).toMatch(new RegExp(`^Restored from backup ${backupId}: \\d+ written`));
    expect(report.proofs.map(({ verdict }) => verdict)).toEqual(['pass', 'pass', 'unknown', 'pass']);
    expect(await run.events()).toBeLessThanOrEqual(250);
    expect(await run.failedTasks()).toBe(0);
    const settings = await backups.world.kubectl('get', 'configmap', 'settings', '-o', 'json');
    expect(settings).toContain('an ordinary key');
    // Histories and reports hold no value of a Secret.
    const history = JSON.stringify(await run.handle.fetchHistory());
    for (const text of [history, JSON.stringify(report)]) {
      expect(text).not.toContain('canary-of-the-backup-tests');
      expect(text).not.toContain(Buffer.from('canary-of-the-backup-tests').toString('base64'));
    }
  });

  test('that is rejected changes nothing', async () => {
    await lose('configmap', 'settings');
    const run = await recover({ backup: backupId });
    const gate = await run.gate();
    await run.decide({ decision: 'reject', gate: gate.id, planHash: gate.planHash, approver: 'Test Person' });
    const { report } = await run.end();
    await run.saveHistory('rejected');
    expect(report.outcome).toBe('rejected');
    await expect(backups.world.kubectl('get', 'configmap', 'settings')).rejects.toThrow('NotFound');
  });

  test('that cannot restore one object restores the others, says which one, and is no success', async () => {
    const { kubectl } = backups.world;
    // Two Secrets and a ConfigMap are missing, and a quota leaves no room for a ConfigMap.
    await lose('secret', 'credentials');
    const configMaps = (await kubectl('get', 'configmap', '-o', 'name')).trim().split('\n').length;
    await kubectl('create', 'quota', 'full', `--hard=configmaps=${configMaps}`);
    await kubectl('wait', 'quota/full', '--for=jsonpath={.status.hard.configmaps}', '--timeout=30s');
    const run = await recover({ backup: backupId });
    const { report, failure } = await run.approveAndEnd();
    await run.saveHistory('partly');
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(/^1 object not restored: ConfigMap \S+\/settings: /);
    expect(report.headline[0]).toContain('were restored and stay');
    expect(report.headline[1]).toBe('Whether the service is healthy now is unknown.');
    await expect(kubectl('get', 'secret', 'credentials')).resolves.toContain('credentials');
    await kubectl('delete', 'quota', 'full');

    const again = await recover({ backup: backupId });
    const gate = await again.gate();
    expect(gate.question).toContain('1 create');
    await again.handle.signal('abort', { by: 'Test Person' });
    expect((await again.end()).report.outcome).toBe('aborted');
  });
});

test('aborted in the middle of a restore it keeps what it has made, says so, and another one goes on', async () => {
  const { kubectl, namespace } = backups.world;
  await lose('secret,configmap', 'credentials', 'settings', '--ignore-not-found');
  const gateway = openGateway();
  const held = Promise.withResolvers<undefined>();
  const webhook = await Webhook.open(gateway, namespace, () => held.promise);
  try {
    const run = await recover({ backup: backupId });
    await run.approve();
    await waitFor(() => Promise.resolve(webhook.asked.includes('settings') ? true : undefined), {
      what: 'the restore to be in the middle',
      timeoutMilliseconds: 60_000,
    });
    await run.handle.signal('abort', { by: 'Test Person' });
    const { report } = await run.end();
    await run.saveHistory('aborted');
    expect(report.outcome).toBe('failed');
    expect(report.headline).toEqual([
      expect.stringMatching(
        /^Failed; objects of backup .* were restored and stay; .* aborted by Test Person/,
      ),
      'Whether the service is healthy now is unknown.',
      'Someone aborted the run; ask them why.',
    ]);
  } finally {
    held.resolve(undefined);
    await webhook.close();
    await gateway.close();
  }
  await expect(kubectl('get', 'secret', 'credentials')).resolves.toContain('credentials');
  // The one that was under way may have been made after all.
  await lose('configmap', 'settings', '--ignore-not-found');
  const again = await recover({ backup: backupId });
  expect((await again.gate()).question).toMatch(/1 create, \d+ unchanged/);
  await again.handle.signal('abort', { by: 'Test Person' });
  await again.end();
});

test('objects that are there without their owners get these back after an approval', async () => {
  const { kubectl, namespace } = backups.world;
  await kubectl('create', 'configmap', 'parent');
  const uid = await kubectl('get', 'configmap', 'parent', '-o', 'jsonpath={.metadata.uid}');
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid };
  await kubectl('create', 'configmap', 'child');
  const patch = (owners: unknown): string => JSON.stringify({ metadata: { ownerReferences: owners } });
  await kubectl('patch', 'configmap', 'child', '--type=merge', '-p', patch([owner]));
  const { committed } = await backups.backUp();
  // As a recovery leaves it that was stopped before its last step.
  await kubectl('patch', 'configmap', 'child', '--type=merge', '-p', patch(null));
  await kubectl('annotate', 'configmap', 'child', `${changeAnnotation}=some-run/first/step`);
  const run = await recover({ backup: committed.backupId });
  const gate = await run.approve();
  expect(gate.question).toContain('Owners come back to 1 object.');
  await run.approve(gate);
  const { report } = await run.end();
  expect(report.outcome).toBe('succeeded');
  const line = [
    'get',
    'configmap',
    'child',
    '-n',
    namespace,
    '-o',
    'jsonpath={.metadata.ownerReferences[0].uid}',
  ];
  await expect(kubectl(...line)).resolves.toBe(uid);
});

test('a plan of the result lies where the report says', async () => {
  const run = await recover({ backup: backupId, dryRun: true });
  const { report } = await run.end();
  const { plan } = report.result as { plan: RecoveryPlan['stored'] };
  const store = backups.openStore();
  try {
    const page = await store.read(plan.key.replace('.ndjson.gz', '.md'));
    expect(Buffer.from(page ?? []).toString()).toContain('ConfigMap');
  } finally {
    store.close();
  }
});
