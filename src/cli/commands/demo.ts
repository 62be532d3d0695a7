import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Client } from '@temporalio/client';
import type { Command } from 'commander';
import { taskQueue } from '../../contracts/names.ts';
import { controls, type Decision, type Gate, type Outcome } from '../../contracts/run.ts';
import { exampleFor } from '../../domain/decisions.ts';
import { describeStack } from '../../local/describe.ts';
import { deployDemo } from '../../local/demo-target.ts';
import { projectDirectory } from '../../local/paths.ts';
import { phasePrinter } from '../../local/phases.ts';
import { startStack } from '../../local/stack.ts';
import type { NodeKind, StackEndpoints } from '../../local/stack-types.ts';
import { waitFor } from '../../local/wait.ts';
import { connectClient } from '../../clients/temporal/connection.ts';
import { useOnly } from '../environment.ts';
import { exitCodes } from '../exit-codes.ts';
import { describe, followRun, readReport } from '../follow-run.ts';
import { nodeOption } from './stack.ts';

const repository = 'ghcr.io/acedergren/alecs-mcp-server-akamai';

/** The two runs of the demo, and how each must end. */
const scenes: { id: string; image: string; title: string; expected: Outcome }[] = [
  {
    id: 'demo-good-release',
    image: `${repository}:1.7.5`,
    title: 'Rolling update 1.7.4 → 1.7.5',
    expected: 'succeeded',
  },
  {
    id: 'demo-bad-release',
    image: `${repository}:1.7.6`,
    title: 'A bad release, 1.7.6: its health endpoint fails',
    expected: 'undone',
  },
];

interface DemoOptions {
  yes?: boolean;
  node?: NodeKind;
}

/** `runbook demo`: a stack, a service, a good release and a bad one; nothing is left when it ends. */
export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'see it work: a rolling update and a bad release that is undone, on a local stack of its own',
    )
    .option('--yes', 'approve by itself and end')
    .addOption(nodeOption())
    .action(async (options: DemoOptions) => {
      const started = Date.now();
      const asExpected = await demo(options);
      if (asExpected !== undefined)
        console.log(`demo: ${asExpected} runs as expected in ${Math.round((Date.now() - started) / 1000)} s`);
      process.exitCode = asExpected === scenes.length ? exitCodes.done : exitCodes.failed;
    });
}

/** How many runs ended as expected; undefined when a person stopped the demo before its end. */
async function demo(options: DemoOptions): Promise<number | undefined> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      stop.abort(new Error(`stopped by ${signal}`));
    });
  }
  const onPhase = phasePrinter(process.stderr);
  const stack = await startStack({
    name: `demo-${process.pid}`,
    onPhase,
    signal: stop.signal,
    ...(options.node === undefined ? {} : { node: options.node }),
  });
  const { endpoints } = stack;
  let worker: ChildProcess | undefined;
  try {
    stop.signal.throwIfAborted();
    useOnly(endpoints);
    console.log(describeStack(endpoints));
    const stopped = Promise.race([whenAborted(stop.signal), stack.failed.then(fail)]);
    await Promise.race([deployDemo(endpoints, { namespace: 'alecs', onPhase }), stopped]);
    worker = startWorker(endpoints);
    const interrupted = Promise.race([
      stopped,
      once(worker, 'exit').then(() => fail(`the worker ended; ${workerLog(endpoints)} says why`)),
    ]);
    const asExpected = await Promise.race([playScenes(endpoints, options), interrupted]);
    if (options.yes !== true) await lookAround(endpoints, interrupted);
    return asExpected;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    console.error((stop.signal.reason as Error).message);
    return undefined;
  } finally {
    await endWorker(worker);
    await stack.stop();
  }
}

async function playScenes(endpoints: StackEndpoints, options: DemoOptions): Promise<number> {
  const client = await connectClient();
  explain(endpoints);
  let asExpected = 0;
  for (const scene of scenes) {
    console.log(`\n${scene.title}`);
    await client.workflow.start('rollingUpdate', {
      taskQueue,
      workflowId: scene.id,
      args: [{ image: scene.image, reason: scene.title, requestedBy: 'demo' }],
      staticSummary: scene.title,
    });
    console.log(`  ${endpoints.temporalUi}/namespaces/${endpoints.temporalNamespace}/workflows/${scene.id}`);
    const following = followRun(client, scene.id, false);
    if (options.yes === true) await answerGates(client, scene.id, endpoints, following);
    await following;
    const outcome = (await readReport(client, scene.id))?.outcome;
    if (outcome === scene.expected) asExpected += 1;
    else console.error(`expected ${scene.expected}, the run ended ${outcome ?? 'without a report'}`);
  }
  return asExpected;
}

function explain(endpoints: StackEndpoints): void {
  console.log(`
Open the Temporal UI: ${endpoints.temporalUi}
  Each run waits at a gate. To approve it there: open the run, More Actions → Send an Update, choose "${controls.decide}",
  paste the JSON that is printed below (and stands in the run's details, tab User Metadata) with your name in it.
  Or send the signal "${controls.approve}", or approve here: npx runbook approve <workflow id> --plan <hash>
  with TEMPORAL_ADDRESS=${endpoints.temporalAddress} in the environment.
  The demo's probes run every second and it bakes for 5 s; production's profile says 60 s.${
    endpoints.node === 'simulated'
      ? `
  The node is *simulated*: pods become ready, or not, by the tag of their image, and no process runs in them.
  So nothing can prove the health of a good release: the run stops at a second gate and asks.`
      : ''
  }`);
}

/** Approves as a person would: reads each gate, then answers it through the same update. */
async function answerGates(
  client: Client,
  workflowId: string,
  endpoints: StackEndpoints,
  following: Promise<unknown>,
): Promise<void> {
  const over = following.then(
    () => undefined,
    () => undefined,
  );
  await approve(client, workflowId, await nextGate(client, workflowId), 'started with --yes');
  if (endpoints.node !== 'simulated') return;
  // Unknown never passes by itself: on a simulated node it is the demo that says so and goes on.
  const second = await Promise.race([over, nextGate(client, workflowId, 'gate-1')]);
  if (second === undefined) return;
  console.log(
    '  simulated: no process can answer for the health of these pods; accepting that by itself (--yes)',
  );
  await approve(client, workflowId, second, 'simulated node: health cannot be proven');
}

async function nextGate(client: Client, workflowId: string, after?: string): Promise<Gate> {
  return await waitFor(
    async () => {
      const gate = (await describe(client, workflowId))?.waitingFor;
      return gate?.id === after ? undefined : gate;
    },
    { what: `gate of ${workflowId}`, timeoutMilliseconds: 120_000, everyMilliseconds: 200 },
  );
}

async function approve(client: Client, workflowId: string, gate: Gate, reason: string): Promise<void> {
  const decision: Decision = {
    decision: 'approve',
    gate: gate.id,
    planHash: gate.planHash,
    approver: 'demo',
    reason,
  };
  console.log(`  approving by itself (--yes); in the Temporal UI it would be one of
    update ${controls.decide}: ${exampleFor(gate)}
    signal ${controls.approve}: ${exampleFor(gate, 'approve')}`);
  await client.workflow.getHandle(workflowId).executeUpdate(controls.decide, { args: [decision] });
}

/** The worker is a process of its own, as in production: it shares nothing with the demo but the servers. */
function startWorker(endpoints: StackEndpoints): ChildProcess {
  const main = fileURLToPath(
    new URL(`../main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
  );
  const log = openSync(workerLog(endpoints), 'a');
  try {
    return spawn(process.execPath, [main, 'worker'], {
      cwd: projectDirectory,
      env: { ...process.env, RUNBOOK_TARGETS: 'demo/targets', RUNBOOK_LAUNCHER: String(process.pid) },
      stdio: ['ignore', log, log],
    });
  } finally {
    closeSync(log);
  }
}

/** The worker's log stays out of the demo's own lines; it is kept for a day, as the servers' logs are. */
function workerLog({ directory }: StackEndpoints): string {
  return join(directory, 'logs', 'worker.log');
}

async function endWorker(worker: ChildProcess | undefined): Promise<void> {
  if (worker === undefined || worker.exitCode !== null) return;
  const ended = once(worker, 'exit');
  worker.kill('SIGTERM');
  await ended;
}

async function lookAround(endpoints: StackEndpoints, interrupted: Promise<never>): Promise<void> {
  console.log(
    `\nBoth runs have ended; the stack stays up for you to look around: ${endpoints.temporalUi}\nCtrl-C stops it and removes everything.`,
  );
  try {
    await interrupted;
  } catch {
    return;
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error);
    });
  });
}

function fail(reason: string): never {
  throw new Error(reason);
}
