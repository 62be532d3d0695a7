import type { MetricMeter } from '@temporalio/common';

interface Metric<Label extends string> {
  name: string;
  help: string;
  labels: readonly Label[];
}

/** A value that goes up and down. NaN says that it is unknown: no comparison in an alert is true for it. */
export interface GaugeMetric<Label extends string = string> extends Metric<Label> {
  kind: 'gauge';
}

/** Something that is counted. Its name ends in `_total`. */
export interface CounterMetric<Label extends string = string> extends Metric<Label> {
  kind: 'counter';
}

function gauge<Label extends string>(
  name: string,
  labels: readonly Label[],
  help: string,
): GaugeMetric<Label> {
  return { kind: 'gauge', name, labels, help };
}

function counter<Label extends string>(
  name: string,
  labels: readonly Label[],
  help: string,
): CounterMetric<Label> {
  return { kind: 'counter', name, labels, help };
}

const ofTarget = ['target'] as const;
const ofLocation = ['target', 'location'] as const;
const ofSchedule = ['target', 'schedule'] as const;

/** Every metric of ours, once; beside them the worker tells those of Temporal's SDK. Times are seconds since 1970. */
export const metrics = {
  runsEnded: counter(
    'runbook_runs_ended_total',
    ['procedure', 'outcome', 'target'],
    'Runs that ended, by outcome. The target is empty where a run ended before it was known.',
  ),
  backupLastSuccess: gauge(
    'runbook_backup_last_success_timestamp_seconds',
    ofTarget,
    'When the last backup that was committed began to read the cluster.',
  ),
  backupObjects: gauge('runbook_backup_objects', ofTarget, 'Objects in the last backup.'),
  backupBytes: gauge('runbook_backup_bytes', ofTarget, 'Bytes that the last backup has in each location.'),
  backupComplete: gauge(
    'runbook_backup_complete',
    ofTarget,
    '1: the last backup has every kind that it should have. 0: something is missing in it.',
  ),
  backupVerifiedAt: gauge(
    'runbook_backup_verified_timestamp_seconds',
    ofLocation,
    'When the newest backup of a location was last read back and judged.',
  ),
  backupVerification: gauge(
    'runbook_backup_verification',
    ofLocation,
    '1: the last verification passed. 0: it failed. NaN: it could not be carried out.',
  ),
  backupAge: gauge(
    'runbook_backup_age_seconds',
    ofLocation,
    'How old the newest backup of a location was when it was last verified.',
  ),
  drillLast: gauge(
    'runbook_drill_last_timestamp_seconds',
    ofTarget,
    'When the last drill that was concluded began.',
  ),
  drillPassed: gauge(
    'runbook_drill_passed',
    ofTarget,
    '1: the last drill proved everything in time. 0: it did not.',
  ),
  drillRecovery: gauge(
    'runbook_drill_recovery_seconds',
    ofTarget,
    'From the start of the restore of the last drill until it was proven. NaN: unknown.',
  ),
  drillDataLoss: gauge(
    'runbook_drill_data_loss_seconds',
    ofTarget,
    'How old the backup of the last drill was when that began. NaN: unknown.',
  ),
  scheduleMissed: gauge(
    'runbook_schedule_missed',
    ofSchedule,
    'Runs since the schedule was created that Temporal could neither start in time nor catch up.',
  ),
  scheduleLastRunOk: gauge(
    'runbook_schedule_last_run_ok',
    ofSchedule,
    '1: the last run that ended succeeded. 0: it did not. NaN: unknown, or none has ended.',
  ),
  schedulePaused: gauge('runbook_schedule_paused', ofSchedule, '1: the schedule is paused.'),
  scheduleNextRun: gauge(
    'runbook_schedule_next_run_timestamp_seconds',
    ofSchedule,
    'When its next run starts. NaN: never, or it is paused.',
  ),
  schedulesRead: gauge(
    'runbook_schedules_read_timestamp_seconds',
    [],
    'When the worker last read the schedules; the metrics above are as old as this.',
  ),
} as const;

/**
 * Sets a gauge. Meters: `Context.current().metricMeter` in an activity, `Runtime.instance().metricMeter` in the worker;
 * where no metrics address is configured they do nothing.
 */
export function setGauge<Label extends string>(
  meter: MetricMeter,
  { name, help }: GaugeMetric<Label>,
  labels: Record<Label, string>,
  value: number,
): void {
  meter.createGauge(name, 'float', undefined, help).set(value, labels);
}

/** Adds one. In a workflow the meter is that of @temporalio/workflow, which counts nothing again in a replay. */
export function countOne<Label extends string>(
  meter: MetricMeter,
  { name, help }: CounterMetric<Label>,
  labels: Record<Label, string>,
): void {
  meter.createCounter(name, undefined, help).add(1, labels);
}
