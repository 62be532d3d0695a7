import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, isProgram, runCommand } from './command.ts';
import { withLock } from './lock.ts';
import { projectDirectory, toolsDirectory } from './paths.ts';
import { runPhase, type OnPhase } from './phases.ts';
import type { Tool } from './pins.ts';
import { messageOf } from './wait.ts';

/** Where a tool was found, in the order in which the places are looked at. */
export interface FoundTool {
  path: string;
  from: 'environment' | 'path' | 'folder' | 'build';
}

export interface ToolOptions {
  onPhase: OnPhase;
  /** The tool folder; another one than the project's only in tests. */
  directory?: string;
  signal?: AbortSignal;
}

/** The environment variable that names a tool's binary: kube-apiserver → RUNBOOK_TOOL_KUBE_APISERVER. */
export function toolVariable(tool: Tool): string {
  return `RUNBOOK_TOOL_${tool.name.toUpperCase().replaceAll('-', '_')}`;
}

/**
 * Finds a pinned tool, or builds it: the environment's path, PATH with exactly the pinned version,
 * the tool folder, the build. Throws with what to install when none of these is possible.
 */
export async function obtainTool(tool: Tool, options: ToolOptions): Promise<FoundTool> {
  const directory = options.directory ?? toolsDirectory;
  const found = fromEnvironment(tool) ?? (await fromPath(tool)) ?? fromFolder(tool, directory, 'folder');
  if (found !== undefined) return found;
  return withLock(join(directory, 'lock'), options.onPhase, async () => {
    // Another process may have built it while this one waited for the lock.
    return fromFolder(tool, directory, 'folder') ?? (await build(tool, directory, options));
  });
}

function fromEnvironment(tool: Tool): FoundTool | undefined {
  const path = process.env[toolVariable(tool)];
  if (path === undefined || path === '') return undefined;
  if (!isProgram(path)) throw new Error(`${toolVariable(tool)}=${path} is no program that can be run`);
  return { path, from: 'environment' };
}

async function fromPath(tool: Tool): Promise<FoundTool | undefined> {
  const path = findProgram(tool.name);
  if (path === undefined) return undefined;
  const printed = await runCommand(path, tool.versionArguments).catch(() => '');
  // "v1.36.1" must not match "1.36.10".
  const exactly = new RegExp(`(^|[^0-9.])${tool.version.slice(1).replaceAll('.', '\\.')}($|[^0-9.])`, 'm');
  return exactly.test(printed) ? { path, from: 'path' } : undefined;
}

function fromFolder(tool: Tool, directory: string, from: FoundTool['from']): FoundTool | undefined {
  const path = join(directory, tool.name);
  const stamp = `${path}.stamp`;
  if (!isProgram(path) || !existsSync(stamp)) return undefined;
  return readFileSync(stamp, 'utf8') === stampOf(tool) ? { path, from } : undefined;
}

/** What the built binary depends on; a changed pin, flag or checksum file rebuilds it. */
export function stampOf(tool: Tool): string {
  const { wrapper } = tool.build;
  const sums = wrapper === undefined ? '' : readFileSync(join(projectDirectory, 'tools', wrapper, 'go.sum'));
  const digest = createHash('sha256').update(JSON.stringify(tool)).update(sums).digest('hex').slice(0, 16);
  return `${tool.name} ${tool.version} ${digest}\n`;
}

async function build(tool: Tool, directory: string, options: ToolOptions): Promise<FoundTool> {
  const go = findProgram('go');
  if (go === undefined) throw new Error(howToGet(tool));
  const scratch = join(directory, `.building-${tool.name}`);
  mkdirSync(scratch, { recursive: true });
  try {
    await runPhase(options.onPhase, `building ${tool.name} ${tool.version}`, () =>
      compile(go, tool, scratch, options.signal),
    );
    renameSync(join(scratch, tool.name), join(directory, tool.name));
    writeFileSync(join(directory, `${tool.name}.stamp`), stampOf(tool));
  } catch (error) {
    throw new Error(`${tool.name} could not be built: ${messageOf(error)}\n${howToGet(tool)}`, {
      cause: error,
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return { path: join(directory, tool.name), from: 'build' };
}

async function compile(go: string, tool: Tool, scratch: string, signal?: AbortSignal): Promise<void> {
  const { wrapper, ldflags } = tool.build;
  const abort = signal === undefined ? {} : { signal };
  const flags = ['-trimpath', '-ldflags', ['-s -w', ldflags].filter(Boolean).join(' ')];
  if (wrapper !== undefined) {
    const directory = join(projectDirectory, 'tools', wrapper);
    await runCommand(go, ['build', ...flags, '-o', join(scratch, tool.name), tool.build.package], {
      directory,
      ...abort,
    });
    return;
  }
  // GOBIN is refused for another platform than the machine's own, so GOOS and GOARCH are cleared.
  const environment = { GOBIN: scratch, GOOS: '', GOARCH: '' };
  await runCommand(go, ['install', ...flags, `${tool.build.package}@${tool.version}`], {
    environment,
    ...abort,
  });
}

function howToGet(tool: Tool): string {
  return (
    `${tool.name} ${tool.version} is missing. Either install Go 1.26 or later (https://go.dev/dl), and it is built here; ` +
    `or put ${tool.name} ${tool.version} on PATH, or name its file in ${toolVariable(tool)}; ` +
    'or use the containers instead: docker compose up'
  );
}
