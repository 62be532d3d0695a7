import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { drillAnnotations } from '../../../src/contracts/names.ts';
import { scratchName } from '../../../src/domain/drill.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { BackupWorld } from '../../support/backup-world.ts';
import { openGateway } from '../../support/stack.ts';
import { TestRun } from '../../support/world.ts';

const namespaced = [
  ['v1', 'ConfigMap'],
  ['v1', 'Secret'],
  ['v1', 'Service'],
  ['v1', 'ServiceAccount'],
  ['v1', 'ResourceQuota'],
  ['v1', 'Pod'],
  ['apps/v1', 'Deployment'],
  ['batch/v1', 'CronJob'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['networking.k8s.io/v1', 'NetworkPolicy'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
] as const;

/** A drill, with the name of its namespace. */
class Drill extends TestRun {
  readonly scratch: string;
  readonly firstRunId: string;

  constructor(handle: TestRun['handle'], target: string, firstRunId: string) {
    super(handle);
    this.scratch = scratchName(target, { firstRunId });
    this.firstRunId = firstRunId;
  }
}

/** A world of backups whose target is drilled. */
export class Drills {
  readonly backups: BackupWorld;
  readonly #gateway: KubernetesGateway = openGateway();
  readonly #stop = new AbortController();

  private constructor(backups: BackupWorld) {
    this.backups = backups;
  }

  static async open(drill: Record<string, unknown>, others: Record<string, unknown> = {}): Promise<Drills> {
    const backups = await BackupWorld.create({ logs: { sinceSeconds: 0 } });
    const self = new Drills(backups);
    self.writeProfile(drill, others);
    return self;
  }

  writeProfile(drill: Record<string, unknown>, others: Record<string, unknown> = {}): void {
    this.backups.writeProfile(
      { logs: { sinceSeconds: 0 } },
      { ...others, target: this.backups.target, drill },
    );
  }

  async start(input: Record<string, unknown>): Promise<Drill> {
    const { world, target } = this.backups;
    const run = await world.start({ target, ...input }, undefined, 'drillDisasterRecovery');
    const { raw } = await run.handle.describe();
    const firstRunId = raw.workflowExecutionInfo?.firstRunId ?? '';
    return new Drill(run.handle, target, firstRunId);
  }

  /** Everything that comes into a namespace, as it came and as it became. */
  collect(namespace: string): () => Promise<KubernetesObject[]> {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stop.signal]);
    const seen = new Map<string, KubernetesObject>();
    const following = namespaced.map(([apiVersion, kind]) =>
      this.#follow({ apiVersion, kind, namespace }, signal, (one) => {
        seen.set(`${one.kind} ${one.metadata.name} ${one.metadata.resourceVersion ?? ''}`, {
          ...one,
          apiVersion,
          kind,
        });
      }),
    );
    return async () => {
      stop.abort();
      await Promise.all(following);
      return [...seen.values()];
    };
  }

  /** Waits until an object of a namespace is there. */
  async untilSeen(
    namespace: string,
    { apiVersion, kind }: { apiVersion: string; kind: string },
    name: string,
  ): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stop.signal]);
    await this.#follow({ apiVersion, kind, namespace }, signal, (one) => {
      if (one.metadata.name === name) stop.abort();
    });
  }

  /** Deletes an object as soon as it is there. */
  async deleteWhenSeen(
    namespace: string,
    object: { apiVersion: string; kind: string; name: string },
  ): Promise<void> {
    await this.untilSeen(namespace, object, object.name);
    const ref = { ...object, namespace };
    const { metadata } = await this.#gateway.get(ref);
    await this.#gateway.delete(ref, { preconditions: { uid: metadata.uid ?? '' } });
  }

  async #follow(
    query: { apiVersion: string; kind: string; namespace: string },
    signal: AbortSignal,
    on: (object: KubernetesObject) => void,
  ): Promise<void> {
    try {
      for await (const event of this.#gateway.watch(query, { signal })) {
        if (event.type === 'SYNC') event.items.forEach(on);
        else if (event.type !== 'DELETED') on(event.object);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async exists(namespace: string): Promise<boolean> {
    const found = await this.backups.world.kubectl(
      'get',
      'namespace',
      namespace,
      '--ignore-not-found',
      '-o',
      'name',
    );
    return found.trim() !== '';
  }

  async untilThere(namespace: string): Promise<void> {
    await waitFor(async () => ((await this.exists(namespace)) ? true : undefined), {
      what: `namespace ${namespace}`,
      timeoutMilliseconds: 120_000,
    });
  }

  async untilGone(namespace: string): Promise<void> {
    await waitFor(async () => ((await this.exists(namespace)) ? undefined : true), {
      what: `namespace ${namespace} to go`,
      timeoutMilliseconds: 120_000,
    });
  }

  /** Makes a dead drill look so old. */
  async age(namespace: string, hours: number): Promise<void> {
    const startedAt = new Date(Date.now() - hours * 3600 * 1000).toISOString();
    await this.backups.world.kubectl(
      'annotate',
      '--overwrite',
      'namespace',
      namespace,
      `${drillAnnotations.startedAt}=${startedAt}`,
    );
  }

  async remove(namespace: string): Promise<void> {
    await this.backups.world.kubectl('delete', 'namespace', namespace, '--wait=false');
  }

  /** Every object of the service with its version. */
  async versions(): Promise<string[]> {
    const kinds =
      'configmaps,secrets,services,serviceaccounts,deployments,replicasets,pods,cronjobs,jobs,ingresses,networkpolicies,poddisruptionbudgets,roles,rolebindings,resourcequotas,limitranges,leases';
    const line =
      '-o=jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
    return (await this.backups.world.kubectl('get', kinds, line)).trim().split('\n').sort();
  }

  /** Names of what drills have kept. */
  async files(): Promise<string[]> {
    const store = this.backups.openStore();
    const folder = `drills/${this.backups.target}/`;
    const names: string[] = [];
    try {
      for await (const found of store.list(folder))
        if ('key' in found) names.push(found.key.slice(folder.length));
    } finally {
      store.close();
    }
    return names;
  }

  /** Takes the plan of a drill out of the bucket. */
  async losePlan(firstRunId: string): Promise<void> {
    const store = this.backups.openStore();
    const plans: string[] = [];
    try {
      for await (const found of store.list(`recoveries/${this.backups.target}/${firstRunId}/plan-`))
        if ('key' in found) plans.push(found.key);
      for (const key of plans) await store.remove(key);
    } finally {
      store.close();
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#gateway.close();
    await this.backups.close();
  }
}
