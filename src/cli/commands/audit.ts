import type { Command } from 'commander';
import type { AuditEntry } from '../../contracts/audit.ts';
import { dnsLabel } from '../../contracts/kubernetes-names.ts';
import { openSource, readLog } from '../audit/read-log.ts';
import { filterFor, lineOf, safeJson, type Wanted } from '../audit/show.ts';
import { exitCodeFor, linesOf, verifyLog, type Evidence } from '../audit/verify.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

/** What both commands take. */
interface Common {
  target: string;
  folder?: string;
  json?: boolean;
}

/** `runbook audit`: reads the audit log of a target. Needs the bucket or a copy of it, no cluster and no Temporal. */
export function addAuditCommand(program: Command): void {
  const audit = program.command('audit').description('verify or show the audit log of a target');
  audit
    .command('verify')
    .description('check that no entry was removed, altered, moved or put in')
    .requiredOption('--target <name>', 'whose log')
    .option('--checkpoint <file>', 'signed checkpoint, report.json or result of a run: finds a cut tail, too')
    .option('--key <file>', 'public key that the checkpoint has to be signed with')
    .option('--folder <folder>', 'a copy of the bucket, instead of the bucket')
    .option('--json', 'as JSON')
    .exitOverride()
    .action(async (options: Common & Evidence) => {
      await orUnknown(() => verify(options));
    });
  audit
    .command('show')
    .description('show what happened, one line for each entry; verifies nothing')
    .requiredOption('--target <name>', 'whose log')
    .option('--person <name>', 'only what this person did; exactly this name')
    .option('--procedure <name>', 'only runs of this procedure, as its workflow type')
    .option('--since <time>', 'only what happened then or later, for example 2026-11-24T03:00:00Z')
    .option('--until <time>', 'only what happened then or earlier')
    .option('--folder <folder>', 'a copy of the bucket, instead of the bucket')
    .option('--json', 'as JSON')
    .exitOverride()
    .action(async (options: Common & Wanted) => {
      await orUnknown(() => show(options));
    });
}

async function verify({ target, folder, json = false, ...evidence }: Common & Evidence): Promise<void> {
  refuseStrange(target);
  const source = openSource(target, folder);
  try {
    const verification = await verifyLog(target, source, evidence, say);
    if (json) console.log(safeJson(verification));
    else for (const line of linesOf(verification)) console.log(line);
    process.exitCode = exitCodeFor(verification);
  } finally {
    source.close();
  }
}

async function show({ target, folder, json = false, ...wanted }: Common & Wanted): Promise<void> {
  refuseStrange(target);
  const isWanted = filterFor(wanted);
  const source = openSource(target, folder);
  const found: AuditEntry[] = [];
  try {
    for await (const { entry, number, fault } of readLog(target, source, say)) {
      if (entry === undefined) say(`entry ${number ?? '?'} ${fault ?? 'cannot be read'}`);
      else if (!isWanted(entry)) continue;
      else if (json) found.push(entry);
      else console.log(lineOf(entry));
    }
    if (json) console.log(safeJson(found));
  } finally {
    source.close();
  }
}

/** The name becomes a part of keys and paths. */
function refuseStrange(target: string): void {
  if (!dnsLabel.safeParse(target).success)
    throw new UsageError(
      '--target takes the name of a target profile: lower-case letters, digits and dashes',
    );
}

/** What could not be read, for whatever reason, is neither fine nor broken. */
async function orUnknown(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    say(`runbook: ${error instanceof Error ? error.message : 'unknown error'}`);
    process.exitCode = exitCodes.unknown;
  }
}

/** Beside the answer, so that a pipe gets nothing else. */
function say(line: string): void {
  console.error(line);
}
