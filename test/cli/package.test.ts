import { expect, jest, test } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { TestRun } from '../support/world.ts';
import { stack, unique } from '../support/stack.ts';

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

// Compiling and bundling take half a minute on two busy cores.
jest.setTimeout(300_000);

test('the package compiles, and its worker runs procedures without bundling anything when it starts', async () => {
  await run(process.execPath, [join(root, 'scripts', 'build.mjs')], { maxBuffer: 2 ** 24 });
  const connection = await Connection.connect({ address: stack().temporalAddress });
  const taskQueue = unique('package');
  const targets = mkdtempSync(join(tmpdir(), 'package-'));
  const env = { ...process.env, RUNBOOK_TASK_QUEUE: taskQueue, RUNBOOK_TARGETS: targets };
  const worker = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), 'worker'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    const said: string[] = [];
    for await (const line of createInterface(worker.stderr)) {
      said.push(line);
      if (line.startsWith('worker polls')) break;
    }
    expect(said.join('\n')).toContain(`worker polls ${taskQueue}`);
    expect(said.join('\n')).not.toContain('bundle');
    const client = new Client({ connection });
    const handle = await client.workflow.start('rollingUpdate', {
      taskQueue,
      workflowId: taskQueue,
      args: [{ image: 'web:1', imag: 'web:1' }],
    });
    const { report } = await new TestRun(handle).end();
    expect(report.error).toContain('imag');
  } finally {
    await connection.close();
    worker.kill('SIGKILL');
    rmSync(targets, { recursive: true, force: true });
  }
});
