// What `npm test`, `npm run check`, `npm run bench` and `npm run faults` do. Plain JavaScript: it brings packages and Node 24 first.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensurePackages, handOver, root } from '../bin/bootstrap.mjs';

const inPackages = (...path) => join(root, 'node_modules', ...path);
const jest = [
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  inPackages('jest', 'bin', 'jest.js'),
];

/** Every check in the order of their cost; the first that fails ends the run. */
const checks = [
  ['format', [inPackages('prettier', 'bin', 'prettier.cjs'), '--check', '--log-level', 'warn', '.']],
  ['lockfile', [join(root, 'scripts', 'complete-lockfile.mjs'), '--check']],
  ['schemas', [join(root, 'scripts', 'write-schemas.ts'), '--check']],
  ['pages', [join(root, 'scripts', 'write-pages.ts'), '--check']],
  ['types', [inPackages('typescript', 'bin', 'tsc'), '--noEmit']],
  ['lint', [inPackages('eslint', 'bin', 'eslint.js'), '.', '--max-warnings', '0']],
  [
    'import law',
    [
      inPackages('dependency-cruiser', 'bin', 'dependency-cruiser.mjs'),
      '--config',
      '.dependency-cruiser.mjs',
      'src',
      'demo',
      'test',
      'scripts',
      'bench',
    ],
  ],
  ['dead exports', [inPackages('knip', 'bin', 'knip.js')]],
];

async function run(name, args) {
  const started = Date.now();
  const status = await handOver(args, { cwd: root });
  process.stderr.write(
    `${name}: ${status === 0 ? 'ok' : `failed (${status})`} after ${Math.round((Date.now() - started) / 1000)} s\n`,
  );
  return status;
}

async function test(args) {
  mkdirSync(join(root, '.local'), { recursive: true });
  return await run('tests', [
    ...jest,
    '--json',
    '--outputFile',
    join(root, '.local', 'test-results.json'),
    ...args,
  ]);
}

/** Without arguments first the tests that need the machine to themselves; `--long`: only these. */
async function faults(args) {
  if (args.length === 0 || args[0] === '--long') {
    process.env.RUNBOOK_TEST_LONG = 'yes';
    const status = await run('long tests', [...jest, '--runInBand', 'test/long']);
    if (status !== 0 || args.length > 0) return status;
  }
  return await run('faults', [join(root, 'scripts', 'faults.ts'), ...args]);
}

/** Measures the worker of the package. */
async function bench(args) {
  const status = await run('build', [join(root, 'scripts', 'build.mjs')]);
  return status === 0 ? await run('bench', [join(root, 'bench', 'main.ts'), ...args]) : status;
}

async function check() {
  for (const [name, args] of checks) {
    const status = await run(name, args);
    if (status !== 0) return status;
  }
  return await test([]);
}

const [task, ...args] = process.argv.slice(2);
const tasks = {
  test: () => test(args),
  check,
  bench: () => bench(args),
  faults: () => faults(args),
};
const chosen = tasks[task];
if (chosen === undefined) {
  process.stderr.write(`usage: node scripts/run.mjs ${Object.keys(tasks).join('|')}\n`);
  process.exit(2);
}
ensurePackages();
process.exitCode = await chosen();
