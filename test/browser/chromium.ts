import { messageOf } from '../../src/local/wait.ts';
import { findProgram, runCommand } from '../../src/local/command.ts';

/** A Chromium on this machine, or why there is none. */
export type FoundChromium = { program: string } | { missing: string };

const names = ['chromium', 'chromium-browser', 'google-chrome'];

/** Chromium from PATH; on a Debian-like Linux as root its package is installed when there is none. */
export async function findChromium(): Promise<FoundChromium> {
  const found = onPath();
  if (found !== undefined) return { program: found };
  if (process.getuid?.() !== 0 || findProgram('apt-get') === undefined)
    return { missing: 'no chromium on PATH, and installing one needs apt-get and root' };
  try {
    process.stderr.write('  chromium: installing the Debian package\n');
    await install().catch(async () => {
      await runCommand('apt-get', ['update', '-q']);
      await install();
    });
  } catch (error) {
    return { missing: `chromium could not be installed: ${messageOf(error)}` };
  }
  const installed = onPath();
  return installed === undefined ? { missing: 'the package brought no chromium' } : { program: installed };
}

function onPath(): string | undefined {
  return names.map((name) => findProgram(name)).find((program) => program !== undefined);
}

async function install(): Promise<void> {
  await runCommand(
    'apt-get',
    ['install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', 'chromium'],
    { environment: { DEBIAN_FRONTEND: 'noninteractive' } },
  );
}
