import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger, Runtime } from '@temporalio/worker';
import { dataConverter, workflowsPath } from '../../src/worker.ts';

/** Bundles the workflow code once for all workers of a stack and returns the file. */
export async function writeBundle(directory: string): Promise<string> {
  Runtime.install({ logger: new DefaultLogger('WARN') });
  const { code } = await bundleWorkflowCode({
    workflowsPath,
    ...dataConverter,
    logger: new DefaultLogger('WARN'),
  });
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'workflow-bundle.js');
  writeFileSync(file, code);
  return file;
}
