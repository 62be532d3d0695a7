import type { Command } from 'commander';
import { procedures } from '../../contracts/procedures.ts';

/** `runbook list`: every procedure, with an input that works. */
export function addListCommand(program: Command): void {
  program
    .command('list')
    .description('list every procedure')
    .option('--json', 'as JSON')
    .action((options: { json?: boolean }) => {
      if (options.json === true) {
        const shown = procedures.map(({ schema: _, ...procedure }) => procedure);
        console.log(JSON.stringify(shown, null, 2));
        return;
      }
      for (const procedure of procedures) {
        console.log(`${procedure.name}  (${procedure.workflowType}, ${procedure.kind})`);
        console.log(`  ${procedure.summary}`);
        console.log(`  page   ${procedure.page}`);
        console.log(`  input  ${JSON.stringify(procedure.example)}`);
      }
    });
}
