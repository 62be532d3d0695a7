import { describe, expect, test } from '@jest/globals';
import type { MetricMeter, MetricTags } from '@temporalio/common';
import type { FoundSchedule, Schedules } from '../../src/clients/temporal/schedules.ts';
import { countOne, metrics, setGauge } from '../../src/contracts/metrics.ts';
import { scheduleSchema, type ScheduleOwner, type ScheduleState } from '../../src/contracts/schedules.ts';
import { settingsFor } from '../../src/domain/schedules.ts';
import { waitFor } from '../../src/local/wait.ts';
import { startScheduleMetrics } from '../../src/schedule-metrics.ts';

/** Keeps the last value of every series. */
class RecordingMeter {
  readonly values = new Map<string, number>();
  readonly help = new Map<string, string>();

  get meter(): MetricMeter {
    const metric = (name: string, help = '') => {
      this.help.set(name, help);
      const keep = (value: number, tags: MetricTags = {}): void => {
        const labels = Object.entries(tags).map(([label, text]) => `${label}="${String(text)}"`);
        this.values.set(`${name}{${labels.join(',')}}`, value);
      };
      return { set: keep, add: keep };
    };
    const createGauge = (name: string, _type: unknown, _unit: unknown, help?: string) => metric(name, help);
    const createCounter = (name: string, _unit: unknown, help?: string) => metric(name, help);
    return { createGauge, createCounter } as unknown as MetricMeter;
  }
}

const owner: ScheduleOwner = { target: 'shop', schedule: 'nightly', taskQueue: 'runbooks' };
const healthy: ScheduleState = {
  paused: false,
  note: '',
  nextRun: '2026-03-01T03:00:00.000Z',
  createdAt: '2026-01-01T00:00:00.000Z',
  missed: 0,
  skipped: 0,
  running: [],
  lastRun: { workflowId: 'shop.nightly-1', status: 'COMPLETED', outcome: 'succeeded' },
};

function found(state: Partial<ScheduleState>): FoundSchedule {
  const schedule = scheduleSchema.parse({ procedure: 'rollback', cron: '0 3 * * *' });
  const settings = settingsFor(owner, schedule, true);
  return {
    found: 'ours',
    schedule: { id: 'runbook/shop/nightly', owner, settings, state: { ...healthy, ...state } },
  };
}

/** Runs the loop on what a test makes Temporal say, until the condition is met. */
async function told(
  schedules: Pick<Schedules, 'owned' | 'read'>,
  until: (values: Map<string, number>, lines: string[]) => boolean,
): Promise<{ values: Map<string, number>; lines: string[] }> {
  const recording = new RecordingMeter();
  const lines: string[] = [];
  const stop = startScheduleMetrics({
    schedules,
    taskQueue: 'runbooks',
    meter: recording.meter,
    log: (line) => lines.push(line),
    everyMilliseconds: 1,
  });
  try {
    await waitFor(() => Promise.resolve(until(recording.values, lines) ? true : undefined), {
      what: 'the metrics',
      timeoutMilliseconds: 5000,
      everyMilliseconds: 1,
    });
  } finally {
    await stop();
  }
  return { values: recording.values, lines };
}

const read = 'runbook_schedules_read_timestamp_seconds{}';
const series = (name: string): string => `runbook_schedule_${name}{target="shop",schedule="nightly"}`;
const once = (values: Map<string, number>): boolean => values.has(read);

describe('of a schedule it is told', () => {
  test.each<[string, Partial<ScheduleState>, Record<string, number>]>([
    [
      'that all is well',
      {},
      { missed: 0, paused: 0, last_run_ok: 1, next_run_timestamp_seconds: 1_772_334_000 },
    ],
    ['what it missed', { missed: 3 }, { missed: 3 }],
    ['that its last run failed', { lastRun: { workflowId: 'a', status: 'FAILED' } }, { last_run_ok: 0 }],
    ['that nobody knows how its last run ended', { lastRun: { workflowId: 'a' } }, { last_run_ok: NaN }],
  ])('%s', async (_what, state, expected) => {
    const schedules = {
      owned: () => Promise.resolve([owner]),
      read: () => Promise.resolve(found(state)),
    };
    const { values } = await told(schedules, once);
    for (const [name, value] of Object.entries(expected)) expect(values.get(series(name))).toBe(value);
    expect(values.get(read)).toBeGreaterThan(1_700_000_000);
  });

  test('that it is paused, and then no next run', async () => {
    const { nextRun: _, lastRun: __, ...state } = { ...healthy, paused: true };
    const { schedule } = found({}) as Extract<FoundSchedule, { found: 'ours' }>;
    const schedules = {
      owned: () => Promise.resolve([owner]),
      read: () => Promise.resolve<FoundSchedule>({ found: 'ours', schedule: { ...schedule, state } }),
    };
    const { values } = await told(schedules, once);
    expect(values.get(series('paused'))).toBe(1);
    expect(values.get(series('next_run_timestamp_seconds'))).toBeNaN();
    expect(values.get(series('last_run_ok'))).toBeNaN();
  });
});

test('what is gone becomes unknown, since a gauge cannot be taken back', async () => {
  let readings = 0;
  const schedules = {
    owned: () => Promise.resolve(readings++ < 2 ? [owner] : []),
    read: () => Promise.resolve(found({ missed: 2 })),
  };
  const { values } = await told(schedules, (seen) => Number.isNaN(seen.get(series('missed'))));
  for (const name of ['missed', 'paused', 'last_run_ok', 'next_run_timestamp_seconds'])
    expect(values.get(series(name))).toBeNaN();
});

test('schedules of other queues, and those that are not ours after all, are not told', async () => {
  const schedules = {
    owned: () => Promise.resolve([{ ...owner, taskQueue: 'others' }, owner]),
    read: () => Promise.resolve<FoundSchedule>({ found: 'foreign' }),
  };
  const { values } = await told(schedules, once);
  expect([...values.keys()]).toEqual([read]);
});

test('a Temporal that does not answer is said once, without its words; the loop goes on', async () => {
  let readings = 0;
  const schedules = {
    owned: () => {
      readings += 1;
      if (readings < 5) return Promise.reject(new Error('canary'));
      return Promise.resolve([owner]);
    },
    read: () => Promise.resolve(found({})),
  };
  const { lines } = await told(schedules, once);
  expect(lines).toEqual(['schedules cannot be read (Error); their metrics are old until they can']);
});

test('it stops when it is told to, also in the middle of its pause', async () => {
  let readings = 0;
  const schedules = {
    owned: () => {
      readings += 1;
      return Promise.resolve([]);
    },
    read: () => Promise.resolve<FoundSchedule>({ found: 'nothing' }),
  };
  const recording = new RecordingMeter();
  const options = { schedules, taskQueue: 'runbooks', meter: recording.meter, log: () => undefined };
  const stop = startScheduleMetrics(options);
  await waitFor(() => Promise.resolve(recording.values.has(read) ? true : undefined), {
    what: 'the first reading',
    timeoutMilliseconds: 5000,
  });
  await stop();
  expect(readings).toBe(1);
});

describe('the metrics', () => {
  test('have names, labels and help that Prometheus takes, each once', () => {
    const all = Object.values(metrics);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
    for (const { name, kind, labels, help } of all) {
      expect(name).toMatch(/^runbook_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(kind === 'counter');
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
      expect(help).toMatch(/^[A-Z0-9].*\.$/);
    }
  });

  test('are set and counted with their labels and help', () => {
    const { meter, values, help } = new RecordingMeter();
    setGauge(meter, metrics.backupVerification, { target: 'shop', location: 'default' }, 0);
    countOne(meter, metrics.runsEnded, { procedure: 'backup', outcome: 'succeeded', target: 'shop' });
    expect([...values]).toEqual([
      ['runbook_backup_verification{target="shop",location="default"}', 0],
      ['runbook_runs_ended_total{procedure="backup",outcome="succeeded",target="shop"}', 1],
    ]);
    expect(help.get('runbook_runs_ended_total')).toBe(metrics.runsEnded.help);
  });
});
