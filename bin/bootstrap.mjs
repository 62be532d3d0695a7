// Plain JavaScript that any Node from 20 on can run: it brings the packages and Node 24, then hands over.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

/** True on a clone; the published package has compiled JavaScript and no sources. */
export const isClone = existsSync(join(root, 'src', 'worker.ts'));

/** Installs the locked packages unless those of this very lockfile are there. Ends the process with a clear message when that fails. */
export function ensurePackages() {
  if (!isClone) return;
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const stamp = join(root, 'node_modules', '.installed-lockfile');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock && nodeBinary() !== undefined) return;
  const started = Date.now();
  process.stderr.write('packages: npm ci …\n');
  const npm = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel', 'error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (npm.status !== 0) {
    process.stderr.write('packages: npm ci failed; the lines above say why\n');
    process.exit(1);
  }
  writeFileSync(stamp, lock);
  process.stderr.write(`packages: ready after ${Math.round((Date.now() - started) / 1000)} s\n`);
}

/** The Node that the code needs: this one when it is new enough, else the one that the packages bring. */
export function nodeBinary() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major === 24 && minor >= 9) return process.execPath;
  try {
    const binary = join(dirname(require.resolve('node/package.json', { paths: [root] })), 'bin', 'node');
    return existsSync(binary) ? binary : undefined;
  } catch {
    return undefined;
  }
}

/**
 * How a worker's process is started, so that it stays small: with little room for V8's young objects, which costs a backup some tenth of
 * a second (docs/decisions/0020); and glibc gives large pieces of freed memory back at once, and has two pools of the rest instead of one
 * for each thread. It takes 100 MiB and more off its peak (docs/benchmarks.md). The Dockerfile has the same.
 */
export const workerProcess = {
  flags: ['--max-semi-space-size=8'],
  env: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '1048576' },
};

/** Runs a script under Node 24 and ends this process as the script ended. Signals reach the child, which cleans up. */
export function handOver(args, options = {}) {
  const node = nodeBinary();
  if (node === undefined) {
    process.stderr.write(
      'Node 24 is missing: the npm package "node" brings it in an install script; run npm ci without --ignore-scripts\n',
    );
    process.exit(1);
  }
  const env = {
    // Halves the start. A folder of the clone's own: what is in there is run. A package may not be able to write one.
    ...(isClone ? { NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'compiled') } : {}),
    // What the user has set wins.
    ...options.defaults,
    ...process.env,
    RUNBOOK_LAUNCHER: String(process.pid),
    PATH: `${dirname(node)}:${process.env.PATH ?? ''}`,
  };
  const child = spawn(node, args, { stdio: 'inherit', cwd: options.cwd, env });
  // A terminal sends Ctrl-C to the whole group; the others come to this process alone.
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  process.on('SIGINT', () => undefined);
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : 1)));
    child.on('error', (error) => {
      process.stderr.write(`${error.message}\n`);
      resolve(1);
    });
  });
}
