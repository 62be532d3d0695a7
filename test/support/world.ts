import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  ApplicationFailure,
  WorkflowFailedError,
  type Client,
  type WorkflowHandle,
} from '@temporalio/client';
import { DefaultLogger, Runtime } from '@temporalio/worker';
import { stringify } from 'yaml';
import { connectClient } from '../../src/clients/temporal/connection.ts';
import { readConfig } from '../../src/config.ts';
import {
  controls,
  type Decision,
  type Gate,
  type RunDescription,
  type RunReport,
} from '../../src/contracts/run.ts';
import { runCommand } from '../../src/local/command.ts';
import { deployDemo } from '../../src/local/demo-target.ts';
import { waitFor } from '../../src/local/wait.ts';
import { createWorker } from '../../src/worker.ts';
import { kubectlIn, stack, unique } from './stack.ts';

/** The image of the demo service with that tag. */
export function image(tag: string): string {
  return `ghcr.io/acedergren/alecs-mcp-server-akamai:${tag}`;
}

/** A profile of the demo service in one namespace, with times that suit tests. */
export function demoProfile(namespace: string): Record<string, unknown> {
  return {
    target: 'alecs',
    namespace,
    workload: 'alecs-server',
    workloads: { 'alecs-server': { kind: 'Deployment', container: 'alecs' } },
    health: { via: 'port-forward', path: '/health', port: 8080, expectBody: { status: 'healthy' } },
    rollout: { startupAllowanceSeconds: 2, unschedulableAfterSeconds: 2 },
    proof: { bakeSeconds: 1, intervalSeconds: 1 },
    gate: { deadlineSeconds: 600 },
  };
}

export interface WorldOptions {
  /** Deploys the demo service there; without it the world has no pods. */
  deploy?: boolean;
  /** Makes the namespace without deploying anything into it. */
  namespace?: boolean;
  /** Profiles by name; without it one demo profile. */
  profiles?: (namespace: string) => Record<string, Record<string, unknown>>;
  /** Other workflow code than the product's. */
  bundle?: { code: string };
  /** Environment of the worker beside the stack's. */
  env?: Record<string, string>;
}

/** Of a Deployment or a pod: how many pods there are, and still end. */
interface Still {
  kind: string;
  status: { availableReplicas?: number; terminatingReplicas?: number };
}

const histories = join(import.meta.dirname, '..', 'replay', 'histories');

/** Worlds that are open in this process: the native runtime ends with the last one, else the process would not. */
let openWorlds = 0;

/** A namespace, a folder of profiles and a worker on a queue of its own: everything a test of runs needs. */
export class World {
  readonly namespace: string;
  readonly targetsFolder = mkdtempSync(join(tmpdir(), 'runbook-targets-'));
  readonly queue: string;
  readonly client: Client;
  readonly kubectl: ReturnType<typeof kubectlIn>;
  readonly #options: WorldOptions;
  #stopWorker: (() => Promise<void>) | undefined;

  private constructor(client: Client, options: WorldOptions) {
    this.namespace = unique('alecs');
    this.queue = unique('queue');
    this.client = client;
    this.kubectl = kubectlIn(this.namespace);
    this.#options = options;
  }

  static async create(options: WorldOptions = {}): Promise<World> {
    if (openWorlds === 0) Runtime.install({ logger: new DefaultLogger('ERROR') });
    openWorlds += 1;
    const world = new World(await connectClient(), options);
    const profiles = options.profiles?.(world.namespace) ?? { alecs: demoProfile(world.namespace) };
    for (const [name, profile] of Object.entries(profiles)) world.writeProfile(name, profile);
    if (options.namespace === true) await world.kubectl('create', 'namespace', world.namespace);
    if (options.deploy === true)
      await deployDemo(stack(), { namespace: world.namespace, onPhase: () => undefined });
    await world.startWorker();
    return world;
  }

  /**
   * Waits until nobody writes the demo service any more: pods that still end change its status, and each change between
   * a run's last look and its write makes the run plan once more.
   */
  async untilStill(): Promise<void> {
    await waitFor(
      async () => {
        const shown = await this.kubectl('get', 'deployment,pods', '--output', 'json');
        const { items } = JSON.parse(shown) as { items: Still[] };
        const replicas = items.find(({ kind }) => kind === 'Deployment')?.status.availableReplicas;
        const ending = items.some(({ status }) => (status.terminatingReplicas ?? 0) > 0);
        const pods = items.filter(({ kind }) => kind === 'Pod').length;
        return pods === replicas && !ending ? true : undefined;
      },
      { what: 'the demo service to stand still', timeoutMilliseconds: 60_000, everyMilliseconds: 200 },
    );
  }

  writeProfile(name: string, profile: Record<string, unknown>): void {
    writeFileSync(join(this.targetsFolder, `${name}.yaml`), stringify(profile));
  }

  removeProfile(name: string): void {
    rmSync(join(this.targetsFolder, `${name}.yaml`));
  }

  /** `env` beside what the world was made with. */
  async startWorker(env: Record<string, string> = {}): Promise<void> {
    const config = readConfig({
      ...process.env,
      RUNBOOK_TARGETS: this.targetsFolder,
      RUNBOOK_TASK_QUEUE: this.queue,
      // Every world has an audit log of its own.
      RUNBOOK_STORAGE_PREFIX: this.queue,
      ...this.#options.env,
      ...env,
    });
    const workflowBundle = this.#options.bundle ?? { codePath: process.env.RUNBOOK_TEST_BUNDLE ?? '' };
    // Notifications go to the worker's log; the tests would print them all.
    const { worker, close } = await createWorker(config, { workflowBundle, log: () => undefined });
    const running = worker.run();
    this.#stopWorker = async () => {
      worker.shutdown();
      await running;
      await close();
    };
  }

  async stopWorker(): Promise<void> {
    await this.#stopWorker?.();
    this.#stopWorker = undefined;
  }

  async close(): Promise<void> {
    await this.stopWorker();
    await this.client.connection.close();
    rmSync(this.targetsFolder, { recursive: true, force: true });
    if (this.#options.deploy === true || this.#options.namespace === true)
      await this.kubectl('delete', 'namespace', this.namespace, '--wait=false');
    openWorlds -= 1;
    if (openWorlds === 0) await Runtime.instance().shutdown();
  }

  /** Starts a run with any input at all, as the Temporal UI would. */
  async start(input: unknown, workflowId = unique('run'), workflowType = 'rollingUpdate'): Promise<TestRun> {
    const handle = await this.client.workflow.start(workflowType, {
      taskQueue: this.queue,
      workflowId,
      args: input === undefined ? [] : [input],
    });
    return new TestRun(handle);
  }

  /** A run that something else started. */
  attach(workflowId: string): TestRun {
    return new TestRun(this.client.workflow.getHandle(workflowId));
  }

  /** The image that the Deployment has now. */
  async liveImage(): Promise<string> {
    return await this.kubectl(
      'get',
      'deployment',
      'alecs-server',
      '-o',
      'jsonpath={.spec.template.spec.containers[0].image}',
    );
  }
}

/** One run, as a person deals with it. */
export class TestRun {
  readonly handle: WorkflowHandle;

  constructor(handle: WorkflowHandle) {
    this.handle = handle;
  }

  async describe(): Promise<RunDescription> {
    return await this.handle.query<RunDescription>(controls.describe);
  }

  /** Waits until the run stands at a gate; `after` skips gates that were answered already. */
  async gate(after?: Gate): Promise<Gate> {
    return await waitFor(
      async () => {
        const gate = (await this.describe()).waitingFor;
        return gate?.id === after?.id ? undefined : gate;
      },
      { what: `gate of ${this.handle.workflowId}`, timeoutMilliseconds: 60_000, everyMilliseconds: 50 },
    );
  }

  /** Sends the update `decide`; returns its answer. @throws WorkflowUpdateFailedError with the refusal */
  async decide(decision: unknown): Promise<string> {
    return await this.handle.executeUpdate<string, [unknown]>(controls.decide, { args: [decision] });
  }

  async approve(after?: Gate): Promise<Gate> {
    const gate = await this.gate(after);
    await this.decide(decisionFor(gate));
    return gate;
  }

  /** Approves the first gate and waits for the end. */
  async approveAndEnd(): ReturnType<TestRun['end']> {
    await this.approve();
    return await this.end();
  }

  /** The report of the run once it has ended, and the failure it ended with, if it failed. */
  async end(): Promise<{ report: RunReport; failure?: ApplicationFailure }> {
    try {
      return { report: (await this.handle.result()) as RunReport };
    } catch (error) {
      if (!(error instanceof WorkflowFailedError) || !(error.cause instanceof ApplicationFailure))
        throw error;
      return { report: error.cause.details?.[0] as RunReport, failure: error.cause };
    }
  }

  /** Keeps the history for the replay tests when RUNBOOK_RECORD is set; names of machines are taken out. */
  async saveHistory(path: string): Promise<void> {
    if (process.env.RUNBOOK_RECORD === undefined) return;
    const { temporalAddress, kubectl } = stack();
    const line = ['workflow', 'show', '--workflow-id', this.handle.workflowId, '--output', 'json'];
    const history = await runCommand(join(dirname(kubectl), 'temporal'), [
      ...line,
      '--address',
      temporalAddress,
    ]);
    const text = history.replaceAll(/"\d+@[^"]*"/g, '"worker"');
    const { type } = await this.handle.describe();
    const procedure = type.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    writeFileSync(join(histories, `${procedure}-${path}.json`), text);
  }

  /** Every event of the run's history. */
  async events(): Promise<number> {
    return (await this.handle.fetchHistory()).events?.length ?? 0;
  }

  /** Types of the activities that the run asked for, in their order. */
  async activities(): Promise<string[]> {
    const { events } = await this.handle.fetchHistory();
    return (events ?? []).flatMap(
      ({ activityTaskScheduledEventAttributes: asked }) => asked?.activityType?.name ?? [],
    );
  }

  /** How often a workflow task failed: more than never means that a run can loop. */
  async failedTasks(): Promise<number> {
    const { events = [] } = await this.handle.fetchHistory();
    return (events ?? []).filter((event) => event.workflowTaskFailedEventAttributes instanceof Object).length;
  }
}

/** A decision that the gate takes. */
export function decisionFor(gate: Gate, decision: Decision['decision'] = 'approve'): Decision {
  return { decision, gate: gate.id, planHash: gate.planHash, approver: 'Test Person', reason: 'a test' };
}
