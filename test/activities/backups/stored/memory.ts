import type { BackupStore } from '../../../../src/clients/backup-storage.ts';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../../../src/contracts/kubernetes.ts';
import type { Target } from '../../../../src/contracts/target.ts';
import { commitBackup, type BackupContent } from '../../../../src/activities/backups/commit.ts';
import type { OpeningKeys } from '../../../../src/activities/backups/open-backup.ts';
import type { SnapshotKind } from '../../../../src/activities/backups/read/snapshot.ts';
import type { BackupTarget } from '../../../../src/activities/backups/seal.ts';
import { transfer } from '../../../../src/activities/backups/transfer.ts';
import { at, now } from '../../../support/builders.ts';
import { makeKeys, sealingKeysOf, type TestKeys } from '../../../support/backups.ts';
import { openSealer, type SealingKeys } from '../../../../src/encryption/messages.ts';
import { readPublicKey } from '../../../../src/encryption/keys.ts';

/** A store in memory that keeps what it is given, once. */
export class MemoryStore implements BackupStore {
  readonly name: string;
  readonly writeOnce = 'ifNoneMatch';
  readonly files = new Map<string, Uint8Array>();

  constructor(name = 'default', files?: Iterable<[string, Uint8Array]>) {
    this.name = name;
    for (const [key, bytes] of files ?? []) this.files.set(key, bytes);
  }

  locationOf(key: string): string {
    return `memory://${this.name}/${key}`;
  }

  putOnce(key: string, body: Uint8Array | string): Promise<'written' | 'exists'> {
    if (this.files.has(key)) return Promise.resolve('exists');
    this.files.set(key, Uint8Array.from(Buffer.from(body)));
    return Promise.resolve('written');
  }

  read(key: string): Promise<Uint8Array | undefined> {
    return Promise.resolve(this.files.get(key));
  }

  async *list(
    prefix: string,
  ): AsyncGenerator<{ key: string; bytes: number; storedAt: Date }, void, undefined> {
    for (const [key, { length }] of [...this.files].sort())
      if (key.startsWith(prefix))
        yield await Promise.resolve({ key, bytes: length, storedAt: new Date(now) });
  }

  remove(key: string): Promise<'removed' | 'absent'> {
    return Promise.resolve(this.files.delete(key) ? 'removed' : 'absent');
  }

  async *openUploads(): AsyncGenerator<never, void, undefined> {
    // Nothing is uploaded in pieces here.
  }

  abortUpload(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {
    // Nothing is open.
  }
}

/** What a list of one kind gives, page after page; an error ends it. */
export type Pages = (KubernetesObject[] | Error)[];

/** A cluster that only knows lists. `asked` counts how often each kind was listed. */
export function listingGateway(
  pagesOf: (plural: string, time: number) => Pages,
): KubernetesGateway & { asked: Map<string, number> } {
  const asked = new Map<string, number>();
  async function* bulkPages({ plural }: { plural: string }): AsyncGenerator<unknown, void, undefined> {
    const time = (asked.get(plural) ?? 0) + 1;
    asked.set(plural, time);
    for (const page of pagesOf(plural, time)) {
      if (page instanceof Error) throw page;
      yield await Promise.resolve({ items: page, resourceVersion: String(40 + time) });
    }
  }
  return { asked, bulkPages } as unknown as KubernetesGateway & { asked: Map<string, number> };
}

export const signal = new AbortController().signal;

export function aKind(plural: string, kind: string, estimate = 1): SnapshotKind {
  return { apiVersion: 'v1', kind, plural, namespaced: true, estimate, aggregated: false };
}

export function configMap(name: string, data: Record<string, string> = { key: 'value' }): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '41' },
    data,
  };
}

/** A place in memory with keys of its own. */
export async function aPlace(backupId = '20260301-030000-0a1b2c3d'): Promise<{
  place: BackupTarget;
  store: MemoryStore;
  keys: TestKeys;
  sealing: SealingKeys;
  opening: OpeningKeys;
}> {
  const keys = await makeKeys();
  const store = new MemoryStore();
  const sealing = sealingKeysOf(keys);
  const place = { target: 'shop', backupId, stores: [store], sealer: await openSealer(sealing) };
  const opening = { privateKeys: [{ armored: keys.online.privateKey }], signers: [keys.signing.publicKey] };
  return { place, store, keys, sealing, opening };
}

/** Everything about a backup but what was transferred. */
export function aContent(): Omit<BackupContent, 'transferred'> {
  const profile = { target: 'shop', namespace: 'shop' } as Target['profile'];
  return {
    run: { workflowId: 'backup/1', firstRunId: 'run-1', procedure: 'backup' },
    target: { profile, digest: 'd'.repeat(64) },
    server: 'https://127.0.0.1:6443',
    startedAt: at(0),
    completedAt: at(5),
    snapshot: { resourceVersion: '41', serverVersion: 'v1.36.1', missing: [] },
    logs: { logs: [], containers: 0, missing: [] },
    hooks: [],
  };
}

/** A whole small backup in memory. */
export async function aBackup(
  { place, sealing }: { place: BackupTarget; sealing: SealingKeys },
  objects: KubernetesObject[] = [configMap('a'), configMap('b'), configMap('c')],
): Promise<void> {
  const gateway = listingGateway(() => [objects]);
  const request = {
    namespace: 'shop',
    exclude: [],
    snapshot: { resourceVersion: '41' },
    kinds: [aKind('configmaps', 'ConfigMap')],
    number: 0,
    attempt: 1,
  };
  const transferred = [await transfer(gateway, place, request, signal, () => undefined)];
  const read = await Promise.all(sealing.recipients.map(readPublicKey));
  const names = { recipients: read.map(({ fingerprint }) => fingerprint), signer: 'C'.repeat(40) };
  await commitBackup(place, names, [], { ...aContent(), transferred }, signal);
}
