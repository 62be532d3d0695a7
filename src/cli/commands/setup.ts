import type { Command } from 'commander';
import { checkConfiguration, checkProfiles } from '../doctor/configuration.ts';
import { mendedLine, type Finding, type Mended } from '../doctor/finding.ts';
import { mendClusters, mendSearchAttributes } from '../doctor/mending.ts';
import { preferLocalStack } from '../environment.ts';
import { exitCodes } from '../exit-codes.ts';

/** `runbook setup`: makes what a worker needs and this account may make. Any number of times. */
export function addSetupCommand(program: Command): void {
  program
    .command('setup')
    .description(
      'make what a worker needs: search attributes; in every cluster the namespace of locks and the key of the audit log',
    )
    .option('--target <name>', 'only the cluster of this target profile; without it every one')
    .option('--json', 'as JSON')
    .action(async (options: { target?: string; json?: boolean }) => {
      preferLocalStack((line) => {
        console.error(line);
      });
      const mended = await mendAll(options.target);
      if (options.json === true) console.log(JSON.stringify(mended, null, 2));
      else {
        for (const one of mended) console.log(mendedLine(one));
        const mustMend = mended.some(({ state }) => state === 'cannot');
        console.log(mustMend ? 'do that, then run this again: runbook setup' : 'now run: runbook doctor');
      }
      process.exitCode = mended.some(({ state }) => state === 'cannot') ? exitCodes.failed : exitCodes.done;
    });
}

async function mendAll(only: string | undefined): Promise<Mended[]> {
  const { config, findings } = checkConfiguration(process.env);
  const { profiles, findings: ofProfiles } = await checkProfiles(config, only);
  const [attributes, clusters] = await Promise.all([mendSearchAttributes(), mendClusters(config, profiles)]);
  return [...[...findings, ...ofProfiles].flatMap(faultOf), ...attributes, ...clusters];
}

/** A fault of configuration or profiles hides what else was to be made. */
function faultOf({ check, state, found, mend = '' }: Finding): Mended[] {
  return state === 'pass' ? [] : [{ thing: check, state: 'cannot', because: found, mend }];
}
