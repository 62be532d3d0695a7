// The product's worker in a process of its own, so that it can be killed and frozen. Its parent ends it.
import { flushCompileCache } from 'node:module';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { readConfig } from '../../../src/config.ts';
import { createWorker } from '../../../src/worker.ts';

// Attempts that fail are what is tested here; only what ends the worker itself is worth a line.
Runtime.install({ logger: new DefaultLogger('ERROR') });
const workflowBundle = { codePath: process.env['RUNBOOK_TEST_BUNDLE'] ?? '' };
const { worker } = await createWorker(readConfig(process.env), { workflowBundle });
// For the next worker: this one is killed before it would keep what it compiled.
flushCompileCache();
process.send?.('ready');
await worker.run();
