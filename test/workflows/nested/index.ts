import { condition, defineSignal, defineUpdate, executeChild, setHandler } from '@temporalio/workflow';
import {
  rollingUpdateSteps as steps,
  type RollingUpdateRequest,
} from '../../../src/contracts/rolling-update.ts';
import type { RunReport } from '../../../src/contracts/run.ts';
import { rollingUpdate } from '../../../src/workflows/rolling-update.ts';
import { read } from '../../../src/workflows/activity-options.ts';
import { beginRun } from '../../../src/workflows/run/run.ts';

/** A procedure that has another one do its work, under its own lock or (`holds: false`) without one. */
export async function parent(input: { request: RollingUpdateRequest; holds: boolean }): Promise<RunReport> {
  const { request, holds } = input;
  const run = beginRun('parent', { input, carried: undefined });
  try {
    const found = await read('Read the target profile').resolveTarget({ target: request.target ?? '' });
    run.about({ ...found, request: {} });
    if (holds) await run.takeLock(steps.lock, found.target);
    await run.step('Let another procedure do it', () =>
      executeChild<typeof rollingUpdate>('rollingUpdate', { args: [request] }),
    );
    // Shown to the test before this run ends and gives back what it holds.
    await run.ask('Wait for the test', {
      question: 'Go on?',
      planHash: 'none',
      target: found.target,
      onReject: 'the run ends',
    });
    return await run.succeeded('The other procedure has done it');
  } catch (error) {
    return await run.ended(error);
  }
}

/** A rolling update with an update of its own that is answered only when the signal `answer` comes. */
export async function slowToAnswer(input: RollingUpdateRequest, carried?: unknown): Promise<RunReport> {
  let answered = false;
  setHandler(defineUpdate('wait'), async () => {
    await condition(() => answered);
  });
  setHandler(defineSignal('answer'), () => {
    answered = true;
  });
  return await rollingUpdate(input, carried);
}

export * from '../../../src/workflows/index.ts';
