import { lockAnnotations, type Freeze } from '../../src/contracts/lock.ts';
import { changeAnnotation, lockNamespace } from '../../src/contracts/names.ts';
import { rollingUpdateSteps as steps } from '../../src/contracts/rolling-update.ts';
import type { RunDescription } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { leaseName, updatedLease } from '../../src/domain/lock.ts';
import { kubectlIn, openGateway, unique } from './stack.ts';
import { decisionFor, demoProfile, type TestRun, type World } from './world.ts';

/** Parts of a sleeper that a test wants otherwise. */
export interface SleeperOptions {
  /** Fields of its profile. */
  profile?: Record<string, unknown>;
  /** One replica that no node takes: its rollouts hang until {@link Sleeper.release}. */
  stuck?: boolean;
}

/** A target of its own without pods: its rollouts are complete at once, its health is unknown, its lock nobody else's. */
export class Sleeper {
  readonly name = unique('sleeper');
  readonly #world: World;

  private constructor(world: World) {
    this.#world = world;
  }

  static async create(world: World, { profile = {}, stuck = false }: SleeperOptions = {}): Promise<Sleeper> {
    const sleeper = new Sleeper(world);
    const { name } = sleeper;
    world.writeProfile(name, {
      ...demoProfile(world.namespace),
      target: name,
      workload: name,
      workloads: { [name]: { kind: 'Deployment', container: 'sleeper' } },
      rollout: { startupAllowanceSeconds: 2, unschedulableAfterSeconds: stuck ? 3600 : 2 },
      ...profile,
    });
    await world.kubectl('create', 'deployment', name, '--image=sleeper:1', '--replicas=0');
    if (stuck) {
      const spec = { replicas: 1, template: { spec: { nodeSelector: { 'runbook-test/node': 'none' } } } };
      await world.kubectl('patch', 'deployment', name, '--patch', JSON.stringify({ spec }));
    } else {
      await world.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=30s');
    }
    return sleeper;
  }

  async start(input: Record<string, unknown> = {}): Promise<TestRun> {
    return await this.#world.start({ target: this.name, image: 'sleeper:2', ...input });
  }

  /** Lets a rollout that hangs come to its end. */
  async release(): Promise<void> {
    await this.#world.kubectl('scale', 'deployment', this.name, '--replicas=0');
  }

  async image(): Promise<string> {
    return await this.#get('jsonpath={.spec.template.spec.containers[0].image}');
  }

  /** Which run and step wrote last; empty: none. */
  async marker(): Promise<string> {
    return await this.#get(
      `jsonpath={.metadata.annotations.${changeAnnotation.replaceAll('.', String.raw`\.`)}}`,
    );
  }

  async setEnvironment(assignment: string): Promise<void> {
    await this.#world.kubectl('set', 'env', `deployment/${this.name}`, assignment);
  }

  /** The annotations of its Lease; empty when nobody made it yet. */
  async lock(): Promise<{ holder?: string; freeze?: string; leftover?: string }> {
    const text = await kubectlIn(lockNamespace)(
      'get',
      'lease',
      this.#lease,
      '--ignore-not-found',
      '-o',
      'jsonpath={.metadata.annotations}',
    );
    const annotations = (text === '' ? {} : JSON.parse(text)) as Record<string, string>;
    const found = Object.entries(lockAnnotations).flatMap(([key, name]) =>
      annotations[name] === undefined ? [] : [[key, annotations[name]]],
    );
    return Object.fromEntries(found) as { holder?: string; freeze?: string; leftover?: string };
  }

  async freeze(): Promise<void> {
    const freeze: Freeze = { by: 'Test Person', at: new Date().toISOString(), reason: 'a test' };
    if (await this.#leaseExists()) {
      await this.#annotate(`${lockAnnotations.freeze}=${JSON.stringify(freeze)}`);
      return;
    }
    const gateway = openGateway();
    try {
      const options = { fieldManager: 'test', signal: AbortSignal.timeout(10_000) };
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lockNamespace } };
      await gateway.create(namespace, options).catch(() => undefined);
      await gateway.create(
        updatedLease(undefined, this.#lease, { freeze }, new Date().toISOString()),
        options,
      );
    } finally {
      await gateway.close();
    }
  }

  async unfreeze(): Promise<void> {
    if (await this.#leaseExists()) await this.#annotate(`${lockAnnotations.freeze}-`);
  }

  get #lease(): string {
    return leaseName({ target: this.name, namespace: this.#world.namespace });
  }

  async #leaseExists(): Promise<boolean> {
    return (
      (await kubectlIn(lockNamespace)('get', 'lease', this.#lease, '--ignore-not-found', '-o', 'name')) !== ''
    );
  }

  async #annotate(change: string): Promise<void> {
    await kubectlIn(lockNamespace)('annotate', 'lease', this.#lease, '--overwrite', change);
  }

  async #get(output: string): Promise<string> {
    return await this.#world.kubectl('get', 'deployment', this.name, '-o', output);
  }
}

/** Waits until the run describes itself so. */
export async function until(
  run: TestRun,
  what: string,
  holds: (description: RunDescription) => boolean,
  timeoutMilliseconds = 30_000,
): Promise<RunDescription> {
  return await waitFor(
    async () => {
      const description = await run.describe();
      return holds(description) ? description : undefined;
    },
    { what: `run ${run.handle.workflowId} to be ${what}`, timeoutMilliseconds },
  );
}

/** Whether the run is at that step or past it. */
export function reached({ steps: done }: RunDescription, name: string): boolean {
  return done.some((step) => step.name === name);
}

/** Leads a run to the moment after it took the lock and before its next step, and pauses it there. */
export async function pauseUnderLock(sleeper: Sleeper, run: TestRun): Promise<void> {
  const gate = await run.gate();
  await sleeper.freeze();
  await run.decide(decisionFor(gate));
  await until(run, 'waiting for the end of the freeze', ({ lock }) => lock?.startsWith('frozen') === true);
  await run.handle.signal('pause');
  await until(run, 'paused', ({ paused }) => paused !== undefined);
  await sleeper.unfreeze();
}

/** Leads a run of a stuck sleeper to the middle of its rollout. */
export async function duringRollout(run: TestRun): Promise<void> {
  await run.approve();
  await until(run, 'watching its rollout', (seen) => reached(seen, steps.watch));
}
