import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { connectClient } from '../../src/clients/temporal/connection.ts';
import { controls } from '../../src/contracts/run.ts';
import type { TestRun, World } from './world.ts';

const causes = proto.temporal.api.enums.v1.WorkflowTaskFailedCause;

/** What became of the signals of a flood. */
export interface Flood {
  sent: number;
  refused: number;
}

/** Sends `count` signals through four connections, eight at once through each. */
export async function flood(
  run: TestRun,
  count: number,
  signal: (index: number) => [name: string, input: unknown],
): Promise<Flood> {
  const floodgates = await Promise.all(Array.from({ length: 4 }, () => connectClient()));
  const result: Flood = { sent: 0, refused: 0 };
  let next = 0;
  const send = async (client: Client): Promise<void> => {
    const handle = client.workflow.getHandle(run.handle.workflowId);
    while (next < count) {
      const [name, input] = signal(next++);
      try {
        await handle.signal(name, input);
        result.sent += 1;
      } catch {
        result.refused += 1;
      }
    }
  };
  await Promise.all(floodgates.flatMap((client) => Array.from({ length: 8 }, () => send(client))));
  for (const { connection } of floodgates) await connection.close();
  return result;
}

const names = [controls.approve, controls.reject, 'nobodyKnowsThis'];

/** Signals that a run knows, with junk in them, and some that it does not know. */
export function mixed(index: number): [string, unknown] {
  return [names[index % names.length] ?? '', { index }];
}

const races: unknown[] = [
  causes.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
  causes.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
];

/** How many runs the chain has, and the workflow tasks that failed for another reason than a race with the flood. */
export async function chain(world: World, run: TestRun): Promise<{ runs: number; faults: unknown[] }> {
  const { raw } = await run.handle.describe();
  const faults: unknown[] = [];
  let runs = 0;
  for (let runId = raw.workflowExecutionInfo?.firstRunId ?? ''; runId !== ''; runs++) {
    const { events } = await world.client.workflow.getHandle(run.handle.workflowId, runId).fetchHistory();
    for (const { workflowTaskFailedEventAttributes: fault } of events ?? [])
      if (fault instanceof Object && !races.includes(fault.cause)) faults.push(fault);
    runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? '';
  }
  return { runs, faults };
}
