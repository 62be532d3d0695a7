import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { isJsonObject, valueOf } from './edit.ts';

/** Whether a Deployment, StatefulSet or DaemonSet has all its pods, new and ready; else what is missing, in words. */
export function readiness(workload: KubernetesObject): { ready: boolean; sentence: string } {
  const { kind, metadata } = workload;
  const name = `${kind} ${metadata.name}`;
  const status = (key: string): number => number(valueOf(workload, 'status', key));
  if (status('observedGeneration') < (metadata.generation ?? 0))
    return { ready: false, sentence: `${name}: its controller has not seen it yet` };
  const wanted =
    kind === 'DaemonSet'
      ? status('desiredNumberScheduled')
      : number(valueOf(workload, 'spec', 'replicas'), 1);
  const ready = kind === 'DaemonSet' ? status('numberReady') : status('readyReplicas');
  const updated = kind === 'DaemonSet' ? status('updatedNumberScheduled') : updatedReplicas(workload);
  if (ready >= wanted && updated >= wanted)
    return { ready: true, sentence: `${name}: ${wanted} of ${wanted} ready` };
  return { ready: false, sentence: `${name}: ${Math.min(ready, updated)} of ${wanted} ready` };
}

/** What holds a pod up, in words; undefined when nothing does. */
export function whyNotReady(pod: KubernetesObject): string | undefined {
  const statuses = ['initContainerStatuses', 'containerStatuses'].flatMap((list) =>
    objects(valueOf(pod, 'status', list)),
  );
  const reasons = statuses.flatMap(({ state, name, ready }) => {
    if (typeof name !== 'string' || !isJsonObject(state)) return [];
    const { waiting, running } = state;
    const reason = isJsonObject(waiting) ? waiting['reason'] : undefined;
    if (typeof reason === 'string' && /^[A-Za-z]{1,60}$/.test(reason))
      return [`container ${name} waits: ${reason}`];
    return running !== undefined && ready === false ? [`container ${name} runs and is not ready`] : [];
  });
  const unscheduled = objects(valueOf(pod, 'status', 'conditions')).some(
    ({ type, status }) => type === 'PodScheduled' && status === 'False',
  );
  const why = unscheduled ? 'no node takes it' : reasons[0];
  return why === undefined ? undefined : `pod ${pod.metadata.name}: ${why}`;
}

/** With the strategy OnDelete pods are renewed by hand, and a StatefulSet says nothing of updated ones once all are. */
function updatedReplicas(workload: KubernetesObject): number {
  const updated = valueOf(workload, 'status', 'updatedReplicas');
  if (workload.kind !== 'StatefulSet') return number(updated);
  const current = valueOf(workload, 'status', 'currentRevision');
  return current !== undefined && current === valueOf(workload, 'status', 'updateRevision')
    ? number(valueOf(workload, 'status', 'replicas'))
    : number(updated);
}

function number(value: Json | undefined, otherwise = 0): number {
  return typeof value === 'number' ? value : otherwise;
}

function objects(value: Json | undefined): Record<string, Json>[] {
  return (Array.isArray(value) ? value : []).filter(isJsonObject);
}
