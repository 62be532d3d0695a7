import { setTimeout as delay } from 'node:timers/promises';
import type { MetricMeter } from '@temporalio/common';
import type { Schedules } from './clients/temporal/schedules.ts';
import { metrics, setGauge } from './contracts/metrics.ts';
import { scheduleId, type AppliedSchedule, type ScheduleOwner } from './contracts/schedules.ts';
import { judgeEnd } from './domain/schedules.ts';

/** Often enough for alerts, which wait for minutes anyway; a reading costs a handful of questions per schedule. */
const everyMilliseconds = 60_000;

/** What the loop needs; tests wait less. */
export interface ScheduleMetricsOptions {
  schedules: Pick<Schedules, 'owned' | 'read'>;
  taskQueue: string;
  meter: MetricMeter;
  log: (line: string) => void;
  everyMilliseconds?: number;
}

/**
 * Tells again and again how the schedules of this worker's queue stand. Never throws: when Temporal does not answer,
 * the metrics stay as they were, and the time of the last reading says how old they are. Returns what stops it.
 */
export function startScheduleMetrics(options: ScheduleMetricsOptions): () => Promise<void> {
  const stop = new AbortController();
  const running = repeat(options, stop.signal);
  return async () => {
    stop.abort();
    await running;
  };
}

async function repeat(options: ScheduleMetricsOptions, signal: AbortSignal): Promise<void> {
  const told = new Map<string, ScheduleOwner>();
  let silent = false;
  while (!signal.aborted) {
    try {
      await tellAll(options, told);
      silent = false;
    } catch (error) {
      // Once, not every minute.
      if (!silent)
        options.log(`schedules cannot be read (${nameOf(error)}); their metrics are old until they can`);
      silent = true;
    }
    await delay(options.everyMilliseconds ?? everyMilliseconds, undefined, { signal }).catch(() => undefined);
  }
}

/** Messages of servers stay out of logs. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown error';
}

async function tellAll(
  { schedules, taskQueue, meter }: ScheduleMetricsOptions,
  told: Map<string, ScheduleOwner>,
): Promise<void> {
  const owners = (await schedules.owned()).filter((owner) => owner.taskQueue === taskQueue);
  const found = new Map<string, AppliedSchedule>();
  for (const owner of owners) {
    const looked = await schedules.read(owner);
    if (looked.found === 'ours') found.set(scheduleId(owner), looked.schedule);
  }
  for (const [id, { owner, state }] of found) {
    told.set(id, owner);
    tell(meter, owner, state);
  }
  for (const [id, owner] of told) if (!found.has(id)) tell(meter, owner, undefined);
  setGauge(meter, metrics.schedulesRead, {}, Date.now() / 1000);
}

/** A gauge cannot be taken back: what is gone becomes NaN, which no alert is true for. */
function tell(
  meter: MetricMeter,
  { target, schedule }: ScheduleOwner,
  state: AppliedSchedule['state'] | undefined,
): void {
  const labels = { target, schedule };
  setGauge(meter, metrics.scheduleMissed, labels, state?.missed ?? NaN);
  setGauge(meter, metrics.schedulePaused, labels, state === undefined ? NaN : Number(state.paused));
  setGauge(meter, metrics.scheduleLastRunOk, labels, okOf(state?.lastRun));
  const next = Date.parse(state?.nextRun ?? '');
  setGauge(meter, metrics.scheduleNextRun, labels, next / 1000);
}

function okOf(lastRun: AppliedSchedule['state']['lastRun']): number {
  if (lastRun === undefined) return NaN;
  const { verdict } = judgeEnd(lastRun);
  switch (verdict) {
    case 'ok':
      return 1;
    case 'failed':
      return 0;
    case 'unknown':
      return NaN;
  }
}
