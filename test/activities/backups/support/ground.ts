import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  readKind,
  takeSnapshot,
  type Asked,
  type KindItem,
  type Snapshot,
  type SnapshotKind,
} from '../../../../src/activities/backups/read/snapshot.ts';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import type { Missing } from '../../../../src/contracts/backup-manifest.ts';
import type { KubernetesObject, ObjectRef } from '../../../../src/contracts/kubernetes.ts';
import { archivePath, kindName } from '../../../../src/domain/backups/archive-path.ts';
import { storedForm } from '../../../../src/domain/backups/stored-form.ts';
import { canonicalJson } from '../../../../src/domain/plan/canonical-json.ts';
import { waitFor } from '../../../../src/local/wait.ts';
import { kubectlIn, openGateway, unique } from '../../../support/stack.ts';

/** Everything that was read, by kind and name. */
export interface Reading {
  snapshot: Snapshot;
  objects: Map<string, Map<string, KubernetesObject>>;
  missing: Missing[];
  /** Kinds that were read at a version of their own. */
  own: Set<string>;
}

const never = new AbortController().signal;

/** A namespace of its own with whatever a test puts there and into the cluster; all of it goes away at the end. */
export class Ground {
  readonly namespace: string;
  readonly gateway: KubernetesGateway;
  readonly folder = mkdtempSync(join(tmpdir(), 'runbook-backup-test-'));
  readonly kubectl: ReturnType<typeof kubectlIn>;
  readonly #ofCluster: ObjectRef[] = [];
  readonly #groups = new Set<string>();

  private constructor(gateway: KubernetesGateway, namespace: string) {
    this.gateway = gateway;
    this.namespace = namespace;
    this.kubectl = kubectlIn(namespace);
  }

  static async open(): Promise<Ground> {
    const ground = new Ground(openGateway(), unique('backup'));
    await ground.makeNamespace();
    return ground;
  }

  async makeNamespace(): Promise<void> {
    await this.createInCluster({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: this.namespace } });
    await this.settled();
  }

  /** Waits for what every namespace gets. */
  async settled(): Promise<void> {
    for (const [kind, name] of [
      ['ServiceAccount', 'default'],
      ['ConfigMap', 'kube-root-ca.crt'],
    ] as const)
      await waitFor(() => this.gateway.get(this.ref('v1', kind, name)), {
        what: `${kind} ${name} of the namespace`,
        timeoutMilliseconds: 30_000,
      });
  }

  ref(apiVersion: string, kind: string, name: string): ObjectRef {
    return { apiVersion, kind, namespace: this.namespace, name };
  }

  async create(object: KubernetesObject): Promise<KubernetesObject> {
    const metadata = { namespace: this.namespace, ...object.metadata };
    return await this.gateway.create({ ...object, metadata }, { fieldManager: 'test' });
  }

  async configMap(name: string, data: Record<string, string> = {}): Promise<KubernetesObject> {
    return await this.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });
  }

  /** An object of the cluster, which {@link close} removes. */
  async createInCluster(object: KubernetesObject): Promise<KubernetesObject> {
    const created = await this.gateway.create(object, { fieldManager: 'test' });
    this.alsoRemove(object);
    return created;
  }

  /** Lets {@link close} remove an object of the cluster, or not, when it is gone by then. */
  alsoRemove({ apiVersion, kind, metadata }: KubernetesObject): void {
    this.#ofCluster.push({ apiVersion, kind, namespace: '', name: metadata.name });
  }

  /** A custom kind with the plural `things`, served when this returns. `more` goes into its version. */
  async defineThings(
    more: Record<string, unknown> = {},
  ): Promise<{ group: string; apiVersion: string; kind: string }> {
    const group = `${unique('x')}.example.com`;
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    await this.createInCluster({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `things.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
        versions: [{ name: 'v1', served: true, storage: true, schema, ...more }],
      },
    });
    this.#groups.add(group);
    const things = { apiVersion: `${group}/v1`, kind: 'Thing' };
    await waitFor(() => this.gateway.list({ ...things, namespace: this.namespace }), {
      what: `kind Thing of ${group}`,
      timeoutMilliseconds: 30_000,
    });
    // Discovery learns of a kind a moment after its path works.
    await waitFor(
      async () =>
        (await this.gateway.servedApis()).resources.find((one) => one.apiVersion === things.apiVersion),
      { what: `discovery of ${group}`, timeoutMilliseconds: 30_000 },
    );
    return { group, ...things };
  }

  asked(exclude: Asked['exclude'] = []): Asked {
    return { namespace: this.namespace, exclude };
  }

  async snapshot(gateway = this.gateway): Promise<Snapshot> {
    const snapshot = await takeSnapshot(gateway, this.asked(), never);
    return { ...snapshot, missing: snapshot.missing.filter((one) => !this.#isForeign(one)) };
  }

  /** Kinds of other tests come and go meanwhile. */
  #isForeign({ what }: Missing): boolean {
    const [group] = /x-[0-9a-f]{8}\.example\.com/.exec(what) ?? [];
    return group !== undefined && !this.#groups.has(group);
  }

  async read(
    snapshot: Snapshot,
    {
      gateway = this.gateway,
      exclude = [],
    }: { gateway?: KubernetesGateway; exclude?: Asked['exclude'] } = {},
  ): Promise<Reading> {
    const reading: Reading = { snapshot, objects: new Map(), missing: [...snapshot.missing], own: new Set() };
    for (const kind of snapshot.kinds)
      for await (const item of readKind(gateway, snapshot, kind, this.asked(exclude), never))
        take(reading, kind, item);
    return reading;
  }

  async readAll(): Promise<Reading> {
    return await this.read(await this.snapshot());
  }

  /** Writes the stored form of everything as a backup's archives hold it. */
  store(reading: Reading): string {
    const folder = mkdtempSync(join(this.folder, 'stored-'));
    for (const kind of reading.snapshot.kinds)
      for (const object of reading.objects.get(kindName(kind))?.values() ?? []) {
        const path = join(folder, archivePath(kind, object));
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, canonicalJson(storedForm(object, kind).stored));
      }
    return folder;
  }

  /** Removes namespace and objects of the cluster, and waits until they are gone. */
  async clear(): Promise<void> {
    for (const ref of this.#ofCluster.toReversed()) await this.#remove(ref);
    for (const ref of this.#ofCluster)
      await waitFor(
        () =>
          this.gateway.get(ref).then(
            () => undefined,
            () => true,
          ),
        { what: `${ref.kind} ${ref.name} to be gone`, timeoutMilliseconds: 60_000 },
      );
  }

  async close(): Promise<void> {
    for (const ref of this.#ofCluster.toReversed()) await this.#remove(ref);
    await this.gateway.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #remove(ref: ObjectRef): Promise<void> {
    try {
      const { metadata } = await this.gateway.get(ref);
      await this.gateway.delete(ref, { preconditions: { uid: metadata.uid! } });
    } catch (error) {
      if ((error as { status?: number }).status !== 404) throw error;
    }
  }
}

function take(reading: Reading, kind: SnapshotKind, item: KindItem): void {
  const name = kindName(kind);
  const objects = reading.objects.get(name) ?? new Map<string, KubernetesObject>();
  reading.objects.set(name, objects);
  if ('restart' in item) objects.clear();
  if ('missing' in item) reading.missing.push(item.missing);
  if (!('objects' in item)) return;
  for (const object of item.objects) objects.set(object.metadata.name, object);
  if (item.consistency === 'own') reading.own.add(name);
}

/** Names of one kind that were read. */
export function namesOf(reading: Reading, kind: string): string[] {
  return [...(reading.objects.get(kind)?.keys() ?? [])].sort();
}
