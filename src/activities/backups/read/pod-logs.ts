import { KubernetesError } from '../../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../clients/kubernetes/gateway.ts';
import type { Missing } from '../../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';

/** The log of one container: its newest bytes, whole lines, each with its time. */
export interface ReadLog {
  /** `<pod>/<container>.log`, `<pod>/<container>.previous.log`. */
  path: string;
  bytes: Buffer;
  /** It was longer; the beginning is cut off. */
  truncated: boolean;
}

/** Which logs, and how much of each. */
export interface LogsAsked {
  namespace: string;
  sinceSeconds: number;
  bytesPerContainer: number;
}

interface ContainerStatus {
  name: string;
  restartCount?: number;
  state?: { waiting?: object };
  lastState?: object;
}

/**
 * The logs of every container in the namespace, of init and ephemeral ones too, and of the one that ran before where
 * there was one. A log that cannot be read is told as missing; a container that has not begun has none. Reading only.
 * @throws {@link KubernetesError} when pods cannot be listed, or the API server is away as a whole; the signal's reason
 */
export async function* readLogs(
  gateway: KubernetesGateway,
  asked: LogsAsked,
  signal: AbortSignal,
): AsyncGenerator<ReadLog | { missing: Missing }, void, undefined> {
  if (asked.sinceSeconds === 0) return;
  const { namespace } = asked;
  const { items } = await gateway.list({ apiVersion: 'v1', kind: 'Pod', namespace, signal });
  for (const pod of items)
    for (const container of statusesOf(pod))
      for (const previous of hasPrevious(container) ? [true, false] : [false]) {
        if (!previous && container.state?.waiting !== undefined) continue;
        yield await readOne(
          gateway,
          asked,
          { pod: pod.metadata.name, container: container.name, previous },
          signal,
        );
      }
}

function statusesOf({ status }: KubernetesObject): ContainerStatus[] {
  const { initContainerStatuses, containerStatuses, ephemeralContainerStatuses } = (status ?? {}) as Record<
    string,
    ContainerStatus[] | undefined
  >;
  return [initContainerStatuses, containerStatuses, ephemeralContainerStatuses].flatMap((one) => one ?? []);
}

function hasPrevious({ restartCount = 0, lastState = {} }: ContainerStatus): boolean {
  return restartCount > 0 || Object.keys(lastState).length > 0;
}

async function readOne(
  gateway: KubernetesGateway,
  { namespace, sinceSeconds, bytesPerContainer }: LogsAsked,
  log: { pod: string; container: string; previous: boolean },
  signal: AbortSignal,
): Promise<ReadLog | { missing: Missing }> {
  const path = `${log.pod}/${log.container}${log.previous ? '.previous' : ''}.log`;
  const end = new End(bytesPerContainer);
  try {
    for await (const chunk of gateway.podLog({ ...log, namespace, sinceSeconds }, { signal })) end.add(chunk);
    return { path, ...end.result() };
  } catch (error) {
    signal.throwIfAborted();
    // Pods come and go meanwhile, and a kubelet may have thrown a log away: that is told, and is no reason to stop.
    if (!(error instanceof KubernetesError) || error.status === undefined) throw error;
    return { missing: { what: `log ${path}`, why: error.message } };
  }
}

/** Keeps the newest bytes of what passes, in bounded memory, and cuts at the beginning of a line. */
class End {
  readonly #limit: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #dropped = false;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    while (this.#length - (this.#chunks[0]?.length ?? 0) >= this.#limit) {
      this.#length -= this.#chunks.shift()?.length ?? 0;
      this.#dropped = true;
    }
  }

  result(): { bytes: Buffer; truncated: boolean } {
    const kept = Buffer.concat(this.#chunks);
    const truncated = this.#dropped || kept.length > this.#limit;
    if (!truncated) return { bytes: kept, truncated };
    const newest = kept.subarray(Math.max(0, kept.length - this.#limit));
    return { bytes: newest.subarray(newest.indexOf(0x0a) + 1), truncated };
  }
}
