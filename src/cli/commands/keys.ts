import { Argument, type Command } from 'commander';
import { loadNamedTarget } from '../named-target.ts';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import { readConfig, type Config } from '../../config.ts';
import type { BackupKeyKind } from '../../contracts/backup-keys.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { mendCluster } from '../doctor/mending.ts';
import { preferLocalStack } from '../environment.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import {
  createBackupKey,
  daysOf,
  profileLines,
  type CreatedKey,
  type CreateOptions,
} from '../keys/create.ts';
import { listKeys } from '../keys/list.ts';
import { exitCodeFor, linesOf } from '../keys/show.ts';
import { mendedLine } from '../doctor/finding.ts';

const kinds = ['online', 'escrow', 'signing', 'audit'] as const;

interface Common {
  json?: boolean;
}

/** `runbook keys`: makes the keys of backups and of the audit log, and tells how they stand. */
export function addKeysCommand(program: Command): void {
  const keys = program.command('keys').description('make or list the keys of backups and of the audit log');
  keys
    .command('create')
    .description('make a key; its private part is shown nowhere, and nothing is overwritten')
    .addArgument(new Argument('<kind>', 'what it is for').choices(kinds))
    .requiredOption('--target <name>', 'whose backups; of audit: the target whose cluster is meant')
    .option('--valid-days <days>', 'when it expires; without it in two years, of audit never')
    .option('--rotate', 'in the place of the key that is there')
    .option('--out <file>', 'of escrow: where the private part goes')
    .option('--passphrase-file <file>', 'of escrow: instead of asking for the passphrase')
    .option('--json', 'as JSON')
    .exitOverride()
    .action(async (kind: (typeof kinds)[number], options: CreateOptions & Common & { target: string }) => {
      const { config, profile } = await open(options.target);
      if (kind === 'audit') await createAuditKey(config, profile, options);
      else await create(config, profile, kind, options);
    });
  keys
    .command('list')
    .description('tell where every key is, when it expires, and whether its two parts fit')
    .option('--target <name>', 'only this target; without it every one')
    .option('--json', 'as JSON')
    .exitOverride()
    .action(async (options: Common & { target?: string }) => {
      preferLocalStack(say);
      const found = await listKeys(readConfig(process.env), options.target, new Date());
      if (options.json === true) console.log(JSON.stringify(found, null, 2));
      else for (const line of linesOf(found)) console.log(line);
      process.exitCode = exitCodeFor(found);
    });
}

async function open(target: string): Promise<{ config: Config; profile: TargetProfile }> {
  preferLocalStack(say);
  const config = readConfig(process.env);
  return { config, profile: (await loadNamedTarget(config.targetsFolder, target, undefined)).profile };
}

async function create(
  config: Config,
  profile: TargetProfile,
  kind: BackupKeyKind,
  options: CreateOptions & Common,
): Promise<void> {
  const created = await orSentence(() => createBackupKey(config, profile, kind, options));
  const lines = profileLines(profile, created);
  if (options.json === true) console.log(JSON.stringify({ ...created, profile: lines }, null, 2));
  else for (const line of sentencesOf(created, config, lines)) console.log(line);
}

/** Errors of the gateway are sentences; what cannot be done is no fault of this command. */
async function orSentence<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status !== 403) throw error;
    throw new UsageError(
      `${error.message}; run this as someone who may get, create and update secrets in the namespace runbooks`,
    );
  }
}

function sentencesOf(created: CreatedKey, { targetsFolder }: Config, lines: string[]): string[] {
  const { kind, target, fingerprint, validDays, publicFile, privatePart, former } = created;
  return [
    `made: the ${kind} key of ${target}, ${fingerprint}`,
    `public part: ${targetsFolder}/${publicFile}; commit it with the profile`,
    `private part: ${privatePart}`,
    ...(former === undefined ? [] : [`private part of the key before: ${former}; older backups still open`]),
    ...(kind === 'escrow' ? ['Take that file offline now, and try it: docs/keys.md says how.'] : []),
    `It expires in ${validDays} days. From then on no backup is made with it; those from before stay readable and verifiable.`,
    `The line marked new names it in ${targetsFolder}/${target}.yaml:`,
    ...lines,
  ];
}

async function createAuditKey(
  config: Config,
  profile: TargetProfile,
  { validDays, rotate, out, passphraseFile, json }: CreateOptions & Common,
): Promise<void> {
  if (rotate !== undefined || out !== undefined || passphraseFile !== undefined)
    throw new UsageError(
      'an audit key takes only --target and --valid-days; docs/audit.md says how to change it',
    );
  const mended = await mendCluster(config, profile, daysOf(validDays));
  if (json === true) console.log(JSON.stringify(mended, null, 2));
  else for (const one of mended) console.log(mendedLine(one));
  process.exitCode = mended.some(({ state }) => state === 'cannot') ? exitCodes.failed : exitCodes.done;
}

/** Beside the answer, so that a pipe gets nothing else. */
function say(line: string): void {
  console.error(line);
}
