import type { Command } from 'commander';
import { runWorker } from '../../worker.ts';
import { preferLocalStack } from '../environment.ts';

/** `runbook worker`: serves workflows and activities until it is told to stop. */
export function addWorkerCommand(program: Command): void {
  program
    .command('worker')
    .description('run a worker until Ctrl-C; configured by RUNBOOK_* and TEMPORAL_* variables')
    .action(async () => {
      preferLocalStack((line) => {
        console.error(line);
      });
      await runWorker(process.env);
    });
}
