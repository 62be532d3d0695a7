import { Command, CommanderError } from 'commander';
import { messageOf } from '../local/wait.ts';
import { exitCodes, UsageError } from './exit-codes.ts';

type AddCommands = (program: Command) => void;

/** Which file has which commands. Each loads only what it needs: Kubernetes' client alone takes half a second. */
const files: { names: string[]; load: () => Promise<AddCommands> }[] = [
  { names: ['up', 'down'], load: async () => (await import('./commands/stack.ts')).addStackCommands },
  { names: ['demo'], load: async () => (await import('./commands/demo.ts')).addDemoCommand },
  { names: ['setup'], load: async () => (await import('./commands/setup.ts')).addSetupCommand },
  { names: ['doctor'], load: async () => (await import('./commands/doctor.ts')).addDoctorCommand },
  { names: ['worker'], load: async () => (await import('./commands/worker.ts')).addWorkerCommand },
  { names: ['list'], load: async () => (await import('./commands/list.ts')).addListCommand },
  { names: ['start'], load: async () => (await import('./commands/start.ts')).addStartCommand },
  { names: ['show'], load: async () => (await import('./commands/show.ts')).addShowCommand },
  {
    names: ['approve', 'reject'],
    load: async () => (await import('./commands/decide.ts')).addDecisionCommands,
  },
  {
    names: ['pause', 'resume', 'abort'],
    load: async () => (await import('./commands/control.ts')).addControlCommands,
  },
  {
    names: ['unlock', 'freeze', 'unfreeze'],
    load: async () => (await import('./commands/lock.ts')).addLockCommands,
  },
  { names: ['audit'], load: async () => (await import('./commands/audit.ts')).addAuditCommand },
  { names: ['backups'], load: async () => (await import('./commands/backups.ts')).addBackupsCommand },
  { names: ['schedules'], load: async () => (await import('./commands/schedules.ts')).addSchedulesCommand },
  { names: ['keys'], load: async () => (await import('./commands/keys.ts')).addKeysCommand },
];

const program = new Command('runbook')
  .description('Durable runbooks for a service on Kubernetes')
  .showHelpAfterError('(add --help for what this command takes)')
  .exitOverride();

for (const add of await wantedCommands(process.argv[2])) add(program);
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

/** The commands of the file that has this one; all of them when none has: for help, and to say what is known. */
async function wantedCommands(name: string | undefined): Promise<AddCommands[]> {
  const wanted = files.filter(({ names }) => names.includes(name ?? ''));
  return await Promise.all((wanted.length > 0 ? wanted : files).map(({ load }) => load()));
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  console.error(`runbook: ${messageOf(error)}`);
  return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
}
