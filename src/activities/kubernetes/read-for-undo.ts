import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Json } from '../../contracts/json.ts';
import type { JsonPatchOperation, KubernetesObject } from '../../contracts/kubernetes.ts';
import { changeAnnotation } from '../../contracts/names.ts';
import type { Change, WorkloadPlan, Write, Written } from '../../contracts/plan.ts';
import type { RunRef } from '../../contracts/run.ts';
import { differences, equalJson, pointerTo, valueAt } from '../../domain/plan/paths.ts';
import { failure } from '../failures.ts';

/** A fresh pin and the operations that put back what the run changed, and what someone else changed meanwhile. */
export interface UndoWrite {
  write: Write;
  drift: string[];
  /** Image per container once the write is done: the former one, or what someone else set meanwhile. */
  images: Record<string, string>;
}

/**
 * Reads an object that the run may have changed and says how to put its own changes back. The write always
 * changes at least the marker, even when nothing is left to put back: only a write stops a late attempt.
 * @throws NotFound when the object is gone, Refused when another run wrote it since.
 */
export async function readForUndo(
  gateway: KubernetesGateway,
  plan: WorkloadPlan,
  run: RunRef,
  signal: AbortSignal,
): Promise<UndoWrite> {
  const live = await gateway.get(plan.write.pin, { signal });
  if (live.metadata.uid !== plan.write.pin.uid)
    throw failure(
      'NotFound',
      `${plan.write.pin.kind} ${plan.write.pin.name} was deleted and made anew; it is left as it is`,
    );
  refuseForeign(live, plan, run);
  const root = live as unknown as Json;
  const undone = plan.changes.filter((change) => equalJson(valueAt(root, change.path), change.after));
  const drift = plan.changes.filter(
    (change) => !undone.includes(change) && !equalJson(valueAt(root, change.path), change.before),
  );
  return {
    drift: drift.map((change) => change.path),
    images: imagesAfter(root, plan, drift),
    write: {
      pin: { ...plan.write.pin, resourceVersion: live.metadata.resourceVersion ?? '' },
      hasAnnotations: live.metadata.annotations !== undefined,
      operations: [
        { op: 'test', path: '/metadata/uid', value: plan.write.pin.uid },
        ...undone.map((change) => reverse(root, change)).sort(removalsLast),
      ],
      expected: undone.map(({ path, before }) => (before === undefined ? { path } : { path, value: before })),
    },
  };
}

function imagesAfter(root: Json, plan: WorkloadPlan, drift: Change[]): Record<string, string> {
  const live = (change: Change): Json | undefined => valueAt(root, change.path);
  const drifted = drift.flatMap((change) => {
    const container = /ontainers\[name=(.+)\]\/image$/.exec(change.path)?.[1];
    const image = live(change);
    return container === undefined || typeof image !== 'string' ? [] : [[container, image] as const];
  });
  return { ...plan.formerImages, ...Object.fromEntries(drifted) };
}

/** How the template differs from the one in the former ReplicaSet, by keyed path. Reads only. */
export async function compareTemplate(
  gateway: KubernetesGateway,
  written: Written,
  former: WorkloadPlan['formerReplicaSet'] | null,
  signal: AbortSignal,
): Promise<{ compared: boolean; differences: string[] }> {
  if (former === null || former === undefined) return { compared: false, differences: [] };
  const live = await gateway.get(written, { signal });
  const { items } = await gateway.list({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace: written.namespace,
    fieldSelector: `metadata.name=${former.name}`,
    signal,
  });
  const replicaSet = items.find((item) => item.metadata.uid === former.uid);
  if (replicaSet === undefined) return { compared: false, differences: [] };
  return {
    compared: true,
    differences: differences(templateOf(replicaSet), templateOf(live), 'spec/template').map(
      ({ path }) => path,
    ),
  };
}

/** The pod template without the label that the Deployment controller adds to a ReplicaSet's copy. */
function templateOf(object: KubernetesObject): Json {
  const { template } = object.spec as {
    template: { metadata?: { labels?: Record<string, string> } } & Record<string, Json>;
  };
  const { 'pod-template-hash': ignored, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

function refuseForeign(live: KubernetesObject, plan: WorkloadPlan, run: RunRef): void {
  const marker = live.metadata.annotations?.[changeAnnotation];
  const ours = marker?.startsWith(`${run.workflowId}/${run.firstRunId}/`) === true;
  if (ours || marker === plan.write.formerMarker) return;
  throw failure(
    'Refused',
    `another run wrote ${live.kind} ${live.metadata.name} since this one changed it; it is left as it is`,
  );
}

function reverse(root: Json, change: Change): JsonPatchOperation {
  const pointer = pointerTo(root, change.path);
  if (pointer === undefined)
    throw failure('Refused', `${change.path} cannot be put back: its parent is gone`);
  if (change.before === undefined) return { op: 'remove', path: pointer };
  return { op: change.after === undefined ? 'add' : 'replace', path: pointer, value: change.before };
}

/** Removing list items shifts those behind them: so at the end, and the last one first. */
function removalsLast(left: JsonPatchOperation, right: JsonPatchOperation): number {
  if (left.op === 'remove' && right.op === 'remove')
    return right.path.localeCompare(left.path, 'en', { numeric: true });
  return Number(left.op === 'remove') - Number(right.op === 'remove');
}
