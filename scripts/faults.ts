// `npm run faults [-- --shard i/n] [-- --case TEXT] [-- --minutes N]`: harms runs of every changing procedure at every point, on a
// stack of its own, compares each with an undisturbed run, and keeps the table in docs/faults.md, each row with its date and commit.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { useOnly } from '../src/cli/environment.ts';
import { demoArchive } from '../src/local/demo-image.ts';
import { loadImages } from '../src/local/demo-target.ts';
import { phasePrinter } from '../src/local/phases.ts';
import { startStack } from '../src/local/stack.ts';
import type { Stack } from '../src/local/stack-types.ts';
import { messageOf } from '../src/local/wait.ts';
import { casesOf, nameOf, type Case } from '../test/faults/cases.ts';
import { scenarios } from '../test/faults/scenarios.ts';
import { inLanes, runCase, runUndisturbed, type CaseResult } from '../test/faults/support/run-cases.ts';
import { writeBundle } from '../test/support/bundle.ts';

const root = join(import.meta.dirname, '..');
const page = join(root, 'docs', 'faults.md');
const markers = ['<!-- table: begin -->', '<!-- table: end -->'] as const;

const { values } = parseArgs({
  options: { shard: { type: 'string' }, case: { type: 'string' }, minutes: { type: 'string' } },
});
const startedAt = Date.now();
const stack = await start();
try {
  const all = await allCases();
  const cases = choose(all);
  console.log(`${cases.length} cases`);
  const results = await workOn(cases);
  const failed = results.filter((result) => result?.ok === false).length;
  const seconds = Math.round((Date.now() - startedAt) / 1000);
  console.log(`${summarise(results)}, ${seconds} s`);
  writeTable(all, cases, results);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await stack.stop();
}
// Connections of Temporal's client may linger; nothing that was started does.
process.exit();

async function start(): Promise<Stack> {
  const onPhase = phasePrinter(process.stderr);
  const given = new AbortController();
  const started = startStack({ name: `faults-${process.pid}`, onPhase, signal: given.signal });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      given.abort();
      // Workers end with this process: the kernel sees to that.
      void started.then((ours) => ours.stop()).finally(() => process.exit(130));
    });
  }
  const { endpoints } = await started;
  if (endpoints.imageImport !== undefined) await loadImages(endpoints, await demoArchive(onPhase), onPhase);
  useOnly(endpoints);
  // With the key of the audit log there, signing its checkpoints is harmed, too.
  const environment = { ...process.env, RUNBOOK_TARGETS: join(root, 'demo', 'targets') };
  execFileSync(process.execPath, [join(root, 'bin', 'runbook.mjs'), 'setup'], { env: environment });
  Object.assign(process.env, {
    RUNBOOK_TEST_STACK: join(endpoints.directory, 'stack.json'),
    RUNBOOK_TEST_NODE: endpoints.node,
    RUNBOOK_TEST_BUNDLE: await writeBundle(endpoints.directory),
  });
  return await started;
}

async function allCases(): Promise<Case[]> {
  // `--case 'rollback | worker'` names its scenario: the others need not be played.
  const [wanted = '', more] = (values.case ?? '').split(' | ');
  const playable = scenarios.filter(
    ({ name, realPods }) =>
      (more === undefined || name.endsWith(wanted)) &&
      (!realPods || process.env['RUNBOOK_TEST_NODE'] === 'real'),
  );
  const lists = await inLanes(playable, async (scenario) => {
    const reference = await runUndisturbed(scenario);
    console.log(`undisturbed: ${scenario.name}: ${reference.outcome}, ${reference.effects.length} effects`);
    return casesOf(scenario, reference);
  });
  return lists.flat();
}

/** Every n-th case, so that each shard has its part of the slow ones. */
function choose(cases: Case[]): Case[] {
  const [shard = 1, shards = 1] = (values.shard ?? '1/1').split('/').map(Number);
  const text = values.case ?? '';
  return cases
    .filter((one) => describe(one).includes(text))
    .filter((_, index) => index % shards === shard - 1);
}

/** One of each kind first, what harms writes before the rest: when the minutes are over, no other case begins. */
async function workOn(cases: Case[]): Promise<(CaseResult | undefined)[]> {
  const until = startedAt + Number(values.minutes ?? Infinity) * 60_000;
  const seen = new Map<string, number>();
  const order = cases.map((one, index) => {
    const kind = kindOf(one);
    const rank = seen.get(kind) ?? 0;
    seen.set(kind, rank + 1);
    return { index, one, rank };
  });
  order.sort((left, right) => left.rank - right.rank || weight(left.one) - weight(right.one));
  const results: (CaseResult | undefined)[] = cases.map(() => undefined);
  await inLanes(order, async ({ index, one }) => {
    if (Date.now() < until) results[index] = await work(one);
  });
  return results;
}

/** A kill or a late write at each type of activity, and everything else. */
function kindOf({ scenario, fault, activity, point }: Case): string {
  const where = fault.startsWith('worker') ? [activity.replace(/ .*/, ''), point.replace(/ \d+$/, '')] : [];
  return [scenario.procedure, fault, ...where].join('|');
}

function weight({ fault, point, activity, reference }: Case): number {
  const writes = reference.activities.some((one) => one.writes > 0 && activity === nameOf(one));
  if (fault === 'worker killed') return point === 'end' && writes ? 0 : 4;
  if (!fault.includes('late write')) return 2;
  return point.includes('held') ? 3 : 1;
}

function summarise(results: (CaseResult | undefined)[]): string {
  const ran = results.filter((result) => result !== undefined);
  const left = results.length - ran.length;
  const failed = ran.filter(({ ok }) => !ok).length;
  return `${ran.length} cases, ${failed} failed${left === 0 ? '' : `, ${left} not run`}`;
}

async function work(one: Case): Promise<CaseResult> {
  const result = await runCase(one);
  console.log(
    `${result.ok ? 'ok    ' : 'FAILED'} ${result.seconds.toFixed(1).padStart(6)} s  ${describe(one)}${result.remark === '' ? '' : `: ${result.remark}`}`,
  );
  return result;
}

function describe({ scenario, fault, activity, point }: Case): string {
  return [scenario.name, fault, activity, point].filter((part) => part !== '').join(' | ');
}

/** Every row says when and of which commit it is: a run replaces its own rows, and all of a scenario that it played as a whole. */
function writeTable(all: Case[], cases: Case[], results: (CaseResult | undefined)[]): void {
  const text = readFileSync(page, 'utf8');
  const [before = '', rest = ''] = text.split(markers[0]);
  const [table = '', after = ''] = rest.split(markers[1]);
  const when = `${new Date().toISOString().slice(0, 10)}, ${commit()}`;
  const ran = cases.filter((_, index) => results[index] !== undefined);
  const partly = all.filter((one) => !ran.includes(one)).map(({ scenario }) => scenario.name);
  const whole = ran.map(({ scenario }) => scenario.name).filter((name) => !partly.includes(name));
  const rows = new Map(rowsIn(table).filter(([, row]) => !whole.includes(scenarioOf(row))));
  for (const [index, { scenario, fault, activity, point }] of cases.entries()) {
    const result = results[index];
    if (result === undefined) continue;
    const cells = [scenario.name, fault, activity, point, ...resultCells(result), when];
    const row = `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
    rows.set(keyOf(row), row);
  }
  const failed = [...rows.values()].filter((row) => row.includes('| **failed**')).length;
  const head = [
    `${rows.size} cases, ${failed} failed.`,
    '',
    '| scenario | fault | activity | point | result | seconds | run |',
    '|---|---|---|---|---|---|---|',
  ];
  const order = scenarios.map(({ name }) => name);
  const place = (row: string): number => order.indexOf(scenarioOf(row));
  const sorted = [...rows.values()].sort((left, right) => place(left) - place(right));
  writeFileSync(page, `${before}${markers[0]}\n${[...head, ...sorted].join('\n')}\n${markers[1]}${after}`);
}

function scenarioOf(row: string): string {
  return row.split('|')[1]?.trim() ?? '';
}

function rowsIn(table: string): [string, string][] {
  const lines = table.split('\n').filter((line) => /^\| [^|]+ \| .* \|$/.test(line));
  return lines.filter((line) => !line.startsWith('| scenario |')).map((line) => [keyOf(line), line]);
}

/** The point of a fault at no certain activity is chosen by chance. */
function keyOf(row: string): string {
  const [scenario, fault, activity = '', point] = row
    .split('|')
    .slice(1)
    .map((cell) => cell.trim());
  return [scenario, fault, activity, activity === '' ? '' : point].join('|');
}

function resultCells({ ok, remark, seconds }: CaseResult): [string, string] {
  return [
    `${ok ? 'ok' : '**failed**'}${remark === '' ? '' : `: ${remark.slice(0, 200)}`}`,
    seconds.toFixed(1),
  ];
}

/** With a plus when the tree holds more than that commit. */
function commit(): string {
  const git = (...line: string[]): string =>
    execFileSync('git', line, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--', 'src', 'test', 'package-lock.json') !== '';
    return `${git('rev-parse', '--short', 'HEAD')}${changed ? '+' : ''}`;
  } catch (error) {
    return `unknown (${messageOf(error)})`;
  }
}
