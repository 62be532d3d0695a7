import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { WorkflowExecutionAlreadyStartedError, type Client } from '@temporalio/client';
import type { Command } from 'commander';
import { taskQueue } from '../../contracts/names.ts';
import { procedures, type Procedure } from '../../contracts/procedures.ts';
import { excerpt } from '../../domain/text.ts';
import { openClient } from '../environment.ts';
import { messageOf } from '../../local/wait.ts';
import { UsageError } from '../exit-codes.ts';
import { followRun } from '../follow-run.ts';

interface StartOptions {
  target?: string;
  input?: string;
  set: string[];
  dryRun?: boolean;
  id?: string;
  wait?: boolean;
  json?: boolean;
}

/** What a shell reports for a command that Ctrl-C ended. */
const interrupted = 130;

/** `runbook start`: starts a procedure, and with --wait follows it to its end. */
export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('start a procedure')
    .argument('<procedure>', 'its name, as `runbook list` shows it')
    .option('--target <name>', 'target profile; without it the default one')
    .option('--input <json>', 'the input as JSON, or @file')
    .option(
      '--set <key=value>',
      'set one field of the input; the value is JSON, else text (repeatable)',
      collect,
      [],
    )
    .option('--dry-run', 'plan only')
    .option('--id <workflow id>', 'workflow id; without it one that names target and procedure')
    .option('--wait', 'follow the run to its end')
    .option('--json', 'as JSON')
    .action(async (name: string, options: StartOptions) => {
      const procedure = findProcedure(name);
      const input = await readInput(options, procedure);
      const client = await openClient((line) => {
        console.error(line);
      });
      const workflowId = options.id ?? newId(procedure, input.target);
      const runId = await startRun(client, procedure, workflowId, input);
      const started = { workflowId, runId, procedure: procedure.workflowType };
      if (options.json === true && options.wait !== true) console.log(JSON.stringify(started, null, 2));
      else console.error(`started ${workflowId}`);
      if (options.wait === true) {
        process.once('SIGINT', () => {
          console.error(`the run goes on; see it: runbook show '${workflowId}'`);
          process.exit(interrupted);
        });
        process.exitCode = await followRun(client, workflowId, options.json === true);
      } else if (options.json !== true) console.error(`see it: runbook show '${workflowId}'`);
    });
}

async function startRun(
  client: Client,
  procedure: Procedure,
  workflowId: string,
  input: Record<string, unknown>,
): Promise<string> {
  const reason = typeof input.reason === 'string' ? `: ${input.reason}` : '';
  try {
    const handle = await client.workflow.start(procedure.workflowType, {
      taskQueue: process.env.RUNBOOK_TASK_QUEUE ?? taskQueue,
      workflowId,
      args: [input],
      // The server takes 400 bytes.
      staticSummary: excerpt(`${procedure.summary}${reason}`, 120),
    });
    return handle.firstExecutionRunId;
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new UsageError(
      `there is an open run "${workflowId}" already; see it: runbook show '${workflowId}', or choose another --id`,
    );
  }
}

function findProcedure(name: string): Procedure {
  const procedure = procedures.find((one) => one.name === name || one.workflowType === name);
  if (procedure !== undefined) return procedure;
  throw new UsageError(
    `there is no procedure "${name}"; known: ${procedures.map((one) => one.name).join(', ')}`,
  );
}

async function readInput(options: StartOptions, procedure: Procedure): Promise<Record<string, unknown>> {
  const input: Record<string, unknown> =
    options.input === undefined ? {} : await parseInput(options.input, procedure);
  for (const assignment of options.set) {
    const at = assignment.indexOf('=');
    if (at < 1) throw new UsageError(`--set takes key=value, not "${assignment}"`);
    input[assignment.slice(0, at)] = valueOf(assignment.slice(at + 1));
  }
  if (options.target !== undefined) input.target = options.target;
  if (options.dryRun === true) input.dryRun = true;
  input.requestedBy ??= userInfo().username;
  return input;
}

async function parseInput(text: string, procedure: Procedure): Promise<Record<string, unknown>> {
  const json = text.startsWith('@') ? await readInputFile(text.slice(1)) : text;
  try {
    const value: unknown = JSON.parse(json);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    throw new UsageError(`--input is not JSON; an input that works: ${exampleOf(procedure)}`);
  }
  throw new UsageError(`--input must be one JSON object, for example ${exampleOf(procedure)}`);
}

async function readInputFile(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(`--input names a file that cannot be read: ${messageOf(error)}`);
  }
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function exampleOf(procedure: Procedure): string {
  return `'${JSON.stringify(procedure.example)}'`;
}

function newId(procedure: Procedure, target: unknown): string {
  const time = new Date().toISOString().replaceAll(/[-:]/g, '').slice(0, 15);
  const where = typeof target === 'string' ? `${target}-` : '';
  return `${where}${procedure.name}-${time}-${randomBytes(2).toString('hex')}`;
}

function collect(value: string, earlier: string[]): string[] {
  return [...earlier, value];
}
