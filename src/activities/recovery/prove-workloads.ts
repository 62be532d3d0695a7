import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { PlannedObject } from '../../contracts/recovery.ts';
import type { Proof } from '../../contracts/run.ts';
import { readiness, whyNotReady } from '../../domain/recovery/workloads-ready.ts';
import { untilNothingMissing } from './until.ts';

const name = 'every workload of the backup is ready';

const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** Added to what the profile allows: images are pulled and volumes are made on the first day of a namespace. */
const firstDaySeconds = 300;

const mostEvidence = 10;

/** Only a drill needs workloads, and it gives them dummies. */
const ofDummies =
  'Secrets hold dummies in a drill: a service that is not ready with them needs drill.dummies in the profile';

/**
 * Waits until every workload of the plan has all its pods, new and ready. Reads only, so it may run any number of times; a
 * second attempt has the whole time again. `needed`: without any workload nothing is proven.
 */
export async function proveWorkloads(
  gateway: KubernetesGateway,
  plan: readonly PlannedObject[],
  { namespace, allowanceSeconds, needed }: { namespace: string; allowanceSeconds: number; needed: boolean },
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Proof> {
  const wanted = plan
    .map(({ verdict }) => verdict)
    .filter(
      ({ apiVersion, kind, verdict }) =>
        apiVersion === 'apps/v1' &&
        workloadKinds.includes(kind) &&
        (verdict === 'create' || verdict === 'update' || verdict === 'unchanged'),
    );
  if (wanted.length === 0)
    return { name, verdict: needed ? 'fail' : 'pass', evidence: ['the backup has no workloads to wait for'] };
  const missing = await untilNothingMissing(
    gateway,
    workloadKinds.map((kind) => ({ apiVersion: 'apps/v1', kind, namespace })),
    (found) => {
      const byName = new Map(found.flat().map((one) => [keyOf(one.kind, one.metadata.name), one]));
      return wanted.flatMap((one) => {
        const live = byName.get(keyOf(one.kind, one.name));
        if (live === undefined) return [`${one.kind} ${one.name}: it is not there`];
        const { ready, sentence } = readiness(live);
        return ready ? [] : [sentence];
      });
    },
    { seconds: allowanceSeconds + firstDaySeconds, signal, say },
  );
  if (missing.length === 0)
    return { name, verdict: 'pass', evidence: [`${wanted.length} workloads have all their pods`] };
  const pods = await gateway.list({ apiVersion: 'v1', kind: 'Pod', namespace, signal });
  const why = pods.items.flatMap((pod: KubernetesObject) => whyNotReady(pod) ?? []);
  const evidence = [...missing, ...why].slice(0, mostEvidence);
  return { name, verdict: 'fail', evidence: needed ? [...evidence, ofDummies] : evidence };
}

function keyOf(kind: string, name: string): string {
  return `${kind}/${name}`;
}
