import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** The checkout or the installed package: everything the local stack reads is found from here. */
export const projectDirectory = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');

/** One ignored folder holds all that the local stack writes. RUNBOOK_LOCAL_DIRECTORY moves it. */
export const localDirectory = process.env['RUNBOOK_LOCAL_DIRECTORY'] ?? join(projectDirectory, '.local');

export const toolsDirectory = join(localDirectory, 'tools');
export const cacheDirectory = join(localDirectory, 'cache');
export const stacksDirectory = join(localDirectory, 'stacks');

/** A stack's folder. The name is part of a path, so it is checked here and nowhere else. */
export function stackDirectory(name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(name)) {
    throw new Error(`"${name}" is no stack name: use up to 41 lower-case letters, digits and dashes`);
  }
  return join(stacksDirectory, name);
}
