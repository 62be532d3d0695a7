import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, runCommand } from './command.ts';
import { withLock } from './lock.ts';
import { toolsDirectory } from './paths.ts';
import { runPhase, type OnPhase } from './phases.ts';
import { debianPackages } from './pins.ts';

/** Programs and libraries from unpacked Debian packages, before those of the host. */
export interface DebianTools {
  /** Folders for PATH. */
  binaries: string[];
  /** Folders for LD_LIBRARY_PATH. */
  libraries: string[];
  /** Folders that may hold the CNI plugins. */
  plugins: string[];
}

const needed = ['containerd', 'ctr', 'runc', 'containerd-shim-runc-v2', 'nft', 'ip', 'busybox'] as const;
const stampName = '.stamp';

/**
 * Makes the real node's programs available. Packages that the host already has are used as they
 * are; the others, with the libraries that they miss, are unpacked into the tool folder.
 * Throws with what to install where neither works.
 */
export async function obtainDebianTools(onPhase: OnPhase): Promise<DebianTools> {
  const directory = join(toolsDirectory, 'debian');
  const found = toolsIn(directory);
  if (isUnpacked(directory) || missingFrom(found).length === 0) return found;
  if (findProgram('apt-get') === undefined || findProgram('dpkg-deb') === undefined) {
    throw new Error(
      `a real node needs ${missingFrom(found).join(', ')}: install containerd, runc and the CNI plugins`,
    );
  }
  await withLock(join(toolsDirectory, 'lock-debian'), onPhase, async () => {
    if (isUnpacked(directory)) return;
    await runPhase(onPhase, 'unpacking containerd, runc and the CNI plugins', () => unpackAll(directory));
  });
  const missing = missingFrom(toolsIn(directory));
  if (missing.length > 0) throw new Error(`the Debian packages did not bring ${missing.join(', ')}`);
  return toolsIn(directory);
}

function isUnpacked(directory: string): boolean {
  const stamp = join(directory, stampName);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === debianPackages.join(' ');
}

function toolsIn(directory: string): DebianTools {
  const libraryRoots = [join(directory, 'usr/lib'), join(directory, 'lib')];
  return {
    binaries: ['usr/bin', 'usr/sbin', 'bin', 'sbin'].map((folder) => join(directory, folder)),
    // Multi-arch folders are named after the machine, for example x86_64-linux-gnu.
    libraries: libraryRoots.flatMap((root) => [
      root,
      ...foldersIn(root).filter((name) => name.endsWith('-gnu')),
    ]),
    plugins: [join(directory, 'usr/lib/cni'), '/usr/lib/cni', '/opt/cni/bin'],
  };
}

function foldersIn(root: string): string[] {
  return existsSync(root) ? readdirSync(root).map((name) => join(root, name)) : [];
}

function missingFrom(tools: DebianTools): string[] {
  const programs = needed.filter((name) => findProgram(name, tools.binaries) === undefined);
  return findPlugins(tools) === undefined
    ? [...programs, 'CNI plugins (ptp, host-local, loopback)']
    : programs;
}

/** The first folder that holds the CNI plugins of a node. */
export function findPlugins(tools: DebianTools): string | undefined {
  return tools.plugins.find((folder) =>
    ['ptp', 'host-local', 'loopback'].every((name) => existsSync(join(folder, name))),
  );
}

async function unpackAll(directory: string): Promise<void> {
  const scratch = `${directory}.new`;
  const downloads = join(scratch, 'downloads');
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(downloads, { recursive: true });
  await fetchPackages(downloads).catch(async () => {
    // Package lists are missing or stale: fetching them changes nothing that is installed.
    await runCommand('apt-get', ['update', '-q']);
    await fetchPackages(downloads);
  });
  for (const file of readdirSync(downloads)) {
    await runCommand('dpkg-deb', ['-x', join(downloads, file), scratch]);
  }
  rmSync(downloads, { recursive: true });
  writeFileSync(join(scratch, stampName), debianPackages.join(' '));
  rmSync(directory, { recursive: true, force: true });
  renameSync(scratch, directory);
}

/** Downloads what an installation would: the packages that the host lacks, and the libraries that these lack. */
async function fetchPackages(downloads: string): Promise<void> {
  const plan = await runCommand('apt-get', [
    'install',
    '--simulate',
    '--no-install-recommends',
    ...debianPackages,
  ]);
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].map((match) => match[1] ?? '');
  await runCommand('apt-get', ['download', '-q', ...names], { directory: downloads });
}
