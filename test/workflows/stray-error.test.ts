import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { dataConverter } from '../../src/worker.ts';
import { unique } from '../support/stack.ts';
import { World } from '../support/world.ts';

let world: World;
beforeAll(async () => {
  const workflowsPath = fileURLToPath(new URL('./stray/index.ts', import.meta.url));
  world = await World.create({
    bundle: await bundleWorkflowCode({
      workflowsPath,
      ...dataConverter,
      logger: new DefaultLogger('ERROR'),
    }),
  });
});
afterAll(async () => {
  await world.close();
});

test.each([
  { early: true, outcome: 'failed' },
  { early: false, outcome: 'undone' },
])(
  'a fault in workflow code ends the run $outcome instead of leaving it open for ever',
  async ({ early, outcome }) => {
    const handle = await world.client.workflow.start('strayError', {
      taskQueue: world.queue,
      workflowId: unique('stray'),
      args: [{ early }],
    });
    const run = world.attach(handle.workflowId);
    const { report, failure } = await run.end();
    expect(failure?.type).toBe(outcome);
    expect(report.error).toMatch(/^fault in the runbook: TypeError/);
    expect(await run.failedTasks()).toBe(0);
  },
);
