import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupStore } from '../../src/clients/backup-storage.ts';
import {
  backupFiles,
  type BackupBegun,
  type BackupManifest,
  type VerificationRecord,
} from '../../src/contracts/backup-manifest.ts';
import { renderSigned } from '../../src/domain/backups/manifest.ts';
import { timeOf } from '../../src/domain/backups/names.ts';
import { generateSigningKey } from '../../src/encryption/key-pairs.ts';
import { signClear } from '../../src/encryption/messages.ts';

const run = { workflowId: 'backup-of-a-test', firstRunId: 'first', procedure: 'backup' };

/** The id of a backup that was begun at that time: `2026-11-27T10:00:00Z`. */
export function idAt(time: string, end = '0a1b2c3d'): string {
  return `${time.replaceAll(/[-:]|\.\d+|Z$/g, '').replace('T', '-')}-${end}`;
}

/** Backups that are signed and hold nothing that could be restored: enough for whoever counts, lists and removes them. */
export class StoredBackups {
  readonly target: string;
  readonly #privateKey: string;
  readonly publicKey: string;

  private constructor(target: string, keys: { privateKey: string; publicKey: string }) {
    this.target = target;
    this.#privateKey = keys.privateKey;
    this.publicKey = keys.publicKey;
  }

  static async create(target: string): Promise<StoredBackups> {
    return new StoredBackups(target, await generateSigningKey({ name: 'backups' }));
  }

  /** The section `backup` of a profile, whose key files are put below that folder. */
  async section(
    targetsFolder: string,
    change: Record<string, unknown> = {},
  ): Promise<Record<string, unknown>> {
    mkdirSync(join(targetsFolder, 'keys'), { recursive: true });
    const others = await Promise.all(['online', 'escrow'].map((name) => generateSigningKey({ name })));
    const [online, escrow] = others.map(({ publicKey }) => publicKey);
    const files = { signing: this.publicKey, online: online ?? '', escrow: escrow ?? '' };
    for (const [name, key] of Object.entries(files))
      writeFileSync(join(targetsFolder, 'keys', `${name}.asc`), key);
    return {
      keys: { signing: ['keys/signing.asc'], online: 'keys/online.asc', escrow: 'keys/escrow.asc' },
      ...change,
    };
  }

  keyOf(backupId: string, name: string): string {
    return `${backupFiles.folder(this.target)}${backupId}/${name}`;
  }

  /** Writes a backup with two parts and who made it. */
  async add(store: BackupStore, backupId: string, change: Partial<BackupManifest> = {}): Promise<void> {
    await this.begin(store, backupId);
    const manifest = await signClear(renderSigned(this.manifest(backupId, change)), {
      armored: this.#privateKey,
    });
    await store.putOnce(this.keyOf(backupId, backupFiles.manifest), manifest, 'text/plain');
  }

  /** Writes what a backup has before it is committed. */
  async begin(store: BackupStore, backupId: string, begun: Partial<BackupBegun> = {}): Promise<void> {
    const at = timeOf(backupId)?.toISOString() ?? '';
    const content = { run, at, temporalNamespace: 'test', temporalCluster: 'test', ...begun };
    await Promise.all([
      store.putOnce(this.keyOf(backupId, backupFiles.run), JSON.stringify(content), 'application/json'),
      ...parts.map((name) => store.putOnce(this.keyOf(backupId, name), name, 'application/octet-stream')),
    ]);
  }

  /** Writes the record of a verification; of another manifest than the stored one when a hash is given. */
  async verify(
    store: BackupStore,
    backupId: string,
    change: Partial<VerificationRecord> = {},
  ): Promise<void> {
    const manifest = await store.read(this.keyOf(backupId, backupFiles.manifest));
    const record: VerificationRecord = {
      format: 'runbook-verification/1',
      backupId,
      target: this.target,
      location: store.name,
      run: { ...run, procedure: 'verifyBackup' },
      at: '2026-11-27T12:00:00.000Z',
      manifestSha256: sha256(manifest ?? ''),
      verdict: 'pass',
      objects: 0,
      bytes: 0,
      findings: [],
      ...change,
    };
    const file = await signClear(renderSigned(record), { armored: this.#privateKey });
    await store.putOnce(this.keyOf(backupId, backupFiles.verified(record.at)), file, 'text/plain');
  }

  manifest(backupId: string, change: Partial<BackupManifest> = {}): BackupManifest {
    const at = timeOf(backupId)?.toISOString() ?? '';
    return {
      format: 'runbook-backup/1',
      backupId,
      target: this.target,
      namespace: this.target,
      profileDigest: sha256(''),
      run,
      startedAt: at,
      completedAt: at,
      cluster: { version: 'v1.36.1', server: 'https://cluster.example' },
      consistency: 'snapshot',
      resourceVersion: '1',
      kinds: [],
      objects: 0,
      parts: parts.map((name) => ({
        name,
        bytes: name.length,
        sha256: sha256(name),
        objects: 0,
        plainBytes: 0,
        kinds: [],
      })),
      indexes: [],
      logs: [],
      missing: [],
      hooks: [],
      encryptedTo: [],
      signedBy: 'A'.repeat(40),
      locations: [],
      versions: { runbook: '0.0.0', node: '24' },
      ...change,
    };
  }
}

const parts = ['parts/0001-secrets-1.tar.gz.gpg', 'parts/0002-configmaps-1.tar.gz.gpg'];

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
