import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument, type Document } from 'yaml';
import { targetProfileSchema, type Target } from '../../contracts/target.ts';
import { policyFaults } from '../../domain/approvals.ts';
import { canonicalJson } from '../../domain/plan/canonical-json.ts';
import { describeIssues, listFaults } from '../../domain/requests.ts';
import { scheduleFaults } from '../../domain/schedules.ts';
import { excerpt } from '../../domain/text.ts';
import { failure, isOurs } from '../failures.ts';

/** Far beyond any real profile; a larger file is a mistake. */
const mostBytes = 256 * 1024;

/** The names of every profile in a folder, sorted. @throws NotFound when the folder cannot be read. */
export async function listTargets(folder: string): Promise<string[]> {
  try {
    const files = await readdir(folder);
    return files.flatMap((file) => /^(.+)\.ya?ml$/.exec(file)?.[1] ?? []).sort();
  } catch {
    throw failure(
      'NotFound',
      `the folder of target profiles cannot be read; set RUNBOOK_TARGETS to a folder that has one`,
    );
  }
}

/**
 * Loads and checks one profile. The name is matched against the files that exist, so it can never become a path.
 * @throws NotFound, InvalidProfile (every fault at once, with its path).
 */
export async function loadTarget(
  folder: string,
  name: string | undefined,
  defaultName: string | undefined,
): Promise<Target> {
  const names = await listTargets(folder);
  const wanted = name ?? defaultName ?? onlyOne(names);
  if (!names.includes(wanted)) {
    throw failure(
      'NotFound',
      `there is no target "${excerpt(wanted)}"; known targets: ${names.join(', ') || 'none'}`,
    );
  }
  const text = await readProfile(folder, wanted);
  const profile = parseProfile(wanted, text);
  return { profile, digest: createHash('sha256').update(canonicalJson(profile)).digest('hex') };
}

/** Parses and checks the text of a profile. @throws InvalidProfile */
export function parseProfile(name: string, text: string): Target['profile'] {
  const document = parseDocument(text, { uniqueKeys: true });
  if (document.errors.length > 0) {
    const faults = document.errors.map((error) => `line ${error.linePos?.[0].line ?? '?'}: ${error.code}`);
    throw failure('InvalidProfile', `target profile ${name} is not valid YAML: ${listFaults(faults)}`);
  }
  const parsed = targetProfileSchema.safeParse(toValue(name, document));
  if (!parsed.success)
    throw failure('InvalidProfile', `target profile ${name}: ${listFaults(describeIssues(parsed.error))}`);
  if (parsed.data.target !== name)
    throw failure(
      'InvalidProfile',
      `target profile ${name}: target: must be "${name}", like the file's name`,
    );
  const faults = [...policyFaults(parsed.data), ...scheduleFaults(parsed.data)];
  if (faults.length > 0) throw failure('InvalidProfile', `target profile ${name}: ${listFaults(faults)}`);
  return parsed.data;
}

/** Aliases are bounded: a few lines of them can stand for gigabytes. */
function toValue(name: string, document: Document): unknown {
  try {
    return document.toJS({ maxAliasCount: 10 });
  } catch {
    throw failure('InvalidProfile', `target profile ${name} uses more YAML aliases than a profile needs`);
  }
}

async function readProfile(folder: string, name: string): Promise<string> {
  for (const ending of ['yaml', 'yml']) {
    try {
      const text = await readFile(join(folder, `${name}.${ending}`), 'utf8');
      if (text.length > mostBytes)
        throw failure('InvalidProfile', `target profile ${name} is larger than ${mostBytes} bytes`);
      return text;
    } catch (error) {
      if (isOurs(error)) throw error;
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT')
        throw failure('InvalidProfile', `target profile ${name} cannot be read (${code ?? 'unknown'})`);
    }
  }
  throw failure('NotFound', `target profile ${name} was deleted`);
}

function onlyOne(names: string[]): string {
  const [first, ...others] = names;
  if (first !== undefined && others.length === 0) return first;
  const add = first === undefined ? '' : `, add "target":"${first}"`;
  throw failure(
    'InvalidRequest',
    `target is missing and there is no default target${add}; known targets: ${names.join(', ') || 'none'}`,
  );
}
