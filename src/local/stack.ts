import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chooseNode, type NodeChoice } from './choose-node.ts';
import { cleanUp, cleanUpDeadStacks } from './cleanup.ts';
import { startCluster } from './cluster.ts';
import { identityOf } from './identity.ts';
import { startObjectStorage } from './object-storage.ts';
import { stackDirectory } from './paths.ts';
import { runPhase, type OnPhase } from './phases.ts';
import { freePorts } from './ports.ts';
import { obtainPrograms, program, type ProgramName, type Programs } from './programs.ts';
import { createRecord, runningSupervisor } from './record.ts';
import type { ServerHost } from './server.ts';
import type { Stack, StackEndpoints, StackOptions } from './stack-types.ts';
import { supervise, type Supervision } from './supervision.ts';
import { startTemporal, temporalNamespace } from './temporal.ts';
import { messageOf } from './wait.ts';

export const defaultStackName = 'default';
/** In a stack's folder: what its supervisor prints when it runs in the background. */
export const supervisorLog = 'supervisor.log';
const attempts = 3;

interface Plan {
  name: string;
  options: StackOptions;
  directory: string;
  onPhase: OnPhase;
  timings: StackEndpoints['phases'];
}

/**
 * Starts a local stack and returns when all of it is ready. This process is its supervisor: the
 * stack ends with it. Throws when a stack of that name already runs.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const name = options.name ?? defaultStackName;
  const directory = stackDirectory(name);
  const running = runningSupervisor(directory);
  if (running !== undefined) {
    throw new Error(`the stack "${name}" already runs (process ${running.pid}); stop it with: runbook down`);
  }
  const timings: Plan['timings'] = [];
  const onPhase: OnPhase = (event) => {
    if (event.state === 'done') timings.push({ phase: event.phase, seconds: event.seconds });
    options.onPhase?.(event);
  };
  await cleanUpDeadStacks();
  const choice = await chooseNode(options, onPhase);
  return startWithRetries({ name, options, directory, onPhase, timings }, choice);
}

/** Repeats the start when a port was taken in between, and without the real node when that one fails. */
async function startWithRetries(plan: Plan, choice: NodeChoice): Promise<Stack> {
  let current = choice;
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(plan, current);
    } catch (error) {
      const message = messageOf(error);
      plan.options.signal?.throwIfAborted();
      if (attempt === attempts) throw error;
      if (/address already in use/i.test(message)) continue;
      if (current.kind !== 'real' || current.forced) throw error;
      current = { kind: 'simulated', note: `simulated, because the real node did not start: ${message}` };
    }
  }
}

async function startOnce(plan: Plan, choice: NodeChoice): Promise<Stack> {
  const { directory, onPhase, options } = plan;
  const toolOptions = { onPhase, ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const programs = await obtainPrograms(programNames(choice, options.registry === true), toolOptions);
  prepareFolder(directory);
  const self = identityOf(process.pid);
  if (self === undefined) throw new Error('this system does not tell when a process started');
  const supervision = supervise(() => cleanUp(directory));
  const host = { directory, record: createRecord(directory, self), signal: supervision.signal };
  const abort = (): void => void supervision.stop();
  options.signal?.addEventListener('abort', abort);
  try {
    const endpoints = await startServers(plan, choice, { host, programs, supervision });
    writeFileSync(join(directory, 'stack.json'), `${JSON.stringify(endpoints, null, 2)}\n`, { mode: 0o600 });
    options.signal?.throwIfAborted();
    return { endpoints, failed: supervision.failed, stop: supervision.stop };
  } catch (error) {
    await supervision.stop();
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', abort);
  }
}

/** An earlier stack's files go; the supervisor's own log is being written already. */
function prepareFolder(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const entry of readdirSync(directory)) {
    if (entry !== supervisorLog) rmSync(join(directory, entry), { recursive: true, force: true });
  }
  mkdirSync(join(directory, 'logs'), { mode: 0o700 });
}

function programNames(choice: NodeChoice, withRegistry: boolean): ProgramName[] {
  const always: ProgramName[] = ['temporal', 'objectStorage', 'kubectl'];
  if (choice.kind === 'given') return always;
  const node: ProgramName[] = choice.kind === 'real' ? ['kubelet', 'proxy'] : ['kwok'];
  const registry: ProgramName[] = withRegistry ? ['registry'] : [];
  return ['etcd', 'apiServer', 'controllerManager', 'scheduler', ...node, ...always, ...registry];
}

interface Means {
  host: ServerHost;
  programs: Programs;
  supervision: Supervision;
}

async function startServers(plan: Plan, choice: NodeChoice, means: Means): Promise<StackEndpoints> {
  const { name, options, directory, onPhase, timings } = plan;
  const { host, programs, supervision } = means;
  const { onServer } = supervision;
  const [temporal = 0, ui = 0, http = 0, metrics = 0, storage = 0] = await freePorts(5);
  const temporalOptions = {
    host,
    program: program(programs, 'temporal'),
    ports: { temporal, ui, http, metrics },
    database: options.temporalDatabase === true,
  };
  const context = { host, programs, onPhase, withRegistry: options.registry === true, ...supervision };
  const [cluster, s3] = await Promise.all([
    startCluster(context, choice),
    runPhase(onPhase, 'object storage', () =>
      startObjectStorage(host, program(programs, 'objectStorage'), storage, onServer),
    ),
    runPhase(onPhase, 'Temporal', () => startTemporal(temporalOptions, onServer)),
  ]);
  return {
    name,
    directory,
    temporalAddress: `127.0.0.1:${temporal}`,
    temporalNamespace,
    temporalUi: `http://127.0.0.1:${ui}`,
    kubectl: program(programs, 'kubectl'),
    ...cluster,
    s3,
    phases: timings,
  };
}
