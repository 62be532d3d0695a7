import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { dnsLabel } from '../../contracts/kubernetes-names.ts';
import { describeIssues, listFaults } from '../../domain/requests.ts';
import { excerpt } from '../../domain/text.ts';
import { createLogNotifier, logChannel } from '../../notifiers/log.ts';
import { NotifierError, type Notifier } from '../../notifiers/notifier.ts';
import { channelSchema, createNotifier } from '../../notifiers/registry.ts';

/** Far beyond any real channel; a larger file is a mistake. */
const mostBytes = 64 * 1024;

/** The channels that a worker can tell people by. */
export interface Channels {
  /** The channels that have a file, sorted; `log` needs none. @throws NotifierError when the folder cannot be read. */
  files(): Promise<string[]>;
  /** @throws NotifierError when there is no such channel, or its file has faults; both are not retryable. */
  open(name: string): Promise<Notifier>;
}

/**
 * Channels of a folder with one file `<channel>.json` each; without a folder there is `log` only. Nothing is kept:
 * a rotated Secret counts from the next notification on.
 */
export function createChannels(folder: string | undefined, print?: (line: string) => void): Channels {
  const log = createLogNotifier(print);
  return {
    files: () => listFiles(folder),
    async open(name) {
      if (name === logChannel) return log;
      const files = await listFiles(folder);
      // Matched against the files that exist, so that a name can never become a path.
      if (folder === undefined || !files.includes(name)) {
        const known = [logChannel, ...files].join(', ');
        throw fault(`there is no channel "${excerpt(name)}"; known channels: ${known}`);
      }
      return await readChannel(folder, name);
    },
  };
}

async function listFiles(folder: string | undefined): Promise<string[]> {
  if (folder === undefined) return [];
  try {
    const files = await readdir(folder);
    return files.flatMap((file) => /^(.+)\.json$/.exec(file)?.[1] ?? []).sort();
  } catch {
    throw fault('the folder of channels cannot be read; set RUNBOOK_NOTIFIERS to a folder, or leave it out');
  }
}

async function readChannel(folder: string, name: string): Promise<Notifier> {
  const file = `${excerpt(name)}.json`;
  if (!dnsLabel.safeParse(name).success)
    throw fault(`channel file ${file}: its name must be lower-case letters, digits and dashes, at most 63`);
  const parsed = channelSchema.safeParse(parseJson(file, await readText(join(folder, `${name}.json`), file)));
  if (parsed.success) return createNotifier(name, parsed.data);
  throw fault(`channel file ${file}: ${listFaults(describeIssues(parsed.error))}`);
}

async function readText(path: string, file: string): Promise<string> {
  try {
    const about = await stat(path);
    if (about.isFile() && about.size <= mostBytes) return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw fault(`channel file ${file} cannot be read (${code ?? 'unknown'})`);
  }
  throw fault(`channel file ${file} must be a file of at most ${mostBytes} bytes`);
}

/** The parser's own message quotes the text, which holds a secret. */
function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw fault(`channel file ${file} is not valid JSON`);
  }
}

function fault(sentence: string): NotifierError {
  return new NotifierError(sentence, { retryable: false });
}
