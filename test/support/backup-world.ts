import { fileURLToPath } from 'node:url';
import { openBackupStores, type BackupStore } from '../../src/clients/backup-storage.ts';
import { backupPolicySchema } from '../../src/contracts/backup-policy.ts';
import type { CommittedBackup } from '../../src/contracts/backup.ts';
import type { RunReport } from '../../src/contracts/run.ts';
import { backupSection, makeKeys, removePrivateKeys, storePrivateKeys, type TestKeys } from './backups.ts';
import { sleeperProfile } from './sleeper.ts';
import { stack } from './stack.ts';
import { World } from './world.ts';

/** What a namespace of every sort of object looks like, without pods. */
export const manifests = fileURLToPath(new URL('./manifests/', import.meta.url));

/** A world whose target has keys and a bucket. Its target has the name of its namespace, since keys are kept by target. */
export class BackupWorld {
  readonly world: World;
  readonly keys: TestKeys;

  private constructor(world: World, keys: TestKeys) {
    this.world = world;
    this.keys = keys;
  }

  static async create(change: Record<string, unknown> = {}): Promise<BackupWorld> {
    const [world, keys] = await Promise.all([
      World.create({ namespace: true, profiles: () => ({}) }),
      makeKeys(),
    ]);
    const self = new BackupWorld(world, keys);
    self.writeProfile(change);
    await storePrivateKeys(self.target, keys);
    return self;
  }

  get target(): string {
    return this.world.namespace;
  }

  writeProfile(change: Record<string, unknown> = {}, others: Record<string, unknown> = {}): void {
    const backup = backupSection(this.world.targetsFolder, this.target, this.keys, change);
    this.world.writeProfile(this.target, {
      ...sleeperProfile(this.world.namespace),
      target: this.target,
      backup,
      ...others,
    });
  }

  /** The bucket as the world's worker sees it. */
  openStore(): BackupStore {
    const { keys } = backupSection(this.world.targetsFolder, this.target, this.keys);
    const { bucket, endpoint, region } = stack().s3;
    const place = { bucket, endpoint, region, prefix: this.world.queue };
    const [store] = openBackupStores(backupPolicySchema.parse({ keys }), place);
    if (store === undefined) throw new Error('the worker has no bucket');
    return store;
  }

  /** Every file of a backup, by name. */
  async filesOf(backupId: string): Promise<Map<string, Uint8Array>> {
    const store = this.openStore();
    const folder = `backups/${this.target}/${backupId}/`;
    const files = new Map<string, Uint8Array>();
    try {
      for await (const found of store.list(folder)) {
        if (!('key' in found)) continue;
        files.set(found.key.slice(folder.length), (await store.read(found.key)) ?? new Uint8Array());
      }
    } finally {
      store.close();
    }
    return files;
  }

  /** Takes one part of a backup out of the bucket. */
  async losePart(backupId: string): Promise<void> {
    const name = [...(await this.filesOf(backupId)).keys()].find((one) => one.startsWith('parts/'));
    const store = this.openStore();
    try {
      await store.remove(`backups/${this.target}/${backupId}/${name ?? ''}`);
    } finally {
      store.close();
    }
  }

  async backUp(
    input: Record<string, unknown> = {},
  ): Promise<{ report: RunReport; committed: CommittedBackup }> {
    const run = await this.world.start({ target: this.target, ...input }, undefined, 'backup');
    const { report } = await run.end();
    return { report, committed: report.result as CommittedBackup };
  }

  async verify(input: Record<string, unknown> = {}): Promise<RunReport> {
    const run = await this.world.start({ target: this.target, ...input }, undefined, 'verifyBackup');
    return (await run.end()).report;
  }

  async close(): Promise<void> {
    await removePrivateKeys(this.target);
    await this.world.close();
  }
}
