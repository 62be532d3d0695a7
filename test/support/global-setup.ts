import { join } from 'node:path';
import { useOnly } from '../../src/cli/environment.ts';
import { demoArchive } from '../../src/local/demo-image.ts';
import { loadImages } from '../../src/local/demo-target.ts';
import { phasePrinter } from '../../src/local/phases.ts';
import { startStack } from '../../src/local/stack.ts';
import { runningStack } from '../../src/local/status.ts';
import type { Stack, StackEndpoints } from '../../src/local/stack-types.ts';
import { writeBundle } from './bundle.ts';

declare global {
  var testStack: Stack | undefined;
}

/** One stack and one workflow bundle for the whole run; tests keep apart by namespaces and task queues. */
export default async function setUp(): Promise<void> {
  const onPhase = phasePrinter(process.stderr);
  const { RUNBOOK_TEST_REUSE } = process.env;
  const endpoints = RUNBOOK_TEST_REUSE === undefined ? await ownStack() : reused(RUNBOOK_TEST_REUSE);
  if (endpoints.imageImport !== undefined) await loadImages(endpoints, await demoArchive(onPhase), onPhase);
  const { RUNBOOK_RECORD, RUNBOOK_SCREENSHOTS } = process.env;
  useOnly(endpoints);
  Object.assign(process.env, {
    ...(RUNBOOK_RECORD === undefined ? {} : { RUNBOOK_RECORD }),
    ...(RUNBOOK_SCREENSHOTS === undefined ? {} : { RUNBOOK_SCREENSHOTS }),
    RUNBOOK_TEST_STACK: join(endpoints.directory, 'stack.json'),
    RUNBOOK_TEST_KUBECONFIG: endpoints.kubeconfig,
    RUNBOOK_TEST_NODE: endpoints.node,
    RUNBOOK_TEST_BUNDLE: await writeBundle(join(endpoints.directory, `bundle-${process.pid}`)),
  });
}

async function ownStack(): Promise<StackEndpoints> {
  const onPhase = phasePrinter(process.stderr);
  const stack = await startStack({ name: `test-${process.pid}`, registry: true, onPhase });
  globalThis.testStack = stack;
  // A run that dies still stops its servers: the supervisor in this process ends with it.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      void stack.stop().finally(() => process.exit(1));
    });
  }
  return stack.endpoints;
}

/** For whoever runs a few tests again and again: a stack of `runbook up --detach --registry --name NAME`, which stays. */
function reused(name: string): StackEndpoints {
  const endpoints = runningStack(name);
  if (endpoints === undefined)
    throw new Error(
      `RUNBOOK_TEST_REUSE: no stack "${name}" runs; start it: runbook up --detach --registry --name ${name}`,
    );
  return endpoints;
}
