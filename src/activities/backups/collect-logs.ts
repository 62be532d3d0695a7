import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Missing, StoredFile } from '../../contracts/backup-manifest.ts';
import type { CollectedLogs } from '../../contracts/backup.ts';
import { logsName } from '../../domain/backups/names.ts';
import { TarGzip } from './archive.ts';
import { readLogs } from './read/pod-logs.ts';
import { storeSealed, type BackupTarget } from './seal.ts';

/** As for parts; the log of one container may be longer than that alone. */
const mostPlainBytes = 32 * 1024 * 1024;

/** A manifest is for people, too. */
const mostMissing = 100;

/** The logs of all containers, their previous ones included, as sealed archives. A log that cannot be read is missing. */
export async function collectLogs(
  gateway: KubernetesGateway,
  place: BackupTarget,
  asked: { namespace: string; sinceSeconds: number; bytesPerContainer: number; attempt: number },
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<CollectedLogs> {
  const logs: StoredFile[] = [];
  const missing: Missing[] = [];
  let containers = 0;
  let tar = new TarGzip();
  let bytes = 0;
  const store = async (): Promise<void> => {
    if (tar.entries === 0) return;
    const { bytes: plain } = await tar.finish();
    const number = logs.length;
    logs.push(await storeSealed(place, plain, (attempt) => logsName(number, attempt), asked.attempt, signal));
    tar = new TarGzip();
    bytes = 0;
  };
  for await (const log of readLogs(gateway, asked, signal)) {
    if ('missing' in log) {
      if (missing.length < mostMissing) missing.push(log.missing);
      continue;
    }
    if (bytes + log.bytes.length > mostPlainBytes) await store();
    await tar.add(log.path, log.bytes);
    bytes += log.bytes.length;
    containers += 1;
    say(`logs of ${containers} containers`);
  }
  await store();
  return { logs, containers, missing };
}
