import type { SurveyedBackup } from '../../activities/pruning/survey.ts';
import { ageInWords, bytesInWords } from '../../domain/backups/describe.ts';
import { safeText } from '../safe-text.ts';
import type { ListedBackup } from './read.ts';
import { counted } from '../../domain/text.ts';

/** One line for a backup in a list. */
export function lineOf(row: ListedBackup): string {
  const { location, backupId, ageSeconds, state, why, objects, bytes = 0, consistency, verification } = row;
  const of = `${backupId}  ${location}  ${ageInWords(ageSeconds)} old`;
  if (state === 'refused') return `${of}  REFUSED: ${safeText(why ?? '')}`;
  const verified =
    verification === undefined
      ? 'never verified'
      : `${verification.verdict === 'pass' ? 'verified' : 'FAILED its verification'} ${verification.at}`;
  const moment = consistency === 'snapshot' ? 'one moment' : 'a moment per kind';
  return `${of}  ${state}  ${counted(objects ?? 0, 'object')}  ${bytesInWords([{ bytes }])}  ${moment}  ${verified}`;
}

/** A manifest for people. */
export function linesOf(
  location: string,
  { manifest, signedBy, signedAt, verification }: SurveyedBackup,
): string[] {
  const { kinds, parts, missing, hooks, encryptedTo, cluster, run } = manifest;
  const rows: [string, string][] = [
    ['backup', `${manifest.backupId} of target ${manifest.target}, namespace ${manifest.namespace}`],
    ['location', location],
    ['made', `${manifest.startedAt} to ${manifest.completedAt}, by run ${run.workflowId}`],
    ['cluster', `${cluster.version} at ${cluster.server}`],
    [
      'moment',
      manifest.consistency === 'snapshot' ? `resourceVersion ${manifest.resourceVersion}` : 'one per kind',
    ],
    [
      'objects',
      `${manifest.objects} in ${counted(parts.length, 'part')}, ${bytesInWords(parts)}; logs ${bytesInWords(manifest.logs)}`,
    ],
    ['signed', `by ${signedBy} at ${signedAt.toISOString()}`],
    ['encrypted to', encryptedTo.join(', ')],
    ['verified', verification === undefined ? 'never' : `${verification.verdict} at ${verification.at}`],
    ['complete', missing.length === 0 ? 'yes' : `NO: ${missing.length} missing`],
  ];
  return [
    ...rows.map(([name, value]) => `${name.padEnd(13)} ${safeText(value)}`),
    ...missing.map(({ what, why }) => `  missing ${safeText(what)}: ${safeText(why)}`),
    ...hooks.map(({ name, when, outcome }) => `  hook ${name} ${when}: ${safeText(outcome)}`),
    ...kinds.map(
      ({ plural, apiVersion, objects }) => `  ${String(objects).padStart(7)}  ${plural} (${apiVersion})`,
    ),
  ];
}
