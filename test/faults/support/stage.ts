import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  Client,
  Connection,
  ServiceError,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import { stringify } from 'yaml';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject, ObjectRef } from '../../../src/contracts/kubernetes.ts';
import type { Holder } from '../../../src/contracts/lock.ts';
import { lockNamespace } from '../../../src/contracts/names.ts';
import type { RunReport } from '../../../src/contracts/run.ts';
import { verifyChain } from '../../../src/domain/audit.ts';
import { leaseName, updatedLease } from '../../../src/domain/lock.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { readAuditLog } from '../../support/audit-log.ts';
import { kubectlIn, openGateway, stack, unique } from '../../support/stack.ts';
import { decisionFor, TestRun } from '../../support/world.ts';
import type { Place, Scenario } from '../scenarios.ts';
import { within } from './within.ts';
import { clusterState } from './cluster-state.ts';
import { Journal, type ActivityRecord } from './journal.ts';
import { masked } from './masked.ts';
import type { OwnTemporal } from './own-temporal.ts';
import { scratch } from './scratch.ts';
import type { ActivityTask } from './temporal-proxy.ts';
import { WorkerProcess, type WorkerTap } from './worker-process.ts';

/** How a run ended and what it left: equal for two runs of which faults may not change the result. */
export interface Ending {
  outcome: string;
  state: string[];
  effects: string[];
  /** What the target's audit log tells, entry by entry. */
  audit: string[];
  /** What was left outside of cluster and log. */
  outside: string[];
}

/** An ending of an undisturbed run, with what its activities did on the way. */
export interface Reference extends Ending {
  activities: ActivityRecord[];
}

/** The heartbeat timeout of every stage: what a killed worker costs. */
export const heartbeatSeconds = 2;

/** Longer than every timeout that a killed worker costs, and than an API server that is away for a minute. */
const endTimeoutMilliseconds = 240_000;

/** One run of one scenario in a namespace and on a queue of its own, with workers that can be harmed. */
export class Stage {
  readonly scenario: Scenario;
  readonly place: Place;
  readonly journal: Journal;
  /** Where a fault may harm Temporal itself; other stages share the stack's. */
  readonly temporal: OwnTemporal | undefined;
  readonly #queue = unique('faults');
  readonly #workflowId = unique('run');
  readonly #folder = scratch('targets');
  readonly #gateway: KubernetesGateway = openGateway();
  readonly #client: Client;
  readonly #idsOf = new Map<string, string[]>();
  readonly #workers: WorkerProcess[] = [];
  readonly #ended = new AbortController();
  readonly #lease: ObjectRef;
  #firstRunId = '';
  #agreed: string[] | undefined;
  #approvedPlan = '';
  #answering = true;
  #steering: Promise<void> | undefined;

  private constructor(scenario: Scenario, client: Client, temporal: OwnTemporal | undefined) {
    const namespace = unique('faults');
    this.scenario = scenario;
    this.place = { namespace, kubectl: kubectlIn(namespace), targetsFolder: this.#folder };
    this.#lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      namespace: lockNamespace,
      name: leaseName({ target: namespace, namespace }),
    };
    this.#client = client;
    this.temporal = temporal;
    this.journal = new Journal((text) => this.#plain(text));
  }

  static async create(scenario: Scenario, temporal?: OwnTemporal): Promise<Stage> {
    const connection = await Connection.connect({ address: temporal?.address ?? stack().temporalAddress });
    const stage = new Stage(scenario, new Client({ connection }), temporal);
    try {
      await stage.#prepare();
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  get run(): TestRun {
    return new TestRun(this.#client.workflow.getHandle(this.#workflowId));
  }

  /** The state when a person last said yes: to the plan, to what was changed, or, where nobody is asked, to the start. */
  get agreed(): string[] {
    if (this.#agreed === undefined) throw new Error('no run has begun yet');
    return this.#agreed;
  }

  /** What the person saw who last said yes. */
  get approvedPlan(): string {
    return this.#approvedPlan;
  }

  /** Starts a worker; `tapFor` says what becomes of what passes on its wires. */
  async startWorker(tapFor: (worker: () => WorkerProcess) => WorkerTap = () => ({})): Promise<WorkerProcess> {
    return await this.#startWorker((self) => this.#recorded(tapFor(self)));
  }

  async #startWorker(tapFor: (worker: () => WorkerProcess) => WorkerTap): Promise<WorkerProcess> {
    const environment = { RUNBOOK_TARGETS: this.#folder, RUNBOOK_TASK_QUEUE: this.#queue };
    const temporalAddress = this.temporal?.address ?? stack().temporalAddress;
    const nameOf = (task: ActivityTask): string => this.#nameOf(task);
    const place = { temporalAddress, kubeconfig: stack().kubeconfig, environment, nameOf };
    const worker = await WorkerProcess.start(place, tapFor);
    this.#workers.push(worker);
    return worker;
  }

  /**
   * The how manieth of its type it is. Numbers in a run are no names: they shift with how often the audit log was written
   * meanwhile, and a fault that waits for a number meets another activity, or none.
   */
  #nameOf({ id, type }: ActivityTask): string {
    const ids = this.#idsOf.get(type) ?? [];
    if (!ids.includes(id)) ids.push(id);
    this.#idsOf.set(type, ids);
    return `${type} ${ids.indexOf(id) + 1}`;
  }

  /** Starts the run and answers its gates as the scenario says. */
  async startRun(): Promise<void> {
    const { procedure, input } = this.scenario;
    this.#agreed = await this.settledState();
    const started = await this.#start(procedure, this.#workflowId, input);
    this.#firstRunId = started.firstExecutionRunId;
    this.#steering = this.#answerGates();
  }

  /** Starts another run of the same procedure on the same target; nobody answers its gates. */
  async startOther(input: unknown): Promise<TestRun> {
    return new TestRun(await this.#start(this.scenario.procedure, unique('other'), input));
  }

  /** A worker that is gone keeps the run's workflow tasks for ten seconds: they go to any worker from now on. */
  async forgetWorker(): Promise<void> {
    await this.#client.workflowService
      .resetStickyTaskQueue({
        namespace: this.#client.options.namespace,
        execution: { workflowId: this.#workflowId },
      })
      .catch(() => undefined);
  }

  /** From now on gates stay unanswered. */
  stopAnswering(): void {
    this.#answering = false;
  }

  /** Waits for the end of the run. @throws when it does not come, with where the run stands. */
  async end(): Promise<Ending> {
    const report = await Promise.race([this.#report(), this.#deadline()]);
    this.#ended.abort();
    await this.#steering;
    if (report.evidence.state === 'pending' || report.audit?.state === 'pending') await this.#upload();
    return {
      outcome: report.outcome,
      state: await this.settledState(),
      effects: [...this.journal.effects],
      audit: await this.#auditLog(),
      outside: ((await this.scenario.outside?.(this.place)) ?? []).map((line) => this.#plain(line)),
    };
  }

  async state(): Promise<string[]> {
    const plain = (text: string): string => this.#plain(text);
    return await clusterState(this.#gateway, this.place.namespace, await this.#lock(), plain);
  }

  /** Lets some later run, which no worker knows, hold the target. */
  async giveLockToOther(): Promise<void> {
    const holder: Holder = {
      workflowId: 'later-run',
      firstRunId: 'later-run',
      procedure: this.scenario.procedure,
      since: new Date().toISOString(),
      temporalNamespace: 'default',
      temporalCluster: 'another',
    };
    const lease = updatedLease(await this.#lock(), this.#lease.name, { holder }, new Date().toISOString());
    const options = { fieldManager: 'test', signal: AbortSignal.timeout(10_000) };
    await this.#gateway.replace(lease, options);
  }

  /** The state once the controllers have followed: two equal readings in a row. */
  async settledState(): Promise<string[]> {
    let former = '';
    return await waitFor(
      async () => {
        const state = await this.state();
        const text = JSON.stringify(state);
        if (text === former) return state;
        former = text;
        return undefined;
      },
      {
        what: `the state of ${this.place.namespace} to settle`,
        timeoutMilliseconds: 30_000,
        everyMilliseconds: 300,
      },
    );
  }

  async close(): Promise<void> {
    this.#ended.abort();
    await Promise.all(this.#workers.map((worker) => worker.close()));
    await this.run.handle.terminate('the stage is closed').catch(() => undefined);
    await this.#steering;
    await this.#client.connection.close();
    await this.#gateway.close();
    rmSync(this.#folder, { recursive: true, force: true });
    await this.place.kubectl(
      'delete',
      'namespace',
      this.place.namespace,
      '--ignore-not-found',
      '--wait=false',
    );
  }

  async #prepare(): Promise<void> {
    const { namespace, kubectl } = this.place;
    // A target has one lock, whatever its namespace: so each stage has a target of its own.
    const profile = { ...this.scenario.profile(namespace), target: namespace, heartbeatSeconds };
    writeFileSync(join(this.#folder, `${namespace}.yaml`), stringify(profile));
    await kubectl('create', 'namespace', namespace);
    // Else the first run of a stack makes it, and has an effect that no other has.
    const locks = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lockNamespace } };
    const options = { fieldManager: 'test', signal: AbortSignal.timeout(10_000) };
    await this.#gateway.create(locks, options).catch(() => undefined);
    await this.scenario.prepare(this.place);
    await this.#runEarlier(this.scenario.earlier ?? []);
    await this.scenario.harm?.(this.place);
  }

  /** Runs what has to be there before, with a worker that nobody harms and whose activities do not count. */
  async #runEarlier(procedures: string[]): Promise<void> {
    if (procedures.length === 0) return;
    const worker = await this.#startWorker(() => ({}));
    for (const procedure of procedures) {
      const { report } = await new TestRun(await this.#start(procedure, unique('earlier'), {})).end();
      if (report.outcome !== 'succeeded')
        throw new Error(`${procedure} ended as ${report.outcome}: ${report.error ?? ''}`);
    }
    await worker.kill();
    this.#idsOf.clear();
    this.journal.beginsWith(await this.#lock());
  }

  async #start(
    procedure: string,
    workflowId: string,
    input: unknown,
  ): Promise<WorkflowHandleWithFirstExecutionRunId> {
    return await this.#client.workflow.start(procedure, {
      taskQueue: this.#queue,
      workflowId,
      args: [input],
    });
  }

  /** @throws when the chain of the log is broken, or something is told twice */
  async #auditLog(): Promise<string[]> {
    const target = this.place.namespace;
    const entries = await readAuditLog(target);
    const { findings } = verifyChain(target, entries);
    if (findings.length > 0)
      throw new Error(`audit log: ${findings.map(({ sentence }) => sentence).join('; ')}`);
    return entries.map(({ entry }) => this.#plain(`${entry?.kind ?? ''}: ${entry?.sentence ?? ''}`));
  }

  async #lock(): Promise<KubernetesObject | undefined> {
    try {
      return await this.#gateway.get(this.#lease);
    } catch (error) {
      if (error instanceof KubernetesError && error.status === 404) return undefined;
      throw error;
    }
  }

  #recorded(tap: WorkerTap): WorkerTap {
    return {
      ...tap,
      taskArriving: async (task) => {
        this.journal.began(task);
        await tap.taskArriving?.(task);
      },
      requestAnswered: async (request, answer) => {
        this.journal.answered(request, answer);
        return (await tap.requestAnswered?.(request, answer)) ?? 'forward';
      },
      storeAnswered: async (request, answer) => {
        this.journal.stored(request);
        return (await tap.storeAnswered?.(request, answer)) ?? 'forward';
      },
    };
  }

  async #answerGates(): Promise<void> {
    const { signal } = this.#ended;
    let answered = '';
    while (!signal.aborted) {
      try {
        const gate = (await this.run.describe()).waitingFor;
        if (gate !== undefined && gate.id !== answered && this.#answering) {
          const decision = this.scenario.decide(gate);
          if (decision === 'approve') await this.#agree();
          await this.run.decide(decisionFor(gate, decision));
          answered = gate.id;
        }
      } catch {
        // No worker answers at this moment, or the gate was answered by a call whose answer was lost.
      }
      await pause(200, undefined, { signal }).catch(() => undefined);
    }
  }

  async #agree(): Promise<void> {
    this.#agreed = await this.settledState();
    this.#approvedPlan = ((await this.run.describe()).plan?.summary ?? []).join('\n');
  }

  /** A run that ends while the bucket is away leaves its report and the end of its log to a run of their own. */
  async #upload(): Promise<void> {
    const { runId } = await this.run.handle.describe();
    const upload = this.#client.workflow.getHandle(`evidence/${this.#firstRunId}/${runId}`);
    await within(upload.result(), 120, 'the upload of the evidence');
  }

  async #report(): Promise<RunReport> {
    for (;;) {
      try {
        return (await this.run.end()).report;
      } catch (error) {
        // Temporal itself may be away for a moment.
        if (!(error instanceof ServiceError) || this.#ended.signal.aborted) throw error;
        await pause(500);
      }
    }
  }

  async #deadline(): Promise<never> {
    await pause(endTimeoutMilliseconds, undefined, { signal: this.#ended.signal });
    throw new Error(`the run did not end within ${endTimeoutMilliseconds / 1000} s`);
  }

  #plain(text: string): string {
    const { namespace } = this.place;
    return masked(text, { namespace, workflowId: this.#workflowId, firstRunId: this.#firstRunId });
  }
}
