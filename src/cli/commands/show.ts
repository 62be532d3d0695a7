import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import type { Command } from 'commander';
import { openClient } from '../environment.ts';
import { UsageError } from '../exit-codes.ts';
import { pendingWork } from '../pending-work.ts';
import { describe, printReport, readReport, showNews, showWork } from '../follow-run.ts';

/** `runbook show`: where a run is, or what it did. */
export function addShowCommand(program: Command): void {
  program
    .command('show')
    .description('show where a run is, or its report when it has ended')
    .argument('<workflow id>')
    .option('--json', 'as JSON')
    .action(async (workflowId: string, options: { json?: boolean }) => {
      const client = await openClient((line) => {
        console.error(line);
      });
      await show(client, workflowId, options.json === true);
    });
}

async function show(client: Client, workflowId: string, json: boolean): Promise<void> {
  const status = await statusOf(client, workflowId);
  if (status !== 'RUNNING') {
    const report = await readReport(client, workflowId);
    if (report === undefined) throw new Error(`the run is ${status.toLowerCase()} and left no report`);
    printReport(report, json);
    return;
  }
  const description = await describe(client, workflowId);
  if (description === undefined)
    throw new Error('the run is open, but no worker answers for it; is one running? (runbook worker)');
  if (json) {
    console.log(JSON.stringify(description, null, 2));
    return;
  }
  showNews(description, new Map(), console.log);
  showWork(await pendingWork(client, workflowId), new Map(), console.log);
}

/** The status of a run in Temporal. @throws UsageError when there is no such run. */
export async function statusOf(client: Client, workflowId: string): Promise<string> {
  try {
    return (await client.workflow.getHandle(workflowId).describe()).status.name;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw new UsageError(`there is no run "${workflowId}"`);
    throw error;
  }
}
