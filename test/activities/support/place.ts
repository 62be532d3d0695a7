import { ApplicationFailure } from '@temporalio/activity';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createActivities, type Activities } from '../../../src/activities/index.ts';
import { createChannels } from '../../../src/activities/notifications/channels.ts';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { JsonPatchOperation, KubernetesObject, ObjectRef } from '../../../src/contracts/kubernetes.ts';
import type { WorkloadPlan, Written } from '../../../src/contracts/plan.ts';
import type { RollingUpdateRequest } from '../../../src/contracts/rolling-update.ts';
import type { RunRef } from '../../../src/contracts/run.ts';
import type { Runs } from '../../../src/clients/temporal/runs.ts';
import { leaseName, updatedLease } from '../../../src/domain/lock.ts';
import type { Deployment } from '../../../src/domain/deployment.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { openGateway, unique } from '../../support/stack.ts';
import { act } from './run-activity.ts';

/** A run as its activities know it. */
export function aRun(name = unique('run')): RunRef & { marker(step: string): string } {
  const run = { workflowId: name, firstRunId: `${name}-first`, procedure: 'rollingUpdate' };
  return { ...run, marker: (step) => `${run.workflowId}/${run.firstRunId}/${step}` };
}

/** The run that holds every target of a place. */
export const holder = { workflowId: 'test', firstRunId: 'test-first' };

/** A Temporal that knows no run: these tests have none. */
const noRuns: Runs = {
  identity: () => Promise.resolve({ temporalNamespace: 'test', temporalCluster: 'test' }),
  describe: () => Promise.resolve(undefined),
  abort: () => Promise.resolve(),
};

/** What a test may say about a Deployment; without pods unless it asks for some. */
export interface DeploymentWish {
  replicas?: number;
  metadata?: Record<string, unknown>;
  spec?: Record<string, unknown>;
  podSpec?: Record<string, unknown>;
  container?: Record<string, unknown>;
}

/** A namespace and a folder of profiles of its own, and the real activities on them. */
export class Place {
  readonly namespace: string;
  readonly targetsFolder = mkdtempSync(join(tmpdir(), 'runbook-targets-'));
  readonly gateway: KubernetesGateway;
  readonly activities: Activities;

  private constructor(gateway: KubernetesGateway, namespace: string) {
    this.gateway = gateway;
    this.namespace = namespace;
    this.activities = this.activitiesWith(gateway);
  }

  static async open(): Promise<Place> {
    const place = new Place(openGateway(), unique('activities'));
    const metadata = { name: place.namespace };
    await place.gateway.create({ apiVersion: 'v1', kind: 'Namespace', metadata }, { fieldManager: 'test' });
    // Pods are refused until the namespace has its service account.
    await waitFor(() => place.gateway.get(place.ref('default', 'v1', 'ServiceAccount')), {
      what: 'the service account of the namespace',
      timeoutMilliseconds: 30_000,
    });
    return place;
  }

  async close(): Promise<void> {
    const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name: this.namespace };
    const { metadata } = await this.gateway.get(ref);
    await this.gateway.delete(ref, { preconditions: { uid: metadata.uid! } });
    await this.gateway.close();
    rmSync(this.targetsFolder, { recursive: true, force: true });
  }

  /** The same activities over another way to the cluster. */
  activitiesWith(gateway: KubernetesGateway): Activities {
    return createActivities({
      targetsFolder: this.targetsFolder,
      defaultTarget: undefined,
      searchAttributes: false,
      gatewayFor: () => gateway,
      storage: undefined,
      runs: noRuns,
      channels: createChannels(undefined),
    });
  }

  ref(name: string, apiVersion = 'apps/v1', kind = 'Deployment'): ObjectRef {
    return { apiVersion, kind, namespace: this.namespace, name };
  }

  /** Writes the profile of the target `name`, whose workload has the same name, with `change` over it. */
  writeProfile(name: string, change: Record<string, unknown> = {}): void {
    const profile = {
      target: name,
      namespace: this.namespace,
      workload: name,
      workloads: { [name]: { kind: 'Deployment', container: 'main' } },
      health: { via: 'port-forward', path: '/health', port: 8080, expectBody: { status: 'healthy' } },
      rollout: { startupAllowanceSeconds: 1, unschedulableAfterSeconds: 1 },
      proof: { bakeSeconds: 1, intervalSeconds: 1 },
      ...change,
    };
    writeFileSync(join(this.targetsFolder, `${name}.yaml`), stringify(profile));
  }

  async create(object: KubernetesObject): Promise<KubernetesObject> {
    const metadata = { namespace: this.namespace, ...object.metadata };
    return await this.gateway.create({ ...object, metadata }, { fieldManager: 'test' });
  }

  /** Makes a Deployment with its profile. */
  async deploy(name: string, wish: DeploymentWish = {}): Promise<Deployment> {
    this.writeProfile(name);
    await this.hold(name);
    const { replicas = 0, metadata, spec, podSpec, container } = wish;
    const labels = { app: name };
    const main = { name: 'main', image: 'registry.example/web:1', ...container };
    const created = await this.create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { ...metadata, name },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        ...spec,
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 0,
            automountServiceAccountToken: false,
            containers: [main],
            ...podSpec,
          },
        },
      },
    });
    return created as Deployment;
  }

  /** Makes a Deployment and waits until its controller has nothing more to write. */
  async deploySettled(name: string, wish: DeploymentWish = {}): Promise<Deployment> {
    await this.deploy(name, wish);
    return await this.settled(name);
  }

  /** Lets the run {@link holder} hold a target, as a run does before it writes. */
  async hold(name: string): Promise<void> {
    const temporal = { temporalNamespace: 'test', temporalCluster: 'test' };
    const since = new Date().toISOString();
    const lease = leaseName({ target: name, namespace: this.namespace });
    const update = { holder: { ...holder, ...temporal, procedure: 'test', since } };
    await this.gateway.apply(updatedLease(undefined, lease, update, since), {
      fieldManager: 'test',
      force: true,
    });
  }

  async live(name: string): Promise<Deployment> {
    return (await this.gateway.get(this.ref(name))) as Deployment;
  }

  async liveImage(name: string): Promise<string | undefined> {
    return (await this.live(name)).spec.template.spec.containers.find(({ name: one }) => one === 'main')
      ?.image;
  }

  /** The Deployment once its controller has seen it and rests. */
  async settled(name: string): Promise<Deployment> {
    let former: string | undefined;
    return await waitFor(
      async () => {
        const live = await this.live(name);
        const version = live.metadata.resourceVersion;
        const rests = version === former && live.status?.observedGeneration === live.metadata.generation;
        former = version;
        return rests ? live : undefined;
      },
      { what: `Deployment ${name} to settle`, timeoutMilliseconds: 30_000, everyMilliseconds: 150 },
    );
  }

  /** Someone else's write. */
  async patch(name: string, operations: JsonPatchOperation[]): Promise<Deployment> {
    const options = { fieldManager: 'someone-else' };
    return (await this.gateway.jsonPatch(this.ref(name), operations, options)) as Deployment;
  }

  async remove(name: string): Promise<void> {
    const { metadata } = await this.live(name);
    await this.gateway.delete(this.ref(name), { preconditions: { uid: metadata.uid! } });
  }

  /** Plans a new image for the container `main`, again when the Deployment moved meanwhile, as a run would. */
  async plan(
    name: string,
    image = 'registry.example/web:2',
    activities = this.activities,
  ): Promise<WorkloadPlan> {
    return await this.planImages(name, { main: image }, activities);
  }

  async planImages(
    name: string,
    images: Record<string, string>,
    activities = this.activities,
  ): Promise<WorkloadPlan> {
    const request = { target: name, images };
    for (;;) {
      try {
        return await act((input: { request: RollingUpdateRequest }) => activities.planRollingUpdate(input), {
          request,
        });
      } catch (error) {
        if (typeOf(error) !== 'Unavailable') throw error;
      }
    }
  }

  async write(plan: WorkloadPlan, marker: string): Promise<Written> {
    return await act(this.activities.applyWrite, {
      target: plan.target,
      write: plan.write,
      marker,
      holder,
    });
  }

  /** Undoes what the run changed, as a run does; returns what drifted. */
  async undo(
    plan: WorkloadPlan,
    run: ReturnType<typeof aRun>,
  ): Promise<{ written: Written; drift: string[] }> {
    for (;;) {
      const { write, drift } = await act(this.activities.readForUndo, {
        target: plan.target,
        change: plan,
        owner: run,
      });
      try {
        const marker = run.marker('undo');
        const written = await act(this.activities.applyWrite, { target: plan.target, write, marker, holder });
        return { written, drift };
      } catch (error) {
        if (typeOf(error) !== 'Moved') throw error;
      }
    }
  }
}

function typeOf(error: unknown): string | null | undefined {
  return error instanceof ApplicationFailure ? error.type : undefined;
}
