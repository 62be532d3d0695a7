import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { metrics } from '../../src/contracts/metrics.ts';
import { freePorts } from '../../src/local/ports.ts';
import { BackupWorld } from '../support/backup-world.ts';
import { removePrivateKeys, storePrivateKeys } from '../support/backups.ts';
import { startRunbook, type Running } from '../support/command.ts';
import { MetricsPage } from '../support/metrics-page.ts';
import { stack } from '../support/stack.ts';

let backups: BackupWorld;
let worker: Running;
let page: MetricsPage;

beforeAll(async () => {
  backups = await BackupWorld.create({ logs: { sinceSeconds: 0 } });
  const { world } = backups;
  await world.stopWorker();
  const [port = 0] = await freePorts(1);
  page = new MetricsPage(`127.0.0.1:${port}`);
  worker = startRunbook(['worker'], {
    TEMPORAL_ADDRESS: stack().temporalAddress,
    RUNBOOK_TARGETS: world.targetsFolder,
    RUNBOOK_TASK_QUEUE: world.queue,
    RUNBOOK_STORAGE_PREFIX: world.queue,
    RUNBOOK_METRICS_ADDRESS: `127.0.0.1:${port}`,
  });
});
afterAll(async () => {
  worker.interrupt();
  await worker.ended;
  await backups.close();
});

test('the metrics of a worker tell of a backup, and whether its verification passed, failed, or could not be carried out', async () => {
  const { target } = backups;
  const { committed } = await backups.backUp();
  await page.tells(metrics.backupObjects.name, { target }, (value) => value === committed.objects);
  await page.tells(metrics.backupComplete.name, { target }, (value) => value === 1);
  const lastSuccess = await page.tells(metrics.backupLastSuccess.name, { target }, (value) => value > 0);
  expect(lastSuccess.value * 1000).toBeGreaterThan(Date.now() - 600_000);

  const of = { target, location: 'default' };
  expect((await backups.verify()).outcome).toBe('succeeded');
  await page.tells(metrics.backupVerification.name, of, (value) => value === 1);

  await backups.losePart(committed.backupId);
  expect((await backups.verify()).outcome).toBe('failed');
  await page.tells(metrics.backupVerification.name, of, (value) => value === 0);

  await removePrivateKeys(target);
  expect((await backups.verify()).outcome).toBe('failed');
  await page.tells(metrics.backupVerification.name, of, Number.isNaN);
  await storePrivateKeys(target, backups.keys);
});
