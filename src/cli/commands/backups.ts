import type { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { filesBeside, readBack } from '../../activities/backups/verify.ts';
import { readConfig } from '../../config.ts';
import { listAll, readOne, withLocations, type OpenedLocations } from '../backups/read.ts';
import { safeText } from '../safe-text.ts';
import { lineOf, linesOf } from '../backups/show.ts';
import { bytesInWords, sayBeside } from '../../domain/backups/describe.ts';
import { timeOf } from '../../domain/backups/names.ts';
import { KeyUnusable, needsPassphrase } from '../../encryption/keys.ts';
import { askSecret } from '../ask-secret.ts';
import { preferLocalStack } from '../environment.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { counted } from '../../domain/text.ts';

interface Common {
  target?: string;
  location?: string;
  json?: boolean;
}

interface VerifyOptions extends Common {
  key: string;
  passphraseFile?: string;
}

/** `runbook backups`: what lies in the locations of a target. Needs their credentials, no cluster and no Temporal. */
export function addBackupsCommand(program: Command): void {
  const backups = program.command('backups').description('list, show or verify the backups of a target');
  const common = (command: Command): Command =>
    command
      .option('--target <name>', 'whose backups; without it the default target')
      .option('--location <name>', 'only this location of the profile')
      .option('--json', 'as JSON')
      .exitOverride();
  common(backups.command('list').description('every backup, the newest first')).action(
    async (options: Common) => {
      await withOpened(options, list);
    },
  );
  common(backups.command('show <id>').description('what one backup holds, from its signed manifest')).action(
    async (id: string, options: Common) => {
      await withOpened(options, (opened) => show(opened, idOf(id), options));
    },
  );
  common(backups.command('verify <id>').description('read a backup back as a whole; writes no record of it'))
    .requiredOption('--key <file>', 'private key that opens it: the escrow key, say')
    .option('--passphrase-file <file>', 'instead of asking for its passphrase')
    .action(async (id: string, options: VerifyOptions) => {
      await withOpened(options, (opened) => verify(opened, idOf(id), options));
    });
}

async function withOpened<O extends Common>(
  options: O,
  work: (opened: OpenedLocations, options: O) => Promise<void>,
): Promise<void> {
  preferLocalStack(say);
  await withLocations(readConfig(process.env), options, (opened) => work(opened, options));
}

async function list(opened: OpenedLocations, { json = false }: Common): Promise<void> {
  const rows = await listAll(opened, Date.now());
  if (json) console.log(JSON.stringify(rows, null, 2));
  else for (const row of rows) console.log(lineOf(row));
  if (rows.length === 0) say(`there is no backup of target ${opened.target}`);
  if (rows.some(({ state }) => state === 'refused')) process.exitCode = exitCodes.failed;
}

async function show(opened: OpenedLocations, id: string, { json = false }: Common): Promise<void> {
  for (const store of opened.stores) {
    const found = await readOne(opened, store, id);
    if (typeof found === 'string') {
      say(`${store.name}: ${safeText(found)}`);
      process.exitCode = exitCodes.failed;
    } else if (json) console.log(JSON.stringify({ location: store.name, ...found }, null, 2));
    else for (const line of linesOf(store.name, found)) console.log(line);
  }
}

async function verify(opened: OpenedLocations, id: string, options: VerifyOptions): Promise<void> {
  const armored = readFile(options.key);
  const passphrase = await passphraseFor(options.key, armored, options.passphraseFile);
  const privateKey = { armored, ...(passphrase === undefined ? {} : { passphrase }) };
  const keys = { privateKeys: [privateKey], signers: opened.signers };
  const { signal } = new AbortController();
  const found = [];
  for (const store of opened.stores) {
    const backup = { target: opened.target, backupId: id };
    const {
      opened: read,
      objects,
      bytes,
      findings,
      lacks,
    } = await readBack(store, backup, keys, signal, say);
    const beside = read === undefined ? [] : await filesBeside(store, backup, read.manifest, signal);
    found.push({ location: store.name, backupId: id, objects, bytes, findings, lacks, beside });
  }
  if (options.json === true) console.log(JSON.stringify(found, null, 2));
  else
    for (const { location, objects, bytes, findings, lacks, beside } of found) {
      const good = findings.length === 0;
      console.log(
        `${good ? '✓' : '✗'} ${location}: ${id}: ${counted(objects, 'object')} read back, ${bytesInWords([{ bytes }])}`,
      );
      for (const finding of findings) console.log(`    ${safeText(finding)}`);
      if (beside.length > 0) console.log(`    ${sayBeside(beside)}`);
      for (const what of lacks) console.log(`    PARTIAL: it lacks ${safeText(what)}`);
    }
  if (found.some(({ findings }) => findings.length > 0)) process.exitCode = exitCodes.failed;
}

/** It becomes a part of keys. */
function idOf(text: string): string {
  if (timeOf(text) !== undefined) return text;
  throw new UsageError('the id of a backup looks like 20261127-030000-0a1b2c3d; see: runbook backups list');
}

async function passphraseFor(
  path: string,
  armored: string,
  file: string | undefined,
): Promise<string | undefined> {
  const locked = await needsPassphrase(armored).catch((error: unknown) => {
    throw error instanceof KeyUnusable ? new UsageError(`${path}: ${error.message}`) : error;
  });
  if (!locked) return undefined;
  return file === undefined
    ? await askSecret('passphrase of the key: ')
    : readFile(file).replace(/\r?\n$/, '');
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`);
  }
}

/** Beside the answer, so that a pipe gets nothing else. */
function say(line: string): void {
  console.error(line);
}
