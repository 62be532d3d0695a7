import { spawn } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

export interface CommandOptions {
  environment?: Record<string, string>;
  directory?: string;
  signal?: AbortSignal;
}

/** Runs a command to its end and returns what it printed; throws with its last lines when it fails. */
export async function runCommand(
  command: string,
  commandArguments: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const child = spawn(command, commandArguments, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...options.environment },
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  const output: Buffer[] = [];
  const faults: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => faults.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  if (code !== 0) {
    const tail = Buffer.concat(faults).toString().trim().split('\n').slice(-8).join('\n');
    throw new Error(
      `${command} ${commandArguments.slice(0, 4).join(' ')} ended with ${code ?? 'a signal'}: ${tail}`,
    );
  }
  return Buffer.concat(output).toString();
}

/** The full path of a program on PATH, or in the extra folders, which come first. */
export function findProgram(name: string, extraFolders: readonly string[] = []): string | undefined {
  const folders = [...extraFolders, ...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isProgram);
}

export function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
