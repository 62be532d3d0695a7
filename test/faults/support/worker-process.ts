import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../../../src/local/command.ts';
import { startKubernetesProxy } from './kubernetes-proxy.ts';
import { stack } from '../../support/stack.ts';
import { scratch } from './scratch.ts';
import type { ApiAnswer, ApiRequest, ServerProxy } from './server-proxy.ts';
import { startStorageProxy } from './storage-proxy.ts';
import { startTemporalProxy, type ActivityTask, type TemporalProxy, type Verdict } from './temporal-proxy.ts';

/** Where a worker is pointed at, through proxies of its own. */
export interface WorkerPlace {
  temporalAddress: string;
  kubeconfig: string;
  environment: Record<string, string>;
  /** What an activity is called in every run that takes the same path. */
  nameOf: (task: ActivityTask) => string;
}

/** A request and the activity that made it. */
export interface TracedRequest extends ApiRequest {
  task: ActivityTask | undefined;
}

/** What runs beside other activities and never asks the API server: what is asked meanwhile is of the others. */
const silent = ['appendAudit', 'notify', 'checkDecision', 'resolveTarget', 'storeReport'];

/** Who writes into these folders of the bucket while other activities do something else. */
const beside = ['/audit/', '/reports/'];

/** Told of everything that passes between one worker and its servers; any of it may be lost on its way. */
export interface WorkerTap {
  taskArriving?: (task: ActivityTask) => Promise<void> | void;
  taskArrived?: (task: ActivityTask) => Promise<void> | void;
  taskReporting?: (task: ActivityTask) => Promise<Verdict> | Verdict;
  requestArriving?: (request: TracedRequest) => Promise<Verdict> | Verdict;
  requestAnswered?: (request: TracedRequest, answer: ApiAnswer) => Promise<Verdict> | Verdict;
  storeArriving?: (request: TracedRequest) => Promise<Verdict> | Verdict;
  storeAnswered?: (request: TracedRequest, answer: ApiAnswer) => Promise<Verdict> | Verdict;
}

interface Wires {
  kubernetes: ServerProxy;
  storage: ServerProxy;
  temporal: TemporalProxy;
}

/** One worker process with a proxy on each of its wires. */
export class WorkerProcess {
  readonly kubernetes: ServerProxy;
  readonly storage: ServerProxy;
  readonly temporal: TemporalProxy;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #folder: string;

  private constructor({ kubernetes, storage, temporal }: Wires, child: ChildProcess, folder: string) {
    this.kubernetes = kubernetes;
    this.storage = storage;
    this.temporal = temporal;
    this.#child = child;
    this.#folder = folder;
    this.#exited = once(child, 'exit');
  }

  /** Starts proxies and worker; returns when the worker is ready to poll. */
  static async start(
    place: WorkerPlace,
    tapFor: (worker: () => WorkerProcess) => WorkerTap,
  ): Promise<WorkerProcess> {
    const folder = scratch('worker');
    const tap = tapFor(() => started);
    const open: ActivityTask[] = [];
    const traced = (request: ApiRequest): TracedRequest => ({
      ...request,
      task: open.findLast(({ type }) => !silent.includes(type)),
    });
    const temporal = await startTemporalProxy(place.temporalAddress, {
      arriving: async (task) => {
        task.id = place.nameOf(task);
        open.push(task);
        await tap.taskArriving?.(task);
      },
      arrived: async (task) => {
        await tap.taskArrived?.(task);
      },
      reporting: async (task) => {
        open.splice(open.indexOf(task), 1);
        return (await tap.taskReporting?.(task)) ?? 'forward';
      },
    });
    const kubeconfig = join(folder, 'kubeconfig');
    const kubernetes = await startKubernetesProxy(place.kubeconfig, kubeconfig, {
      arriving: async (request) => (await tap.requestArriving?.(traced(request))) ?? 'forward',
      answered: async (request, answer) =>
        (await tap.requestAnswered?.(traced(request), answer)) ?? 'forward',
    });
    const stored = (request: ApiRequest): TracedRequest =>
      beside.some((folder) => request.path.includes(folder))
        ? { ...request, task: undefined }
        : traced(request);
    const storage = await startStorageProxy(stack().s3.endpoint, {
      arriving: async (request) => (await tap.storeArriving?.(stored(request))) ?? 'forward',
      answered: async (request, answer) => (await tap.storeAnswered?.(stored(request), answer)) ?? 'forward',
    });
    const child = spawnWorker({
      ...place.environment,
      TEMPORAL_ADDRESS: temporal.address,
      RUNBOOK_KUBECONFIG: kubeconfig,
      RUNBOOK_STORAGE_ENDPOINT: storage.address,
    });
    const started = new WorkerProcess({ kubernetes, storage, temporal }, child, folder);
    await started.#ready();
    return started;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Stops the process where it is. Cut it from Temporal, too, or it is given tasks while it hangs. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  thaw(): void {
    this.temporal.mend();
    this.#child.kill('SIGCONT');
  }

  async close(): Promise<void> {
    await this.kill();
    await Promise.all([this.kubernetes.close(), this.storage.close(), this.temporal.close()]);
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #ready(): Promise<void> {
    const ended = this.#exited.then(() => 'ended');
    const first = await Promise.race([once(this.#child, 'message'), ended]);
    if (first !== 'ended') return;
    await this.close();
    throw new Error('the worker ended before it was ready; its own words stand above');
  }
}

function spawnWorker(environment: Record<string, string>): ChildProcess {
  // The kernel ends a worker, a frozen one too, when the process that drives it dies.
  const guard = findProgram('setpriv');
  const guarded = guard === undefined ? [] : [guard, '--pdeathsig', 'KILL', '--'];
  const [command, ...line] = [...guarded, process.execPath, join(import.meta.dirname, 'worker-main.ts')];
  return spawn(command, line, {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: {
      ...process.env,
      ...environment,
      NODE_COMPILE_CACHE: join(stack().directory, 'faults', 'compiled'),
    },
  });
}
