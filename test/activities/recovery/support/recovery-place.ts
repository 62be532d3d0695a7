import { generateKey } from 'openpgp';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commitBackup } from '../../../../src/activities/backups/commit.ts';
import { readPublicKeys } from '../../../../src/activities/backups/keys.ts';
import { takeSnapshot } from '../../../../src/activities/backups/read/snapshot.ts';
import { transfer } from '../../../../src/activities/backups/transfer.ts';
import { createActivities, type Activities } from '../../../../src/activities/index.ts';
import { createChannels } from '../../../../src/activities/notifications/channels.ts';
import type { RestoreRequest } from '../../../../src/activities/recovery/restore-group.ts';
import { readPlan } from '../../../../src/activities/recovery/run-files.ts';
import { loadTarget } from '../../../../src/activities/targets/profiles.ts';
import { openBackupStores, type BackupStore } from '../../../../src/clients/backup-storage.ts';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import type { ObjectStorageOptions } from '../../../../src/clients/object-storage.ts';
import { backupKeyNames, type BackupKeyKind } from '../../../../src/contracts/backup-keys.ts';
import { backupPolicySchema, type BackupPolicy } from '../../../../src/contracts/backup-policy.ts';
import type { KubernetesObject, ObjectRef } from '../../../../src/contracts/kubernetes.ts';
import { lockNamespace } from '../../../../src/contracts/names.ts';
import type {
  BackupRef,
  GroupOutcome,
  ObjectVerdict,
  PlannedObject,
  RecoveryPlan,
  RestoreOptions,
} from '../../../../src/contracts/recovery.ts';
import type { Proof } from '../../../../src/contracts/run.ts';
import type { Target } from '../../../../src/contracts/target.ts';
import { backupIdOf } from '../../../../src/domain/backups/names.ts';
import { openSealer } from '../../../../src/encryption/messages.ts';
import { addOutcomes } from '../../../../src/domain/recovery/describe.ts';
import { restoreOrder } from '../../../../src/domain/recovery/order.ts';
import { waitFor } from '../../../../src/local/wait.ts';
import { sealingKeysOf } from '../../../support/backups.ts';
import { stack, unique } from '../../../support/stack.ts';
import { holder, Place } from '../../support/place.ts';
import { act, anEnvironment } from '../../support/run-activity.ts';

const never = new AbortController().signal;

/** A selection of these alone. */
export function onlyConfigMaps(...names: string[]): { only: { kinds: string[]; names: string[] } } {
  return { only: { kinds: ['ConfigMap'], names } };
}

/** A key that signs, and one below it that is encrypted to. */
async function aKey(name: string): Promise<{ privateKey: string; publicKey: string }> {
  const { privateKey, publicKey } = await generateKey({
    type: 'ecc',
    curve: 'ed25519Legacy',
    userIDs: { name },
    format: 'armored',
  });
  return { privateKey, publicKey };
}

type Keys = Record<BackupKeyKind, { privateKey: string; publicKey: string }>;

/** What a recovery may say about itself. */
type Wish = Partial<RestoreOptions>;

/** A namespace with a target of the same name that has keys and a place for backups, and the activities on it. */
export class RecoveryPlace {
  readonly place: Place;
  readonly activities: Activities;
  readonly #keys: Keys;
  readonly #bucket: ObjectStorageOptions;
  readonly #others: string[] = [];
  #backups = 0;

  private constructor(place: Place, keys: Keys) {
    this.place = place;
    this.#keys = keys;
    const { endpoint, region, bucket } = stack().s3;
    this.#bucket = { endpoint, region, bucket, prefix: unique('recoveries') };
    this.activities = this.activitiesWith(place.gateway);
  }

  static async open(): Promise<RecoveryPlace> {
    const [signing, online, escrow] = await Promise.all(['signing', 'online', 'escrow'].map(aKey));
    const place = await Place.open();
    const self = new RecoveryPlace(place, { signing: signing!, online: online!, escrow: escrow! });
    self.#writeProfile();
    await self.#storeKeys();
    await place.hold(self.name);
    return self;
  }

  /** Of the target; the namespace has the same. */
  get name(): string {
    return this.place.namespace;
  }

  get gateway(): KubernetesGateway {
    return this.place.gateway;
  }

  async close(): Promise<void> {
    for (const name of this.#others) await this.#deleteNamespace(name);
    await this.remove({ apiVersion: 'v1', kind: 'Secret', namespace: lockNamespace, name: this.#secret });
    await this.place.close();
  }

  activitiesWith(gateway: KubernetesGateway): Activities {
    return createActivities({
      targetsFolder: this.place.targetsFolder,
      defaultTarget: this.name,
      searchAttributes: false,
      gatewayFor: () => gateway,
      storage: undefined,
      bucket: this.#bucket,
      runs: {
        identity: () => Promise.resolve({ temporalNamespace: 'test', temporalCluster: 'test' }),
        describe: () => Promise.resolve(undefined),
        abort: () => Promise.resolve(),
      },
      channels: createChannels(undefined),
    });
  }

  /** Another namespace, empty, that goes with the place. */
  async otherNamespace(): Promise<string> {
    const name = unique('elsewhere');
    await this.gateway.create(
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      { fieldManager: 'test' },
    );
    this.#others.push(name);
    return name;
  }

  async configMap(
    name: string,
    data: Record<string, string> = { a: '1' },
    more: Record<string, unknown> = {},
  ): ReturnType<Place['create']> {
    return await this.place.create({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data,
      ...more,
    });
  }

  configMapRef(name: string): ObjectRef {
    return this.place.ref(name, 'v1', 'ConfigMap');
  }

  openStore(): BackupStore {
    const [store] = openBackupStores(this.#policy, this.#bucket);
    return store!;
  }

  /** Backs the namespace up as it is, without logs. */
  async backUp(): Promise<BackupRef> {
    const store = this.openStore();
    try {
      this.#backups += 1;
      const startedAt = new Date(Date.now() + this.#backups * 1000).toISOString();
      const run = { workflowId: 'backup', firstRunId: `0000000${this.#backups}-0000`, procedure: 'backup' };
      const backupId = backupIdOf(run, startedAt);
      const place = {
        target: this.name,
        backupId,
        stores: [store],
        sealer: await openSealer(sealingKeysOf(this.#keys)),
      };
      const asked = { namespace: this.name, exclude: [] };
      const snapshot = await takeSnapshot(this.gateway, asked, never);
      const request = { ...asked, snapshot, kinds: snapshot.kinds, number: 0, attempt: 1 };
      const transferred = [await transfer(this.gateway, place, request, never, () => undefined)];
      const logs = { logs: [], containers: 0, missing: [] };
      const content = {
        run,
        target: await loadTarget(this.place.targetsFolder, this.name, undefined),
        server: this.gateway.server,
        startedAt,
        completedAt: startedAt,
        snapshot,
        transferred,
        logs,
        hooks: [],
      };
      const { fingerprints } = await readPublicKeys(this.place.targetsFolder, this.#policy.keys);
      const names = {
        recipients: [fingerprints.online, fingerprints.escrow],
        signer: fingerprints.signing[0]!,
      };
      await commitBackup(place, names, [this.#keys.signing.publicKey], content, never);
      return (await this.choose(backupId)).backup;
    } finally {
      store.close();
    }
  }

  async choose(backup: string): Promise<{ target: Target; backup: BackupRef }> {
    return await act(this.activities.chooseRecovery, { target: this.name, backup, location: undefined });
  }

  async plan(backup: BackupRef, wish: Wish = {}, firstRunId = unique('first')): Promise<RecoveryPlan> {
    return await act(this.activities.planRecovery, {
      target: this.name,
      backup,
      firstRunId,
      options: {
        purpose: 'recover' as const,
        into: this.name,
        onConflict: 'skip' as const,
        onConflictOf: {},
        allowEmptyClaims: false,
        clusterScoped: false,
        ...wish,
      },
    });
  }

  /** Every object of a plan, read back from the store. */
  async objectsOf(plan: RecoveryPlan): Promise<PlannedObject[]> {
    const store = this.openStore();
    try {
      return await readPlan(store, plan.stored, never);
    } finally {
      store.close();
    }
  }

  /** The verdict over one object of a plan. */
  async verdictOf(plan: RecoveryPlan, kind: string, name: string): Promise<ObjectVerdict> {
    const found = (await this.objectsOf(plan)).find(
      ({ verdict }) => verdict.kind === kind && verdict.name === name,
    );
    if (found === undefined) throw new Error(`the plan says nothing of ${kind} ${name}`);
    return found.verdict;
  }

  /** What the run would send for one group. */
  request(plan: RecoveryPlan, position: number, run = 'run'): RestoreRequest {
    const { target, backup, options, stored } = plan;
    const marker = `${run}/${run}-first/restore`;
    return {
      target,
      backup,
      options,
      stored,
      position,
      skip: [],
      firstRunId: `${run}-first`,
      marker,
      holder,
    };
  }

  /** Restores all groups in their order, with the waits between them, as the workflow does. */
  async restore(
    plan: RecoveryPlan,
    run = unique('run'),
    activities = this.activities,
  ): Promise<GroupOutcome> {
    const outcomes: GroupOutcome[] = [];
    for (const { position } of plan.groups) {
      const request = this.request(plan, position, run);
      const { before, after } = restoreOrder[position]!;
      if (before !== undefined) {
        const { missing } = await act(activities.awaitGroup, { ...request, wait: before });
        request.skip = missing.map(({ name }) => name);
      }
      outcomes.push(await act(activities.restoreGroup, request, anEnvironment()));
      if (after !== undefined) await act(activities.awaitGroup, { ...request, wait: after });
    }
    if (plan.ties > 0) outcomes.push(await act(activities.tieOwners, this.request(plan, 0, run)));
    return addOutcomes(outcomes);
  }

  async proveContent(plan: RecoveryPlan): Promise<Proof> {
    return await act(this.activities.proveContent, plan);
  }

  async get(kind: string, name: string, namespace = this.name): Promise<KubernetesObject> {
    const [first = '', ...group] = kind.split('.');
    const apiVersion = group.length === 0 ? 'v1' : `${group.join('.')}/v1`;
    return await this.gateway.get({ apiVersion, kind: first, namespace, name });
  }

  async remove(ref: ObjectRef): Promise<void> {
    const { metadata } = await this.gateway.get(ref);
    await this.gateway.delete(ref, {
      preconditions: { uid: metadata.uid! },
      propagationPolicy: 'Background',
    });
    await waitFor(
      () =>
        this.gateway.get(ref).then(
          () => undefined,
          () => true,
        ),
      {
        what: `${ref.kind} ${ref.name} to go`,
        timeoutMilliseconds: 60_000,
      },
    );
  }

  get #policy(): BackupPolicy {
    const file = (kind: BackupKeyKind): string => backupKeyNames.publicFile(this.name, kind);
    return backupPolicySchema.parse({
      keys: { signing: [file('signing')], online: file('online'), escrow: file('escrow') },
    });
  }

  get #secret(): string {
    return backupKeyNames.secret(this.name);
  }

  #writeProfile(): void {
    mkdirSync(join(this.place.targetsFolder, 'keys'), { recursive: true });
    for (const kind of ['signing', 'online', 'escrow'] as const)
      writeFileSync(
        join(this.place.targetsFolder, backupKeyNames.publicFile(this.name, kind)),
        this.#keys[kind].publicKey,
      );
    this.place.writeProfile(this.name, { backup: { keys: this.#policy.keys } });
  }

  async #storeKeys(): Promise<void> {
    const stringData = {
      [backupKeyNames.privateKey('signing')]: this.#keys.signing.privateKey,
      [backupKeyNames.privateKey('online')]: this.#keys.online.privateKey,
    };
    const metadata = { name: this.#secret, namespace: lockNamespace };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', stringData };
    await this.gateway.create(secret, { fieldManager: 'test' });
  }

  /** One that no test came to make, or that a test took away, is fine. */
  async #deleteNamespace(name: string): Promise<void> {
    const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name };
    const live = await this.gateway.get(ref).catch(() => undefined);
    if (live === undefined) return;
    await this.gateway.delete(ref, { preconditions: { uid: live.metadata.uid! } });
  }
}
