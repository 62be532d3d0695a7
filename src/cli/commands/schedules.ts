import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { createSchedules } from '../../clients/temporal/schedules.ts';
import { readConfig } from '../../config.ts';
import { excerpt } from '../../domain/text.ts';
import { openClient } from '../environment.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import {
  carryOut,
  linesFor,
  planApply,
  refusedIds,
  refusedInputs,
  type Done,
  type Step,
} from '../schedules/apply.ts';
import { findSchedule, triggerNow } from '../schedules/find.ts';
import {
  hasTargetAttribute,
  lookAtSchedules,
  nameOf,
  readProfiles,
  type Scope,
  type Seen,
} from '../schedules/look.ts';
import { linesOf, shownOf } from '../schedules/show.ts';

interface Common {
  target?: string;
  json?: boolean;
}

interface ApplyOptions extends Common {
  dryRun?: boolean;
  yes?: boolean;
  forgetMissed?: boolean;
}

interface PauseOptions {
  by?: string;
  reason?: string;
  json?: boolean;
}

const whichSchedule =
  'as `runbook schedules list` shows it, such as alecs/hourly; its name alone where only one target has it';

/** `runbook schedules`: what profiles say about when procedures run, and what Temporal makes of it. */
export function addSchedulesCommand(program: Command): void {
  const schedules = program
    .command('schedules')
    .description('make the schedules of the profiles real in Temporal, and look after them');
  schedules
    .command('apply')
    .description('show what would change in Temporal, ask, and change it')
    .option('--target <name>', 'only the schedules of this target; without it those of every profile')
    .option('--dry-run', 'only show it')
    .option('--yes', 'do not ask')
    .option('--forget-missed', 'take note of the runs missed so far: doctor tells of later ones only')
    .option('--json', 'as JSON; with --yes or --dry-run')
    .exitOverride()
    .action(apply);
  schedules
    .command('list')
    .description('every schedule: when it runs next, how its last run ended, what was missed')
    .option('--target <name>', 'only the schedules of this target')
    .option('--json', 'as JSON')
    .exitOverride()
    .action(list);
  for (const verb of ['pause', 'resume'] as const) {
    schedules
      .command(verb)
      .description(verb === 'pause' ? 'let it start no runs' : 'let it start runs again')
      .argument('<schedule>', whichSchedule)
      .option('--by <name>', 'your name; without it the name of your login')
      .option('--reason <text>', 'shown in the Temporal UI')
      .option('--json', 'as JSON')
      .exitOverride()
      .action((schedule: string, options: PauseOptions) => pauseOrResume(verb, schedule, options));
  }
  schedules
    .command('trigger')
    .description('start a run of it now')
    .argument('<schedule>', whichSchedule)
    .option('--json', 'as JSON')
    .exitOverride()
    .action(trigger);
}

async function apply(options: ApplyOptions): Promise<void> {
  const { target, dryRun = false, yes = false, json = false } = options;
  if (json && !dryRun && !yes) throw new UsageError('--json asks nothing: add --yes or --dry-run');
  const config = readConfig(process.env);
  const profiles = await readProfiles(config, target);
  refuseAll(refusedInputs(profiles));
  const client = await openClient(say);
  const schedules = createSchedules(client);
  const seen = await lookWith(client, { profiles, target, taskQueue: config.taskQueue });
  refuseAll(refusedIds(seen));
  const steps = planApply(seen, options.forgetMissed === true);
  const changes = steps.filter(({ action }) => action !== 'unchanged');
  if (!json) for (const line of steps.flatMap(linesFor)) console.log(line);
  if (dryRun || changes.length === 0) {
    console.log(json ? toJson(steps.map((step) => ({ step }))) : summaryOf(changes.length));
    return;
  }
  await confirm(changes, yes);
  const done = await carryOut(schedules, steps);
  const failed = done.filter(({ failure }) => failure !== undefined);
  if (json) console.log(toJson(done));
  for (const { step, failure } of failed)
    say(`failed: ${step.action} ${nameOf(step.owner)}: ${failure ?? ''}`);
  if (!json) console.log(`${changes.length - failed.length} of ${changes.length} changes made`);
  process.exitCode = failed.length > 0 ? exitCodes.failed : exitCodes.done;
}

async function lookWith(client: Client, scope: Omit<Scope, 'searchAttribute'>): Promise<Seen[]> {
  const searchAttribute = await hasTargetAttribute(client);
  return await lookAtSchedules(createSchedules(client), { ...scope, searchAttribute });
}

/** Every fault in one message, before anything is written. */
function refuseAll(faults: string[]): void {
  if (faults.length > 0) throw new UsageError(`nothing was changed:\n${faults.join('\n')}`);
}

function summaryOf(changes: number): string {
  if (changes === 0) return 'nothing to change';
  return `${changes} ${changes === 1 ? 'change' : 'changes'}; nothing was changed (--dry-run)`;
}

async function confirm(changes: Step[], yes: boolean): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY) throw new UsageError('nothing was changed: add --yes');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const count = changes.length === 1 ? 'this change' : `these ${changes.length} changes`;
  const answer = await terminal.question(`Make ${count} in Temporal? [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('nothing was changed');
}

function toJson(done: Done[]): string {
  const rows = done.map(({ step, failure }) => {
    const { owner, action, notes } = step;
    const differences = step.action === 'change' ? step.differences : [];
    return {
      target: owner.target,
      schedule: owner.schedule,
      action,
      differences,
      notes,
      ...(failure === undefined ? {} : { failure }),
    };
  });
  return JSON.stringify(rows, null, 2);
}

async function list({ target, json = false }: Common): Promise<void> {
  const config = readConfig(process.env);
  const profiles = await readProfiles(config, target);
  const client = await openClient(say);
  const shown = (await lookWith(client, { profiles, target, taskQueue: config.taskQueue })).map(shownOf);
  if (json) console.log(JSON.stringify(shown, null, 2));
  else if (shown.length === 0) console.log('no profile has schedules, and Temporal has none of ours');
  else for (const line of shown.flatMap(linesOf)) console.log(line);
}

async function pauseOrResume(
  verb: 'pause' | 'resume',
  given: string,
  { by = userInfo().username, reason, json = false }: PauseOptions,
): Promise<void> {
  const { taskQueue } = readConfig(process.env);
  const schedules = createSchedules(await openClient(say));
  const { owner, state } = await findSchedule(schedules, given, taskQueue);
  const name = nameOf(owner);
  const wasSo = state.paused === (verb === 'pause');
  const done = verb === 'pause' ? 'paused' : 'resumed';
  const note = excerpt(`${done} by ${by}${reason === undefined ? '' : `: ${reason}`}`, 300);
  if (!wasSo) await schedules[verb](owner, note);
  const was = verb === 'pause' ? `is paused already: ${excerpt(state.note, 300)}` : 'is not paused';
  const sentence = `${name}: ${wasSo ? was : note}`;
  console.log(json ? JSON.stringify({ ...owner, changed: !wasSo, sentence }, null, 2) : sentence);
}

async function trigger(given: string, { json = false }: { json?: boolean }): Promise<void> {
  const { taskQueue } = readConfig(process.env);
  const schedules = createSchedules(await openClient(say));
  const found = await findSchedule(schedules, given, taskQueue);
  const { workflowId, sentence } = await triggerNow(schedules, found);
  if (json)
    console.log(
      JSON.stringify(
        { ...found.owner, ...(workflowId === undefined ? {} : { workflowId }), sentence },
        null,
        2,
      ),
    );
  else console.log(sentence);
}

/** Beside the answer, so that a pipe gets nothing else. */
function say(line: string): void {
  console.error(line);
}
