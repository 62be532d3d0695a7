import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { BackupHook } from '../../contracts/backup-policy.ts';
import type { HookOutcome } from '../../contracts/backup.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { failure } from '../failures.ts';

/** Read and thrown away: what a hook prints may be anything, a password too. */
const keptOutputBytes = 0;

const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const;

/**
 * Runs the command of a hook in one ready pod of its workload. Not idempotent by itself: a hook has to bear that it runs
 * twice, which the profile's description says. How it ended is a result; only an API server that is away is an error.
 */
export async function runHook(
  gateway: KubernetesGateway,
  namespace: string,
  hook: BackupHook,
  when: HookOutcome['when'],
  signal: AbortSignal,
): Promise<HookOutcome> {
  const { name, container, command, timeoutSeconds } = hook;
  const ended = (ok: boolean, outcome: string): HookOutcome => ({ name, when, ok, outcome });
  const pod = await readyPod(gateway, namespace, hook, signal);
  if (pod === undefined) return ended(false, `no pod of ${hook.workload} is ready`);
  try {
    const { exitCode } = await gateway.exec(
      { namespace, pod, container, command },
      { maxOutputBytes: keptOutputBytes, timeoutSeconds, signal },
    );
    return ended(exitCode === 0, `exit code ${exitCode} in ${pod}`);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof KubernetesError)) throw error;
    if (error.reason === 'Timeout') return ended(false, `no end within ${timeoutSeconds} s in ${pod}`);
    // It will not be there the next time either, whatever the status of the answer.
    if (error.reason === 'CommandNotRun') return ended(false, error.message);
    if (error.retryable && error.reason !== 'NetworkError') throw error;
    return ended(false, error.message);
  }
}

async function readyPod(
  gateway: KubernetesGateway,
  namespace: string,
  { workload }: BackupHook,
  signal: AbortSignal,
): Promise<string | undefined> {
  const labelSelector = await selectorOf(gateway, namespace, workload, signal);
  const { items } = await gateway.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector, signal });
  return items
    .filter(isReady)
    .map(({ metadata }) => metadata.name)
    .sort()[0];
}

async function selectorOf(
  gateway: KubernetesGateway,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<string> {
  for (const kind of workloadKinds) {
    try {
      const { spec } = await gateway.get({ apiVersion: 'apps/v1', kind, namespace, name }, { signal });
      const labels = (spec as { selector?: { matchLabels?: Record<string, string> } }).selector?.matchLabels;
      return Object.entries(labels ?? {})
        .map(([label, value]) => `${label}=${value}`)
        .join(',');
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status !== 404) throw error;
    }
  }
  throw failure(
    'NotFound',
    `a hook of the profile names workload ${name}, which is not in namespace ${namespace}`,
  );
}

function isReady({ metadata, status }: KubernetesObject): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  const { conditions } = (status ?? {}) as { conditions?: { type: string; status: string }[] };
  return conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true;
}
