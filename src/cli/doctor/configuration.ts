import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { listTargets, loadTarget } from '../../activities/targets/profiles.ts';
import { readConfig, type Config } from '../../config.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { messageOf } from '../../local/wait.ts';
import { UsageError } from '../exit-codes.ts';
import { failed, passed, type Finding } from './finding.ts';

const check = 'configuration';

/** The worker's configuration, as far as it is right, so that one fault does not hide those of the servers. */
export interface Configuration {
  config: Config;
  /** What is said of storage would be about other values than those that are set. */
  storageIsFaulty: boolean;
  findings: Finding[];
}

/** Reads the variables; those with a fault count as not set. */
export function checkConfiguration(env: NodeJS.ProcessEnv): Configuration {
  try {
    const config = readConfig(env);
    return { config, storageIsFaulty: false, findings: [passed(check, 'every variable is valid')] };
  } catch (error) {
    const faults = messageOf(error).split('\n').slice(1);
    const names = faults.flatMap((fault) => /^\s+(RUNBOOK_[A-Z_]+):/.exec(fault)?.[1] ?? []);
    if (names.length === 0) throw error;
    const storageIsFaulty = names.some(isOfStorage);
    const right = Object.entries(env).filter(
      ([name]) => !names.includes(name) && !(storageIsFaulty && isOfStorage(name)),
    );
    // Some faults show only when the others are gone.
    const rest = checkConfiguration(Object.fromEntries(right));
    const mend = 'Correct the variables where the worker is started; the README lists what each may be.';
    return {
      config: rest.config,
      storageIsFaulty: storageIsFaulty || rest.storageIsFaulty,
      findings: [
        ...faults.map((fault) => failed(check, fault.trim(), mend)),
        ...rest.findings.filter(({ state }) => state !== 'pass'),
      ],
    };
  }
}

function isOfStorage(name: string): boolean {
  return name.startsWith('RUNBOOK_STORAGE_');
}

/** Reads every profile, or only that of one target. @throws UsageError when there is no such target */
export async function checkProfiles(
  { targetsFolder, defaultTarget }: Config,
  only: string | undefined,
): Promise<{ profiles: TargetProfile[]; findings: Finding[] }> {
  const names = await listTargets(targetsFolder).catch(() => undefined);
  if (names === undefined || names.length === 0) {
    const why = names === undefined ? 'cannot be read' : 'has no profile';
    const mend = 'Set RUNBOOK_TARGETS to the folder of your profiles; targets/alecs.yaml is an example.';
    return { profiles: [], findings: [failed('targets', `the folder ${targetsFolder} ${why}`, mend)] };
  }
  const known = [...new Set(names)];
  if (only !== undefined && !known.includes(only))
    throw new UsageError(`there is no target "${only}"; known targets: ${known.join(', ')}`);
  const wanted = only === undefined ? known : [only];
  const files = await readdir(targetsFolder);
  const profiles: TargetProfile[] = [];
  const findings: Finding[] = [];
  for (const name of wanted) {
    const { profile, finding } = await checkProfile(targetsFolder, name, files);
    findings.push(finding);
    if (profile !== undefined) profiles.push(profile);
  }
  findings.push(checkDefault(known, defaultTarget));
  return { profiles, findings };
}

async function checkProfile(
  folder: string,
  name: string,
  files: string[],
): Promise<{ profile?: TargetProfile; finding: Finding }> {
  const check = `target ${name}, profile`;
  const own = [`${name}.yaml`, `${name}.yml`].filter((file) => files.includes(file));
  const file = join(folder, own[0] ?? name);
  if (own.length > 1) {
    const mend = `Delete one of them; the worker reads ${file}.`;
    return { finding: failed(check, `there are two files for it, ${own.join(' and ')} in ${folder}`, mend) };
  }
  try {
    const { profile } = await loadTarget(folder, name, undefined);
    return { profile, finding: passed(check, `${file} is valid`) };
  } catch (error) {
    const mend = `Correct ${file}; schemas/target.schema.json says what each field may be.`;
    return { finding: failed(check, `${file}: ${messageOf(error)}`, mend) };
  }
}

function checkDefault(known: string[], defaultTarget: string | undefined): Finding {
  const check = 'default target';
  if (defaultTarget === undefined) {
    const [first = '', ...others] = known;
    return passed(
      check,
      others.length === 0 ? `${first}, the only one` : 'none, so every request must name its target',
    );
  }
  if (known.includes(defaultTarget)) return passed(check, defaultTarget);
  const found = `RUNBOOK_DEFAULT_TARGET names a target that has no profile; there is ${known.join(', ')}`;
  return failed(check, found, 'Set RUNBOOK_DEFAULT_TARGET to one of them, or leave it out.');
}
