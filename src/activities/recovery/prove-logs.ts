import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Pod } from '../../domain/rollout-health.ts';
import { countErrors, newErrors } from '../../domain/recovery/log-lines.ts';
import { readLogFiles } from '../backups/open-backup.ts';
import { Pool } from './pool.ts';
import type { Source } from './source.ts';
import { counted } from '../../domain/text.ts';

const name = 'no new error in the logs';

const logsAtOnce = 8;
/** Of one container; a loop of errors shows within the first of them. */
const mostLogBytes = 4 * 1024 * 1024;
const mostMessages = 5;

/**
 * Compares the error-level lines since `since` with those in the backup, numbers and ids masked. Reads only, so it may run
 * any number of times. A message is shown masked. Logs that cannot be had make the answer unknown, unless they would not
 * matter. @throws BackupRefused, StorageUnavailable, Unavailable
 */
export async function proveLogs(
  gateway: KubernetesGateway,
  source: Source,
  { namespace, since }: { namespace: string; since: string },
  signal: AbortSignal,
): Promise<Proof> {
  const pods = (await gateway.list({ apiVersion: 'v1', kind: 'Pod', namespace, signal })).items as Pod[];
  const now = new Map<string, number>();
  const unread: string[] = [];
  const pool = new Pool(logsAtOnce);
  let logs = 0;
  for (const pod of pods)
    for (const container of pod.spec.containers)
      await pool.add(async () => {
        const text = await logOf(
          gateway,
          { namespace, pod: pod.metadata.name, container: container.name, since },
          signal,
        );
        logs += 1;
        if (text === undefined) unread.push(`${pod.metadata.name}/${container.name}`);
        else countErrors(text.split('\n'), now);
      });
  await pool.drain();
  const found = now.size === 0 ? [] : newErrors(now, await errorsInBackup(source, signal));
  if (found.length > 0 && source.opened.manifest.logs.length > 0)
    return {
      name,
      verdict: 'fail',
      evidence: found.slice(0, mostMessages).map(({ message, count }) => `${count} times: ${message}`),
    };
  if (found.length > 0)
    return {
      name,
      verdict: 'unknown',
      evidence: [
        'the backup has no logs to compare with',
        ...found.slice(0, mostMessages).map(({ message, count }) => `${count} times: ${message}`),
      ],
    };
  if (unread.length > 0)
    return {
      name,
      verdict: 'unknown',
      evidence: [`logs that could not be read: ${unread.slice(0, mostMessages).join(', ')}`],
    };
  return {
    name,
    verdict: 'pass',
    evidence: [`no error that the backup does not know, in ${counted(logs, 'log')} since ${since}`],
  };
}

async function errorsInBackup(source: Source, signal: AbortSignal): Promise<Map<string, number>> {
  const before = new Map<string, number>();
  for (const log of source.opened.manifest.logs)
    for await (const { content } of readLogFiles(source.store, source.opened, log, source.keys, signal))
      countErrors(content.toString('utf8').split('\n').map(withoutTime), before);
  return before;
}

/** The log of one container; undefined when there is none to be had, such as of a pod that never started. */
async function logOf(
  gateway: KubernetesGateway,
  { namespace, pod, container, since }: { namespace: string; pod: string; container: string; since: string },
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const query = new URLSearchParams({ container, sinceTime: since, limitBytes: String(mostLogBytes) });
    return (await gateway.raw('GET', `/api/v1/namespaces/${namespace}/pods/${pod}/log`, { query, signal }))
      .text;
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status === undefined || error.status === 401)
      throw error;
    // A container that waits to start has no log: 400.
    return error.status === 400 || error.status === 404 ? '' : undefined;
  }
}

/** Logs may be kept with the time before each line. */
function withoutTime(line: string): string {
  return line.replace(/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-][\d:]+) /, '');
}
