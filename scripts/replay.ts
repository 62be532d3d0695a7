// Replays recorded histories with the workflow code of this tree: `node scripts/replay.ts [folder]`.
// Prints one line of JSON per history, {file, error?}; exits 1 when one does not replay. A process of its own,
// because Temporal's history parser does not work inside jest's module registry.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { dataConverter, workflowsPath } from '../src/worker.ts';

const folder = process.argv[2] ?? join(import.meta.dirname, '..', 'test', 'replay', 'histories');
const logger = new DefaultLogger('ERROR', () => undefined);
Runtime.install({ logger });
const workflowBundle = await bundleWorkflowCode({ workflowsPath, ...dataConverter, logger });

for (const file of readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .sort()) {
  const error = await replay(join(folder, file));
  if (error !== undefined) process.exitCode = 1;
  console.log(JSON.stringify({ file, error }));
}
await Runtime.instance().shutdown();

async function replay(path: string): Promise<string | undefined> {
  try {
    await Worker.runReplayHistory({ workflowBundle, dataConverter }, JSON.parse(readFileSync(path, 'utf8')));
    return undefined;
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : 'not an error';
  }
}
