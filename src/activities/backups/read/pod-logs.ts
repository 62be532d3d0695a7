import { KubernetesError } from '../../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../clients/kubernetes/gateway.ts';
import type { Missing } from '../../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';

/** Which logs. */
export interface LogsAsked {
  namespace: string;
  /** Lines older than this are left out; 0 means no logs at all. */
  sinceSeconds: number;
  /** Of a longer log the end is kept. */
  bytesPerContainer: number;
}

/** One log, or why there is none. */
export type LogItem =
  | {
      /** `<pod>/<container>.log`, `<pod>/<container>.previous.log`. */
      path: string;
      bytes: Buffer;
      /** Its beginning was cut off. */
      truncated: boolean;
    }
  | { missing: Missing };

/**
 * The logs of every container of every pod of a namespace, one by one: init and debugging containers, too, and of a
 * container that was restarted first what its predecessor wrote. Each line begins with its time. A log that cannot be had is told as missing. Reading
 * only: safe to repeat. Logs may hold anything: they belong into nothing that is stored unencrypted.
 *
 * @throws {@link KubernetesError} when the API server does not answer; the signal's reason.
 */
export async function* readLogs(
  gateway: KubernetesGateway,
  asked: LogsAsked,
  signal: AbortSignal,
): AsyncGenerator<LogItem, void, undefined> {
  if (asked.sinceSeconds === 0) return;
  const logs: Log[] = [];
  try {
    // First all names: while logs are read the list would expire.
    const pods = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true };
    for await (const { items } of gateway.bulkPages(pods, { namespace: asked.namespace, signal }))
      logs.push(...items.flatMap(logsOf));
  } catch (error) {
    yield { missing: { what: 'logs', why: reasonOf(error, signal) } };
    return;
  }
  for (const log of logs) yield await readLog(gateway, asked, log, signal);
}

interface Log {
  pod: string;
  container: string;
  previous: boolean;
}

interface ContainerStatus {
  name: string;
  state?: { waiting?: object };
  lastState?: { terminated?: object };
}

/** A container that never ran has no log, and a log that cannot exist is not missing. */
function logsOf({ metadata, status }: KubernetesObject): Log[] {
  const { initContainerStatuses, containerStatuses, ephemeralContainerStatuses } = (status ?? {}) as Record<
    'initContainerStatuses' | 'containerStatuses' | 'ephemeralContainerStatuses',
    ContainerStatus[] | undefined
  >;
  const all = [initContainerStatuses, containerStatuses, ephemeralContainerStatuses].flatMap(
    (one) => one ?? [],
  );
  return all.flatMap(({ name, state, lastState }) => {
    const log = { pod: metadata.name, container: name };
    const previous = lastState?.terminated === undefined ? [] : [{ ...log, previous: true }];
    return state?.waiting === undefined ? [...previous, { ...log, previous: false }] : previous;
  });
}

async function readLog(
  gateway: KubernetesGateway,
  { namespace, sinceSeconds, bytesPerContainer }: LogsAsked,
  log: Log,
  signal: AbortSignal,
): Promise<LogItem> {
  const path = `${log.pod}/${log.container}${log.previous ? '.previous' : ''}.log`;
  try {
    const stream = gateway.podLog({ ...log, namespace, sinceSeconds }, { signal });
    return { path, ...(await endOf(stream, bytesPerContainer)) };
  } catch (error) {
    return { missing: { what: `log ${path}`, why: reasonOf(error, signal) } };
  }
}

/** Why there is no log. @throws the error itself when it is not about this log alone */
function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted || !(error instanceof KubernetesError)) throw error;
  // Credentials that are refused and a server that is throttled concern everything else, too.
  if (error.status === 401 || error.status === 429) throw error;
  // Silence is that of the node; where no answer came at all, the API server is away.
  if (error.status === undefined && error.reason !== 'Timeout') throw error;
  return error.message;
}

/** The last bytes of a stream in bounded memory, from the beginning of a line. */
async function endOf(
  stream: AsyncIterable<Buffer>,
  most: number,
): Promise<{ bytes: Buffer; truncated: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  let truncated = false;
  for await (const chunk of stream) {
    chunks.push(chunk);
    length += chunk.length;
    for (let first = chunks[0]; first !== undefined && length - first.length >= most; first = chunks[0]) {
      length -= first.length;
      truncated = truncated || first.length > 0;
      chunks.shift();
    }
  }
  const bytes = Buffer.concat(chunks);
  if (bytes.length <= most && !truncated) return { bytes, truncated };
  return { bytes: fromLineStart(bytes, Math.max(0, bytes.length - most)), truncated: true };
}

/** A line that is longer than all that is kept is kept without its beginning. */
function fromLineStart(bytes: Buffer, from: number): Buffer {
  if (from > 0 && bytes[from - 1] === newline) return bytes.subarray(from);
  const end = bytes.indexOf(newline, from);
  return bytes.subarray(end === -1 || end === bytes.length - 1 ? from : end + 1);
}

const newline = 0x0a;
