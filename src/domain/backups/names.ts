import type { RunRef } from '../../contracts/run-ref.ts';

const idPattern = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)-[0-9a-f]{8}$/;

/**
 * The id of a run's backup: sorts by time, and the same at every attempt. `startedAt`: ISO 8601 in UTC. The end of a run's
 * id is random; its beginning is the time, which runs of one moment share.
 */
export function backupIdOf({ firstRunId }: Pick<RunRef, 'firstRunId'>, startedAt: string): string {
  const time = startedAt.replace(/\.\d+/, '').replaceAll(/[-:Z]/g, '').replace('T', '-');
  return `${time}-${firstRunId.replaceAll('-', '').slice(-8).toLowerCase()}`;
}

/** When a backup was begun, by its id; undefined when that is none. */
export function timeOf(backupId: string): Date | undefined {
  const [, year, month, day, hour, minute, second] = idPattern.exec(backupId) ?? [];
  if (year === undefined) return undefined;
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = new Date(iso);
  // The 31st of November would silently become the first of December.
  return Number.isNaN(time.getTime()) || time.toISOString() !== iso ? undefined : time;
}

/** The name of a part: number, what is in it, attempt. The kinds are for people; long lists are cut. */
export function partName(number: number, kinds: readonly string[], attempt: number): string {
  return `parts/${numbered(number)}-${labelOf(kinds)}-${attempt}.tar.gz.gpg`;
}

export function indexName(number: number, attempt: number): string {
  return `index-${numbered(number)}-${attempt}.ndjson.gz.gpg`;
}

export function logsName(number: number, attempt: number): string {
  return `logs-${numbered(number)}-${attempt}.tar.gz.gpg`;
}

/** Files of one transfer, so many that their numbers never meet those of another. */
export const mostFilesOfTransfer = 1000;

function numbered(number: number): string {
  return String(number).padStart(4, '0');
}

/** Plural names only: `secrets`, `configmaps+services`, `jobs+pods+5`. */
function labelOf(kinds: readonly string[]): string {
  const shown = kinds.slice(0, 2).map((kind) => kind.split('.')[0]?.slice(0, 40) ?? '');
  const more = kinds.length - shown.length;
  return [...shown, ...(more > 0 ? [String(more)] : [])].join('+');
}
