import type { Command } from 'commander';
import { checkApproverKeys } from '../doctor/approvers.ts';
import { checkBackupKeys } from '../doctor/backup-keys.ts';
import { checkCluster } from '../doctor/cluster.ts';
import { checkConfiguration, checkProfiles } from '../doctor/configuration.ts';
import { bounded, type Finding, type Section } from '../doctor/finding.ts';
import { checkNotifiers } from '../doctor/notifiers.ts';
import { checkSchedules } from '../doctor/schedules.ts';
import { checkLocations, checkStorage } from '../doctor/storage.ts';
import { checkTemporal } from '../doctor/temporal.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { preferLocalStack } from '../environment.ts';
import { exitCodes } from '../exit-codes.ts';

/** `runbook doctor`: is everything there that a worker needs, and how to mend what is not. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description('check everything that a worker needs, and say how to mend what is missing')
    .option('--target <name>', 'only this target profile; without it every one')
    .option('--json', 'as JSON')
    .action(async (options: { target?: string; json?: boolean }) => {
      preferLocalStack((line) => {
        console.error(line);
      });
      const json = options.json === true;
      const findings: Finding[] = [];
      for await (const finding of examine(options.target)) {
        findings.push(finding);
        if (!json) print(finding);
      }
      console.log(json ? JSON.stringify(findings, null, 2) : summaryOf(findings));
      process.exitCode = exitCodeFor(findings);
    });
}

/** Asks every system at once, and tells in a fixed order, each as soon as those before it are known. */
async function* examine(only: string | undefined): AsyncGenerator<Finding> {
  const { config, storageIsFaulty, findings } = checkConfiguration(process.env);
  const { profiles, findings: ofProfiles } = await checkProfiles(config, only);
  // Without locations of its own a target has the worker's bucket, of which nothing is known then.
  const locationsOf = (profile: TargetProfile): Promise<Section> =>
    storageIsFaulty && (profile.backup?.locations.length ?? 0) === 0
      ? Promise.resolve({ findings: [], clocks: [] })
      : checkLocations(config, profile);
  const sections: Promise<Section>[] = [
    bounded('Temporal', checkTemporal(config)),
    bounded('schedules', checkSchedules(config, profiles, only)),
    ...profiles.map((profile) => bounded(`target ${profile.target}`, checkCluster(config, profile))),
    ...(storageIsFaulty ? [] : [bounded('storage', checkStorage(config))]),
    ...profiles.map((profile) => bounded(`target ${profile.target}, locations`, locationsOf(profile))),
  ];
  yield* findings;
  yield* ofProfiles;
  for (const profile of profiles) yield* await checkApproverKeys(config.targetsFolder, profile, new Date());
  for (const profile of profiles) yield* await checkBackupKeys(config.targetsFolder, profile, new Date());
  yield* await checkNotifiers(config, profiles);
  const clocks: Finding[] = [];
  for (const section of sections) {
    const done = await section;
    yield* done.findings;
    clocks.push(...done.clocks);
  }
  yield* clocks;
}

const marks = { pass: '✓', fail: '✗', unknown: '?' };

function print({ check, state, found, mend }: Finding): void {
  console.log(`${marks[state]} ${check}: ${found}`);
  if (mend !== undefined) console.log(`    → ${mend}`);
}

function summaryOf(findings: Finding[]): string {
  const count = (wanted: Finding['state']): number => findings.filter(({ state }) => state === wanted).length;
  const [bad, open] = [count('fail'), count('unknown')];
  if (bad === 0 && open === 0) return `Everything is ready: ${findings.length} checks.`;
  return `${findings.length} checks: ${count('pass')} good, ${bad} failed, ${open} unknown.`;
}

function exitCodeFor(findings: Finding[]): number {
  if (findings.some(({ state }) => state === 'fail')) return exitCodes.failed;
  return findings.some(({ state }) => state === 'unknown') ? exitCodes.unknown : exitCodes.done;
}
