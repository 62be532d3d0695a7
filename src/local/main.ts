/** The local stack by itself: node src/local/main.ts up|down|status; the product's command offers the same. */
import { parseArgs } from 'node:util';
import { describeStack, describeStatus } from './describe.ts';
import { down } from './down.ts';
import { phasePrinter } from './phases.ts';
import type { StackEndpoints, StackOptions } from './stack-types.ts';
import { status } from './status.ts';
import { upDetached, upInForeground } from './up.ts';
import { messageOf } from './wait.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    detach: { type: 'boolean', default: false },
    registry: { type: 'boolean', default: false },
    'temporal-database': { type: 'boolean', default: false },
    node: { type: 'string' },
    name: { type: 'string' },
    kubeconfig: { type: 'string' },
  },
});

function print(data: unknown, text: string): void {
  console.log(values.json ? JSON.stringify(data, null, 2) : text);
}

function stackOptions(): StackOptions {
  const { node, name, kubeconfig } = values;
  if (node !== undefined && node !== 'real' && node !== 'simulated')
    throw new Error('--node is real or simulated');
  return {
    registry: values.registry,
    temporalDatabase: values['temporal-database'],
    onPhase: phasePrinter(process.stderr),
    ...(node === undefined ? {} : { node }),
    ...(name === undefined ? {} : { name }),
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  };
}

async function up(): Promise<void> {
  const show = (endpoints: StackEndpoints): void => {
    print(endpoints, describeStack(endpoints));
  };
  if (values.detach) {
    show(await upDetached(stackOptions()));
    return;
  }
  const reason = await upInForeground(stackOptions(), show);
  if (reason !== undefined) throw new Error(reason);
}

async function run(command: string | undefined): Promise<void> {
  if (command === 'up') {
    await up();
  } else if (command === 'down') {
    const result = await down(values.name);
    print({ result }, result);
  } else if (command === 'status') {
    const stacks = status();
    print(stacks, describeStatus(stacks));
  } else {
    throw new Error('say what to do: up, down or status');
  }
}

try {
  await run(positionals[0]);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
