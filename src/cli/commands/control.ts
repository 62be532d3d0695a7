import { userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { controls, type Control } from '../../contracts/run.ts';
import { openClient } from '../environment.ts';
import { UsageError } from '../exit-codes.ts';
import { describe } from '../follow-run.ts';
import { statusOf } from './show.ts';

const does = {
  pause: 'pause a run before its next step; one that holds a target not for longer than its profile allows',
  resume: 'let a paused run go on',
  abort: 'end a run; what it changed is undone',
};

/** How long to wait for the run to say what a control did. A worker that is away does not lose it. */
const answerWithinMilliseconds = 5000;

interface ControlOptions {
  by?: string;
  reason?: string;
  json?: boolean;
}

/** `runbook pause`, `resume` and `abort`. */
export function addControlCommands(program: Command): void {
  for (const control of ['pause', 'resume', 'abort'] as const) {
    program
      .command(control)
      .description(does[control])
      .argument('<workflow id>')
      .option('--by <name>', 'your name; without it the name of your login')
      .option('--reason <text>', 'goes into the report')
      .option('--json', 'as JSON')
      .action(async (workflowId: string, options: ControlOptions) => {
        const client = await openClient((line) => {
          console.error(line);
        });
        const note = await send(client, workflowId, control, options);
        console.log(options.json === true ? JSON.stringify({ sent: control, note }) : note);
      });
  }
}

async function send(
  client: Client,
  workflowId: string,
  control: keyof typeof does,
  { by = userInfo().username, reason }: ControlOptions,
): Promise<string> {
  const status = await statusOf(client, workflowId);
  if (status !== 'RUNNING')
    throw new UsageError(`the run has ended (${status.toLowerCase()}); there is nothing to ${control}`);
  const before = (await describe(client, workflowId))?.controls.length;
  const sent: Control = { by, ...(reason === undefined ? {} : { reason }) };
  await client.workflow.getHandle(workflowId).signal(controls[control], sent);
  return await answer(client, workflowId, before);
}

/** What the run noted about the control. */
async function answer(client: Client, workflowId: string, before: number | undefined): Promise<string> {
  const deadline = Date.now() + answerWithinMilliseconds;
  while (before !== undefined && Date.now() < deadline) {
    const now = (await describe(client, workflowId))?.controls;
    const last = now?.at(-1);
    if (now !== undefined && now.length > before && last !== undefined) return last.note;
    await delay(100);
  }
  return 'sent; the run has not answered yet (is a worker running?)';
}
