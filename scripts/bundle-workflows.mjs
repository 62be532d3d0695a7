// Bundles the workflow code of dist/, so that a worker of the package needs no bundler: it would take seconds and 250 MiB at each start.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

const dist = join(import.meta.dirname, '..', 'dist');
const { bundlePath, dataConverter, workflowsPath } = await import(join(dist, 'worker.js'));
const logger = new DefaultLogger('WARN');
const { code } = await bundleWorkflowCode({ workflowsPath, ...dataConverter, logger });
writeFileSync(bundlePath, code);
