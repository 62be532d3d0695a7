import type { Missing } from '../../contracts/backup-manifest.ts';
import type { CommittedBackup, Transferred } from '../../contracts/backup.ts';
import type { Proof } from '../../contracts/run.ts';
import type { BackupVerdict, ChosenBackup } from '../../contracts/verify-backup.ts';
import { counted } from '../text.ts';

/** `12.3 MiB`. */
export function bytesInWords(files: readonly { bytes: number }[]): string {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

/** `41 kinds, about 2000 objects; not to be read: metrics.k8s.io`. */
export function describeKinds(found: { kinds: { estimate: number }[]; missing: Missing[] }): string {
  const objects = found.kinds.reduce((sum, { estimate }) => sum + estimate, 0);
  const missing = found.missing.map(({ what }) => what).join(', ');
  return `${counted(found.kinds.length, 'kind')}, about ${counted(objects, 'object')}${missing === '' ? '' : `; not to be read: ${missing}`}`;
}

export function describeTransfers(transferred: readonly Transferred[]): string {
  const kinds = transferred.flatMap((one) => one.kinds);
  const parts = transferred.flatMap((one) => one.parts);
  const objects = kinds.reduce((sum, kind) => sum + kind.objects, 0);
  return `${counted(objects, 'object')} in ${counted(parts.length, 'part')}, ${bytesInWords(parts)}`;
}

const mostShown = 20;

/** Whether the backup is whole. What is missing is named, never passed over. */
export function proofOfBackup({ complete, notes }: CommittedBackup, missing: readonly Missing[]): Proof {
  const lacking = missing.slice(0, mostShown).map(({ what, why }) => `${what} is missing: ${why}`);
  const more = missing.length > mostShown ? [`and ${missing.length - mostShown} more`] : [];
  return {
    name: 'The backup is complete',
    about: 'backup',
    verdict: complete ? 'pass' : 'unknown',
    evidence: [...(complete ? ['every kind that can be listed was read'] : lacking), ...more, ...notes],
  };
}

/** What a verification says of each location, its backup's age included. */
export function proofsOfVerification(
  chosen: readonly ChosenBackup[],
  verdicts: readonly BackupVerdict[],
  { rpoSeconds, named }: { rpoSeconds: number; named: boolean },
): Proof[] {
  return chosen.map((one): Proof => {
    const { location, backupId, ageSeconds } = one;
    const found = verdicts.find((verdict) => verdict.location === location);
    const about = { name: `Backup in ${location}`, about: 'backup' as const };
    if (backupId === undefined || found === undefined)
      return { ...about, verdict: 'fail', evidence: [`there is no backup in ${location}`] };
    if (found.verdict === 'fail')
      return {
        ...about,
        verdict: 'fail',
        evidence: found.findings.map((finding) => `${backupId} in ${location}: ${finding}`),
      };
    // Whoever asks for a certain backup knows that it may be an old one.
    if (!named && (ageSeconds ?? Infinity) > rpoSeconds)
      return {
        ...about,
        verdict: 'fail',
        evidence: [
          `${backupId} in ${location} is good, and ${ageInWords(ageSeconds)} old: the newest may be no older than ${ageInWords(rpoSeconds)}`,
        ],
      };
    const { objects, lacks = [], beside = [] } = found;
    const partial = lacks.length === 0 ? '' : `; it is PARTIAL and lacks ${lacks.join(', ')}`;
    const strays = beside.length === 0 ? '' : `; ${sayBeside(beside)}`;
    return {
      ...about,
      verdict: 'pass',
      evidence: [
        `${backupId} in ${location}: ${counted(objects, 'object')} read back, ${bytesInWords([found])}, ${ageInWords(ageSeconds)} old${partial}${strays}`,
      ],
    };
  });
}

/** Files that lie in a backup's folder and do not belong to it. */
export function sayBeside(names: readonly string[]): string {
  return `beside it lies what its manifest does not name, and what a restore does not read: ${names.join(', ')}`;
}

/** `59 s`, `3 min`, `26 h`, `4 d`, rounded down. */
export function ageInWords(seconds: number | undefined): string {
  if (seconds === undefined) return 'an unknown time';
  const units = [
    ['d', 2 * 86_400, 86_400],
    ['h', 2 * 3600, 3600],
    ['min', 120, 60],
  ] as const;
  for (const [unit, from, length] of units)
    if (seconds >= from) return `${Math.floor(seconds / length)} ${unit}`;
  return `${Math.floor(seconds)} s`;
}
