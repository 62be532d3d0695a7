import { setTimeout as delay } from 'node:timers/promises';
import { ApplicationFailure, WorkflowFailedError, type Client } from '@temporalio/client';
import {
  controls,
  type Gate,
  type Outcome,
  type ReportTable,
  type RunDescription,
  type RunReport,
} from '../contracts/run.ts';
import { exampleFor } from '../domain/decisions.ts';
import { pendingWork } from './pending-work.ts';
import { safeText } from './safe-text.ts';
import { exitCodeOf, exitCodes } from './exit-codes.ts';

const lookEveryMilliseconds = 300;
/** Steps come and go quickly; what an activity is at changes within seconds. */
const looksBetweenWork = 5;

/** Shows a run's steps as they happen until it ends; returns the exit status for its outcome. */
export async function followRun(client: Client, workflowId: string, json: boolean): Promise<number> {
  const ended = readReport(client, workflowId);
  let over = false;
  void ended
    .finally(() => {
      over = true;
    })
    .catch(() => undefined);
  const shown = new Map<string, string>();
  for (let look = 1; !(over as boolean); look++) {
    const description = await describe(client, workflowId);
    if (description !== undefined) showNews(description, shown);
    if (look % looksBetweenWork === 0) showWork(await pendingWork(client, workflowId), shown);
    await delay(lookEveryMilliseconds);
  }
  const report = await ended;
  if (report === undefined) {
    console.error('the run ended without a report: it was terminated, or failed outside its procedure');
    return exitCodes.failed;
  }
  const last = await describe(client, workflowId);
  if (last !== undefined) showNews(last, shown);
  printReport(report, json);
  return exitStatus(report);
}

/** The report of a run that has ended, waiting for its end; undefined when it left none. */
export async function readReport(client: Client, workflowId: string): Promise<RunReport | undefined> {
  try {
    return (await client.workflow.getHandle(workflowId).result()) as RunReport;
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    return cause instanceof ApplicationFailure ? (cause.details?.[0] as RunReport | undefined) : undefined;
  }
}

/** Where a run is now; undefined while no worker can tell. */
export async function describe(client: Client, workflowId: string): Promise<RunDescription | undefined> {
  try {
    return await client.connection.withDeadline(Date.now() + 5000, () =>
      client.workflow.getHandle(workflowId).query<RunDescription>(controls.describe),
    );
  } catch {
    return undefined;
  }
}

/** Headline, plan and evidence; with `json` the whole report. */
export function printReport(report: RunReport, json: boolean): void {
  if (json) {
    console.log(JSON.stringify(report, null, 2));
    return;
  }
  console.log(`${report.outcome}: ${report.headline[0]}`);
  if (report.outcome === 'planned') for (const line of report.plan?.summary ?? []) console.log(`  ${line}`);
  for (const line of tableLines(report.table)) console.log(`  ${line}`);
  console.log(report.headline[1]);
  console.log(report.headline[2]);
  console.log(
    report.evidence.state === 'stored'
      ? `report: ${report.evidence.location}`
      : `report: ${report.evidence.note}`,
  );
}

/** A table for a terminal: its columns as wide as what is in them. */
export function tableLines(table: ReportTable | undefined): string[] {
  if (table === undefined) return [];
  const { title, head, rows, notes } = table;
  const cells = [head, ...rows].map((row) => row.map(safeText));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const lines = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [`${safeText(title)}:`, ...lines, ...notes.map(safeText)];
}

/** Prints steps that are new or changed since the last look. */
export function showNews(
  description: RunDescription,
  shown: Map<string, string>,
  print: (line: string) => void = console.error,
): void {
  description.steps.forEach((step, index) => {
    const line = `${mark(step.state)} ${step.name}${step.note === undefined ? '' : `: ${step.note}`}`;
    if (shown.get(String(index)) === line) return;
    shown.set(String(index), line);
    print(line);
  });
  for (const [key, line] of [
    ['lock', description.lock],
    ['paused', pauseLine(description)],
  ] as const) {
    if (line === undefined || shown.get(key) === line) continue;
    shown.set(key, line);
    print(`  ${key}: ${line}`);
  }
  const gate = description.waitingFor;
  if (gate === undefined) return;
  const needs = `  needs ${gate.needs}${gate.approvedBy.length === 0 ? '' : `; approved by ${gate.approvedBy.join(', ')}`}`;
  if (shown.get('gate') !== gate.id) {
    shown.set('gate', gate.id);
    for (const line of description.plan?.summary ?? []) print(`    ${line}`);
    print(`  ${gate.question}`);
    for (const line of howToDecide(description.run.workflowId, gate)) print(`  ${line}`);
  }
  if (shown.get('needs') === `${gate.id}${needs}`) return;
  shown.set('needs', `${gate.id}${needs}`);
  print(needs);
}

/** Prints what activities say that is new since the last look. */
export function showWork(
  work: ReadonlyMap<string, string>,
  shown: Map<string, string>,
  print: (line: string) => void = console.error,
): void {
  for (const [name, says] of work) {
    if (shown.get(`work/${name}`) === says) continue;
    shown.set(`work/${name}`, says);
    print(`  ${name}: ${safeText(says)}`);
  }
}

function howToDecide(workflowId: string, gate: Gate): string[] {
  const approve = `npx runbook approve '${workflowId}' --plan ${gate.planHash.slice(0, 12)}`;
  if (gate.signed)
    return [
      `decide until ${gate.deadline}, signed: ${approve} --as 'YOUR NAME' --sign KEYFILE`,
      'without --sign that prints the command for your own gpg, and what to paste into the Temporal UI',
    ];
  return [
    `decide until ${gate.deadline}: ${approve}`,
    `or paste into the Temporal UI, update ${controls.decide}: ${exampleFor(gate)}`,
    `or signal ${controls.approve}: ${exampleFor(gate, 'approve')}`,
  ];
}

function pauseLine({ paused, run, outcome }: RunDescription): string | undefined {
  if (paused === undefined || outcome !== undefined) return undefined;
  const by = paused.by === undefined ? '' : ` by ${paused.by}`;
  const why = paused.reason === undefined ? '' : `: ${paused.reason}`;
  return `since ${paused.since}${by}${why}; go on: npx runbook resume '${run.workflowId}'`;
}

function exitStatus(report: RunReport): number {
  const unknown = report.proofs.some((proof) => proof.verdict === 'unknown');
  return unknown && report.outcome === 'succeeded'
    ? exitCodes.unknown
    : exitCodeOf(report.outcome satisfies Outcome);
}

function mark(state: string): string {
  return { done: '✓', running: '▶', waiting: '⏸', failed: '✗', unknown: '?' }[state] ?? ' ';
}
