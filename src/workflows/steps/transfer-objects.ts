import type { Transferred } from '../../contracts/backup.ts';
import type { Target } from '../../contracts/target.ts';
import { divide } from '../../domain/backups/transfers.ts';
import type { Activities } from '../../activities/index.ts';
import { secretBulk } from '../activity-options.ts';
import { counted } from '../../domain/text.ts';

type Snapshot = Awaited<ReturnType<Activities['beginBackup']>>;

/** Each holds a part of 8 MiB in memory, in several forms at times: more at once would cost a worker too much. */
const transfersAtOnce = 3;

/** Stores every kind, several transfers at once. One that fails lets no further one begin. */
export async function transferAll(
  backup: { target: Target; backupId: string },
  { resourceVersion, kinds }: Snapshot,
): Promise<Transferred[]> {
  const left = [...divide(kinds).entries()];
  const transferred: Transferred[] = [];
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [number, own] = next;
      const about = `${counted(own.length, 'kind')}, about ${counted(
        own.reduce((sum, { estimate }) => sum + estimate, 0),
        'object',
      )}`;
      const request = { ...backup, snapshot: { resourceVersion }, kinds: own, number };
      transferred.push(await secretBulk(`Store ${about}`).transferObjects(request));
    }
  };
  const lanes = Array.from({ length: transfersAtOnce }, () =>
    lane().catch((error: unknown) => {
      left.length = 0;
      throw error;
    }),
  );
  await Promise.all(lanes);
  return transferred;
}
