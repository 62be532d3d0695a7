// `npm run bench [-- PART …]`: what this project promises in numbers, measured on a stack of its own and printed as
// tables. Ratios count, from one run beside the peer on the same machine; nothing here is a test.
import { cpus, totalmem } from 'node:os';
import { phasePrinter } from '../src/local/phases.ts';
import { startStack } from '../src/local/stack.ts';
import type { StackEndpoints } from '../src/local/stack-types.ts';
import { benchBackup } from './backup.ts';
import { benchRestore } from './restore.ts';
import { benchRollout } from './rollout.ts';

const parts: Record<string, (endpoints: StackEndpoints) => Promise<void>> = {
  rollout: benchRollout,
  backup: benchBackup,
  restore: benchRestore,
};

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(parts);
const unknown = wanted.filter((name) => !Object.hasOwn(parts, name));
if (unknown.length > 0) {
  console.error(`bench: no part ${unknown.join(', ')}; there are ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}
const stack = await startStack({ name: `bench-${process.pid}`, onPhase: phasePrinter(process.stderr) });
try {
  const { endpoints } = stack;
  console.log(
    `machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}, ${endpoints.node} node`,
  );
  for (const name of wanted) await parts[name]?.(endpoints);
} finally {
  await stack.stop();
}
// Native clients keep handles open after they are closed.
process.exit();
