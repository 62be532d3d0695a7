import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Cruise {
  summary: { totalCruised: number; violations: { from: string; rule: { name: string } }[] };
}

/** A project in small, in which every import is legal. */
const legal: Record<string, string> = {
  'src/contracts/plan.ts': `export const plan = 1; export interface Plan { a: 1 }`,
  'src/contracts/request.ts': `import { z } from 'zod'; import { plan } from './plan.ts'; export const request = [z, plan];`,
  'src/domain/rules.ts': `import { plan } from '../contracts/plan.ts'; export const rules = plan;`,
  'src/clients/cluster.ts': `import { request } from 'undici'; import type { Plan } from '../contracts/plan.ts'; export const cluster = request; export type P = Plan;`,
  'src/encryption/signatures.ts': `import { request } from 'undici'; import type { Plan } from '../contracts/plan.ts'; export const verify = request; export type P = Plan;`,
  'src/activities/verify.ts': `import { verify } from '../encryption/signatures.ts'; export const act = verify;`,
  'src/notifiers/notifier.ts': `import { request } from 'undici'; import type { Plan } from '../contracts/plan.ts'; export const notifier = request; export type P = Plan;`,
  'src/activities/index.ts': `import { cluster } from '../clients/cluster.ts'; import { rules } from '../domain/rules.ts'; import { notifier } from '../notifiers/notifier.ts'; export const act = [cluster, rules, notifier]; export interface Activities { a: 1 }`,
  'src/workflows/run.ts': `import type { Activities } from '../activities/index.ts'; import { rules } from '../domain/rules.ts'; import { sleep } from '@temporalio/workflow'; export const run = [rules, sleep]; export type A = Activities;`,
  'src/worker.ts': `import { act } from './activities/index.ts'; import { run } from './workflows/run.ts'; export const worker = [act, run];`,
  'src/local/server.ts': `import { request } from 'undici'; export const server = request;`,
  'src/cli/main.ts': `import { server } from '../local/server.ts'; import type { A } from '../workflows/run.ts'; export const main = server; export type X = A;`,
  'demo/service.ts': `import { request } from 'undici'; export const service = request;`,
  'test/rules.test.ts': `import { rules } from '../src/domain/rules.ts'; import { service } from '../demo/service.ts'; export const t = [rules, service];`,
};

/** Each file breaks exactly one rule. */
const broken: [file: string, rule: string, text: string][] = [
  [
    'src/contracts/sees-domain.ts',
    'contracts-import-nothing',
    `import { rules } from '../domain/rules.ts'; export const x = rules;`,
  ],
  [
    'src/contracts/sees-package.ts',
    'the-core-uses-only-plain-packages',
    `import { request } from 'undici'; export const x = request;`,
  ],
  [
    'src/domain/sees-activity.ts',
    'domain-is-pure',
    `import { act } from '../activities/index.ts'; export const x = act;`,
  ],
  [
    'src/domain/deep/sees-activity-type.ts',
    'domain-is-pure',
    `import type { Activities } from '../../activities/index.ts'; export type X = Activities;`,
  ],
  [
    'src/domain/sees-package.ts',
    'the-core-uses-only-plain-packages',
    `import { request } from 'undici'; export const x = request;`,
  ],
  [
    'src/workflows/sees-activity.ts',
    'workflows-see-activities-by-type',
    `import { act } from '../activities/index.ts'; export const x = act;`,
  ],
  [
    'src/workflows/deep/sees-activity-too.ts',
    'workflows-see-activities-by-type',
    `import { act, type Activities } from '../../activities/index.ts'; export const x = act; export type X = Activities;`,
  ],
  [
    'src/workflows/sees-activity-twice.ts',
    'workflows-see-activities-by-type',
    `import type { Activities } from '../activities/index.ts'; import { act } from '../activities/index.ts'; export const x = act; export type X = Activities;`,
  ],
  [
    'src/workflows/sees-activity-later.ts',
    'workflows-see-activities-by-type',
    `export const x = () => import('../activities/index.ts');`,
  ],
  [
    'src/workflows/hands-on-activity.ts',
    'workflows-see-activities-by-type',
    `export * from '../activities/index.ts';`,
  ],
  [
    'src/workflows/sees-client.ts',
    'workflows-stay-inside',
    `import { cluster } from '../clients/cluster.ts'; export const x = cluster;`,
  ],
  [
    'src/workflows/sees-package.ts',
    'workflows-use-only-the-workflow-sdk',
    `import { request } from 'undici'; export const x = request;`,
  ],
  [
    'src/activities/sees-command-line.ts',
    'activities-import-inwards',
    `import { main } from '../cli/main.ts'; export const x = main;`,
  ],
  [
    'src/clients/sees-domain.ts',
    'clients-know-nothing-of-us',
    `import { rules } from '../domain/rules.ts'; export const x = rules;`,
  ],
  [
    'src/encryption/sees-domain.ts',
    'encryption-knows-nothing-of-us',
    `import { rules } from '../domain/rules.ts'; export const x = rules;`,
  ],
  [
    'src/workflows/sees-encryption.ts',
    'workflows-stay-inside',
    `import { verify } from '../encryption/signatures.ts'; export const x = verify;`,
  ],
  [
    'src/notifiers/sees-domain.ts',
    'notifiers-know-nothing-of-us',
    `import { rules } from '../domain/rules.ts'; export const x = rules;`,
  ],
  [
    'src/workflows/sees-notifier.ts',
    'workflows-stay-inside',
    `import { notifier } from '../notifiers/notifier.ts'; export const x = notifier;`,
  ],
  [
    'src/cli/sees-workflow.ts',
    'workflows-are-imported-by-the-worker-only',
    `import { run } from '../workflows/run.ts'; export const x = run;`,
  ],
  [
    'src/clients.ts',
    'the-product-does-not-know-the-local-stack',
    `import { server } from './local/server.ts'; export const x = server;`,
  ],
  [
    'src/cli/sees-demo.ts',
    'nobody-imports-the-demo-service',
    `import { service } from '../../demo/service.ts'; export const x = service;`,
  ],
  [
    'src/cli/sees-test.ts',
    'the-product-does-not-know-its-tests',
    `import { t } from '../../test/rules.test.ts'; export const x = t;`,
  ],
  [
    'demo/sees-product.ts',
    'the-demo-service-stands-alone',
    `import { rules } from '../src/domain/rules.ts'; export const x = rules;`,
  ],
  ['src/local/turns.ts', 'no-cycles', `import { back } from './turns-back.ts'; export const turn = back;`],
  ['src/local/turns-back.ts', 'no-cycles', `import { turn } from './turns.ts'; export const back = turn;`],
  ['src/local/sees-nothing.ts', 'resolvable', `import { x } from './no-such-file.ts'; export const y = x;`],
];

const packages = ['undici', 'zod', '@temporalio/workflow'];

async function cruise(folder: string): Promise<Cruise> {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruiser.mjs');
  const args = [
    program,
    '--config',
    '.dependency-cruiser.mjs',
    '--output-type',
    'json',
    'src',
    'demo',
    'test',
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: folder,
    maxBuffer: 2 ** 27,
  }).catch((error: unknown) => error as { stdout: string });
  return JSON.parse(stdout) as Cruise;
}

async function writeProject(folder: string, files: Record<string, string>): Promise<void> {
  for (const name of ['.dependency-cruiser.mjs', 'tsconfig.json', 'package.json'])
    await cp(join(root, name), join(folder, name));
  const modules = packages.flatMap((name): [string, string][] => [
    [`node_modules/${name}/package.json`, JSON.stringify({ name, type: 'module', exports: './index.js' })],
    [`node_modules/${name}/index.js`, 'export const request = 1, z = 1, sleep = 1;'],
  ]);
  for (const [name, text] of [...Object.entries(files), ...modules]) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), `${text}\n`);
  }
}

describe('the import law', () => {
  let folder = '';

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'import-law-'));
  });

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  test('holds in the real tree, and that tree was really read', async () => {
    const { summary } = await cruise(root);
    expect(summary.violations.map(({ from, rule }) => `${rule.name}: ${from}`)).toEqual([]);
    expect(summary.totalCruised).toBeGreaterThan(100);
  }, 60_000);

  test('allows what it should, and reports each breach by its name and nothing else', async () => {
    await writeProject(folder, {
      ...legal,
      ...Object.fromEntries(broken.map(([file, , text]) => [file, text])),
    });
    const { summary } = await cruise(folder);
    const found = summary.violations.map(({ from, rule }) => `${from}: ${rule.name}`);
    const expected = broken.map(([file, rule]) => `${file}: ${rule}`);
    // A cycle is reported once, from one of its two ends.
    const oneEnd = new Set(['src/local/turns.ts: no-cycles', 'src/local/turns-back.ts: no-cycles']);
    expect([...new Set(found)].filter((one) => !oneEnd.has(one)).sort()).toEqual(
      expected.filter((one) => !oneEnd.has(one)).sort(),
    );
    expect(found.filter((one) => oneEnd.has(one)).length).toBeGreaterThan(0);
  }, 60_000);

  test('has a breach on purpose for every rule', async () => {
    const config = (await import(join(root, '.dependency-cruiser.mjs'))) as {
      default: { forbidden: { name: string; severity: string }[] };
    };
    const rules = config.default.forbidden;
    expect(rules.map(({ name }) => name).sort()).toEqual([...new Set(broken.map(([, rule]) => rule))].sort());
    expect(rules.every(({ severity }) => severity === 'error')).toBe(true);
  });
});
