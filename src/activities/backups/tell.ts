import { Context } from '@temporalio/activity';
import type { CommittedBackup } from '../../contracts/backup.ts';
import { metrics, setGauge } from '../../contracts/metrics.ts';
import type { BackupVerdict } from '../../contracts/verify-backup.ts';
import { timeOf } from '../../domain/backups/names.ts';

/** Tells the metrics of a backup that is there. */
export function tellOfBackup(target: string, { backupId, objects, bytes, complete }: CommittedBackup): void {
  const { metricMeter } = Context.current();
  const begun = timeOf(backupId)?.getTime() ?? NaN;
  setGauge(metricMeter, metrics.backupLastSuccess, { target }, begun / 1000);
  setGauge(metricMeter, metrics.backupObjects, { target }, objects);
  setGauge(metricMeter, metrics.backupBytes, { target }, bytes);
  setGauge(metricMeter, metrics.backupComplete, { target }, complete ? 1 : 0);
}

/** Tells the metrics what a verification found, and how old what it looked at is. */
export function tellOfVerification(
  target: string,
  { location, backupId, verdict }: BackupVerdict,
  now: number,
): void {
  const { metricMeter } = Context.current();
  const of = { target, location };
  const begun = timeOf(backupId)?.getTime() ?? NaN;
  setGauge(metricMeter, metrics.backupVerifiedAt, of, now / 1000);
  setGauge(metricMeter, metrics.backupVerification, of, verdict === 'pass' ? 1 : 0);
  setGauge(metricMeter, metrics.backupAge, of, (now - begun) / 1000);
}

/** A verification that could not be carried out says nothing about the backup, and what an earlier one found is no news. */
export function tellThatUnverified(target: string, location: string): void {
  setGauge(Context.current().metricMeter, metrics.backupVerification, { target, location }, NaN);
}
