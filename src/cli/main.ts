import { Command, CommanderError } from 'commander';
import { addAuditCommand } from './commands/audit.ts';
import { addBackupsCommand } from './commands/backups.ts';
import { addControlCommands } from './commands/control.ts';
import { addDecisionCommands } from './commands/decide.ts';
import { addDemoCommand } from './commands/demo.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addKeysCommand } from './commands/keys.ts';
import { addListCommand } from './commands/list.ts';
import { addLockCommands } from './commands/lock.ts';
import { addSchedulesCommand } from './commands/schedules.ts';
import { addSetupCommand } from './commands/setup.ts';
import { addShowCommand } from './commands/show.ts';
import { addStackCommands } from './commands/stack.ts';
import { addStartCommand } from './commands/start.ts';
import { addWorkerCommand } from './commands/worker.ts';
import { exitCodes, UsageError } from './exit-codes.ts';

const program = new Command('runbook')
  .description('Durable runbooks for a service on Kubernetes')
  .showHelpAfterError('(add --help for what this command takes)')
  .exitOverride();

addStackCommands(program);
addDemoCommand(program);
addSetupCommand(program);
addDoctorCommand(program);
addWorkerCommand(program);
addListCommand(program);
addStartCommand(program);
addShowCommand(program);
addDecisionCommands(program);
addControlCommands(program);
addLockCommands(program);
addAuditCommand(program);
addBackupsCommand(program);
addSchedulesCommand(program);
addKeysCommand(program);
for (const command of program.commands) command.exitOverride();

endWithLauncher();
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}
// Native clients keep handles open after they are closed; whatever was to be done is done here.
process.exit();

/** A launcher that was killed cannot pass that on: without this, a worker would go on unseen under nobody's care. */
function endWithLauncher(): void {
  const launcher = process.ppid;
  if (process.env.RUNBOOK_LAUNCHER !== String(launcher)) return;
  const watch = setInterval(() => {
    if (process.ppid === launcher) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 500).unref();
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  const message = error instanceof Error ? error.message : String(error);
  console.error(`runbook: ${message}`);
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}
