import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, type ScheduleDescription } from '@temporalio/client';
import { stringify } from 'yaml';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { metrics } from '../../src/contracts/metrics.ts';
import { freePorts } from '../../src/local/ports.ts';
import { waitFor } from '../../src/local/wait.ts';
import { OwnTemporal } from '../faults/support/own-temporal.ts';
import { runbook, startRunbook, type Running } from '../support/command.ts';
import { MetricsPage } from '../support/metrics-page.ts';
import { unique } from '../support/stack.ts';
import { demoProfile } from '../support/world.ts';

/** A server that is killed and started again, two workers, and times of a schedule that pass. */
jest.setTimeout(300_000);

const target = unique('shop');
const folder = mkdtempSync(join(tmpdir(), 'runbook-metrics-'));
const id = `runbook/${target}/often`;
let temporal: OwnTemporal;
let environment: Record<string, string>;
let address: string;
let page: MetricsPage;

beforeAll(async () => {
  temporal = await OwnTemporal.start();
  const [port = 0] = await freePorts(1);
  address = `127.0.0.1:${port}`;
  page = new MetricsPage(address);
  environment = {
    TEMPORAL_ADDRESS: temporal.address,
    RUNBOOK_TARGETS: folder,
    RUNBOOK_TASK_QUEUE: unique('queue'),
    RUNBOOK_METRICS_ADDRESS: address,
    RUNBOOK_STORAGE_PREFIX: target,
  };
  const often = {
    procedure: 'rolling-update',
    everySeconds: 10,
    catchupWindowSeconds: 10,
    // No profile has this workload: every run fails.
    input: { image: 'registry.example/shop:1', workload: 'gone', dryRun: true },
  };
  const profile = { ...demoProfile(target), target, schedules: { often } };
  writeFileSync(join(folder, `${target}.yaml`), stringify(profile));
});
afterAll(async () => {
  await temporal.stop();
  rmSync(folder, { recursive: true });
});

async function inTemporal(): Promise<ScheduleDescription> {
  const connection = await Connection.connect({ address: temporal.address });
  try {
    return await new Client({ connection }).schedule.getHandle(id).describe();
  } finally {
    await connection.close();
  }
}

async function stopped(worker: Running): Promise<void> {
  worker.interrupt();
  expect(await worker.ended).toMatchObject({ code: 0 });
}

test('a failed and a missed run of a schedule show in the metrics of a worker, and in doctor', async () => {
  const first = startRunbook(['worker'], environment);
  await page.tells(metrics.schedulesRead.name, {}, (value) => value > 0);
  expect(first.printed()).toContain(`metrics at http://${address}/metrics`);
  expect(await runbook(['schedules', 'apply', '--yes'], environment)).toMatchObject({ code: 0 });
  const ended = await page.tells(metrics.runsEnded.name, { target, outcome: 'failed' }, (value) => value > 0);
  expect(ended.labels).toMatchObject({ procedure: 'rollingUpdate' });
  await stopped(first);

  await temporal.restart(async () => {
    // Two times of the schedule with their catch-up pass while nobody can start a run.
    const until = Date.now() + 32_000;
    await waitFor(() => Promise.resolve(Date.now() > until ? true : undefined), {
      what: 'times of the schedule to pass',
      timeoutMilliseconds: 60_000,
      everyMilliseconds: 500,
    });
  });
  await waitFor(
    async () => ((await inTemporal()).info.numActionsMissedCatchupWindow > 0 ? true : undefined),
    { what: 'Temporal to have missed a run', timeoutMilliseconds: 60_000, everyMilliseconds: 500 },
  );

  const second = startRunbook(['worker'], environment);
  const labels = { target, schedule: 'often' };
  await page.tells(metrics.scheduleMissed.name, labels, (value) => value > 0);
  await page.tells(metrics.scheduleLastRunOk.name, labels, (value) => value === 0);
  await page.tells(metrics.schedulePaused.name, labels, (value) => value === 0);
  await page.tells(metrics.scheduleNextRun.name, labels, (value) => value * 1000 > Date.now() - 60_000);
  const { text, series } = await page.read();
  for (const { name, help } of [metrics.scheduleMissed, metrics.scheduleLastRunOk]) {
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} gauge\n`);
    expect(series.filter((one) => one.name === name)).toHaveLength(1);
  }
  expect(text).toContain('temporal_worker_task_slots_available');

  const asked = { ...environment, RUNBOOK_METRICS_ADDRESS: '' };
  const { code, out } = await runbook(['doctor', '--json'], asked);
  expect(code).toBe(1);
  const found = (JSON.parse(out) as Finding[]).filter(
    ({ check }) => check === `target ${target}, schedule often`,
  );
  expect(found.map(({ found: sentence }) => sentence)).toEqual([
    expect.stringMatching(/^its last run ended failed at \d{4}-/),
    expect.stringMatching(/^(a run was|\d+ runs were) missed since \d{4}-/),
  ]);
  expect(found[0]?.mend).toMatch(/^Look at it: runbook show '.*'; then: runbook schedules trigger /);

  const forgotten = await runbook(['schedules', 'apply', '--yes', '--forget-missed'], asked);
  expect(forgotten.out).toMatch(/ {4}missed runs that are known: 0 → \d+\n/);
  const later = JSON.parse((await runbook(['doctor', '--json'], asked)).out) as Finding[];
  expect(later.some(({ found: sentence }) => sentence.includes(' missed since '))).toBe(false);
  await stopped(second);
});

test('a worker that cannot serve its metrics says where, and does not start', async () => {
  const { code, err } = await runbook(['worker'], {
    ...environment,
    RUNBOOK_METRICS_ADDRESS: temporal.address,
  });
  expect(code).toBe(1);
  expect(err).toContain(
    `RUNBOOK_METRICS_ADDRESS: metrics cannot be served at ${temporal.address}; is it in use?`,
  );
});
