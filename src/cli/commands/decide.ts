import { userInfo } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { ApplicationFailure, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import type { Command } from 'commander';
import { controls, type Decision, type RunDescription } from '../../contracts/run.ts';
import { openClient } from '../environment.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { describe } from '../follow-run.ts';
import { signDecision, type SignOptions } from '../sign-decision.ts';
import { statusOf } from './show.ts';

interface DecideOptions extends SignOptions {
  plan?: string;
  as?: string;
  reason?: string;
  yes?: boolean;
  print?: boolean;
  json?: boolean;
}

/** `runbook approve` and `runbook reject`: answer the gate that a run waits at. */
export function addDecisionCommands(program: Command): void {
  for (const decision of ['approve', 'reject'] as const) {
    program
      .command(decision)
      .description(`${decision} what a run waits for`)
      .argument('<workflow id>')
      .option(
        '--plan <hash>',
        'decide only if the run waits with this plan (at least 8 characters of its hash)',
      )
      .option('--as <name>', 'your name; without it the name of your login')
      .option('--reason <text>', 'goes into the report')
      .option('--sign <file>', 'sign the decision with the armored private key in this file')
      .option('--passphrase-file <file>', 'its passphrase; without it, the terminal asks')
      .option('--print', 'print the decision, to be pasted into the Temporal UI, instead of sending it')
      .option('--yes', 'do not ask, whatever the plan is')
      .option('--json', 'as JSON')
      .action(async (workflowId: string, options: DecideOptions) => {
        process.exitCode = await decide(workflowId, decision, options);
      });
  }
}

async function decide(
  workflowId: string,
  decision: Decision['decision'],
  options: DecideOptions,
): Promise<number> {
  const client = await openClient((line) => {
    console.error(line);
  });
  const description = await readGate(client, workflowId);
  const { waitingFor: gate } = description;
  if (gate === undefined)
    throw new Error(`no gate is open: the run is at "${description.steps.at(-1)?.name ?? 'start'}"`);
  await confirm(description, decision, options);
  // The run trims names and reasons; the signature is over what it takes.
  const reason = options.reason?.trim();
  const unsigned: Decision = {
    decision,
    gate: gate.id,
    planHash: gate.planHash,
    approver: options.as ?? userInfo().username,
    ...(reason === undefined ? {} : { reason }),
  };
  const body = await signDecision(workflowId, gate, unsigned, options);
  if (options.print === true) {
    console.log(JSON.stringify(body));
    return exitCodes.done;
  }
  try {
    const answer = await client.workflow
      .getHandle(workflowId)
      .executeUpdate<string, [Decision]>(controls.decide, { args: [body] });
    console.log(options.json === true ? JSON.stringify({ accepted: true, answer }) : answer);
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof WorkflowUpdateFailedError)) throw error;
    const refusal = error.cause instanceof ApplicationFailure ? error.cause.message : error.message;
    if (options.json === true) console.log(JSON.stringify({ accepted: false, refusal }));
    else console.error(`refused: ${refusal}`);
    return exitCodes.failed;
  }
}

async function readGate(client: Client, workflowId: string): Promise<RunDescription> {
  const status = await statusOf(client, workflowId);
  if (status !== 'RUNNING')
    throw new UsageError(`the run has ended (${status.toLowerCase()}); there is nothing to decide`);
  const description = await describe(client, workflowId);
  if (description === undefined)
    throw new Error('no worker answers for this run; is one running? (runbook worker)');
  return description;
}

/** Nobody approves what they have not seen: the plan is named, or shown and confirmed on a terminal. */
async function confirm(
  description: RunDescription,
  decision: Decision['decision'],
  options: DecideOptions,
): Promise<void> {
  const hash = description.waitingFor?.planHash ?? '';
  if (options.plan !== undefined) {
    if (options.plan.length < 8) throw new UsageError('--plan takes at least 8 characters of the hash');
    if (!hash.startsWith(options.plan))
      throw new UsageError(
        `the run waits with plan ${hash}, not ${options.plan}; look at it again: runbook show '${description.run.workflowId}'`,
      );
    return;
  }
  if (options.yes === true || decision === 'reject') return;
  for (const line of description.plan?.summary ?? []) console.error(`    ${line}`);
  if (!process.stdin.isTTY) throw new UsageError(`say which plan you approve: --plan ${hash.slice(0, 12)}`);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(
    `${description.waitingFor?.question ?? ''} Approve plan ${hash.slice(0, 12)}? [y/N] `,
  );
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new UsageError('not approved; the run goes on waiting');
}
