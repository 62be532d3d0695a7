const shape = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]{8}$/;

/**
 * When a backup was begun, by its id `YYYYMMDD-HHMMSS-<8 hex>` in UTC. Undefined: that is no id of a backup, so
 * whatever bears it is none of ours. Ids sort as their times do.
 */
export function timeOfBackup(backupId: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = shape.exec(backupId) ?? [];
  if (year === undefined) return undefined;
  const iso = `${year}-${month ?? ''}-${day ?? ''}T${hour ?? ''}:${minute ?? ''}:${second ?? ''}.000Z`;
  const time = new Date(iso);
  // The 31st of November would silently become the first of December.
  return Number.isNaN(time.getTime()) || time.toISOString() !== iso ? undefined : time;
}
