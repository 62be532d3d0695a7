import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { backupFiles, type BackupBegun } from '../../contracts/backup-manifest.ts';
import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import { canonicalJson } from '../../domain/plan/canonical-json.ts';
import { failure } from '../failures.ts';
import { storing } from './failures.ts';
import { takeSnapshot, type Snapshot } from './read/snapshot.ts';
import { keyOf, type BackupTarget } from './seal.ts';

/**
 * Writes who makes the backup, so that pruning can ask Temporal about it, and finds out what there is. Reading apart
 * from that one file. Idempotent: the file follows from the run alone.
 */
export async function beginBackup(
  gateway: KubernetesGateway,
  place: Pick<BackupTarget, 'target' | 'backupId' | 'stores'>,
  asked: { begun: BackupBegun; namespace: string; exclude: BackupPolicy['exclude'] },
  signal: AbortSignal,
): Promise<Snapshot> {
  const { begun, namespace, exclude } = asked;
  const content = canonicalJson(begun);
  const writing = Promise.all(
    place.stores.map(async (store) => {
      const key = keyOf(place, backupFiles.run);
      const result = await storing(signal, `write to ${store.name}`, () =>
        store.putOnce(key, content, 'application/json', signal),
      );
      if (result === 'written') return;
      const there = await storing(signal, `read from ${store.name}`, () =>
        store.read(key, signal, 64 * 1024),
      );
      if (there !== undefined && Buffer.from(there).toString() === content) return;
      throw failure(
        'Refused',
        `${store.locationOf(key)} belongs to another run: nothing is written beside it`,
      );
    }),
  );
  const [snapshot] = await Promise.all([takeSnapshot(gateway, { namespace, exclude }, signal), writing]);
  return snapshot;
}
