import { Option, type Command } from 'commander';
import { describeStack, describeStatus } from '../../local/describe.ts';
import { deployDemo } from '../../local/demo-target.ts';
import { down } from '../../local/down.ts';
import { phasePrinter } from '../../local/phases.ts';
import type { NodeKind, StackEndpoints, StackOptions } from '../../local/stack-types.ts';
import { status } from '../../local/status.ts';
import { upDetached, upInForeground } from '../../local/up.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';

interface UpOptions {
  detach?: boolean;
  json?: boolean;
  node?: NodeKind;
  kubeconfig?: string;
  registry?: boolean;
  name?: string;
  demo?: boolean;
}

/** Forces one kind of node; used by `up` and `demo`. */
export function nodeOption(): Option {
  return new Option(
    '--node <kind>',
    'real: containerd and kubelet (Linux, root); simulated: kwok; without it the real one where it can run',
  ).choices(['real', 'simulated']);
}

/** `runbook up`, `runbook down`: the local stack. */
export function addStackCommands(program: Command): void {
  program
    .command('up')
    .description('start the local stack: Temporal with UI, Kubernetes, S3')
    .option('--detach', 'leave it running in the background')
    .option('--json', 'print every endpoint as JSON')
    .addOption(nodeOption())
    .option('--kubeconfig <file>', 'use this cluster instead of starting one')
    .option('--demo', 'deploy the demo service into it, namespace alecs')
    .option('--registry', 'start an OCI registry, too')
    .option('--name <name>', 'name of the stack; several may run at once')
    .action(async (options: UpOptions) => {
      process.exitCode = await up(options);
    });
  program
    .command('down')
    .description('stop the local stack and remove what it put on this machine')
    .option('--name <name>', 'name of the stack')
    .option('--json', 'as JSON')
    .action(async (options: { name?: string; json?: boolean }) => {
      const result = await down(options.name);
      if (options.json === true) console.log(JSON.stringify({ result, left: status() }));
      else console.log(describeDown(result));
    });
}

/** What became of the stack, and which others still run. */
function describeDown(result: Awaited<ReturnType<typeof down>>): string {
  const done = {
    absent: 'no such stack runs',
    cleaned: 'it ran no more; what it left is removed',
    stopped: 'stopped',
  }[result];
  const left = status();
  return left.length === 0 ? done : `${done}; still there:\n${describeStatus(left)}`;
}

async function deployDemoService(endpoints: StackEndpoints): Promise<void> {
  await deployDemo(endpoints, { namespace: 'alecs', onPhase: phasePrinter(process.stderr) });
}

async function up(options: UpOptions): Promise<number> {
  if (options.demo === true && options.kubeconfig !== undefined) {
    throw new UsageError('--demo needs the stack of this command: a cluster of your own has not the images');
  }
  const stackOptions: StackOptions = {
    onPhase: phasePrinter(process.stderr),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.node === undefined ? {} : { node: options.node }),
    ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
    ...(options.registry === true ? { registry: true } : {}),
  };
  const print = (endpoints: Parameters<typeof describeStack>[0]): void => {
    console.log(options.json === true ? JSON.stringify(endpoints, null, 2) : describeStack(endpoints));
  };
  if (options.detach === true) {
    const endpoints = await upDetached(stackOptions);
    if (options.demo === true) await deployDemoService(endpoints);
    print(endpoints);
    return exitCodes.done;
  }
  const reason = await upInForeground(stackOptions, (endpoints) => {
    print(endpoints);
    if (options.demo === true)
      deployDemoService(endpoints).catch((error: unknown) => {
        console.error(
          `the demo service is not there: ${error instanceof Error ? error.message : 'unknown error'}`,
        );
      });
  });
  if (reason === undefined) return exitCodes.done;
  console.error(reason);
  return exitCodes.failed;
}
