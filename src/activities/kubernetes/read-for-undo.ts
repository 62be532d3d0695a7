import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { changeAnnotation } from '../../contracts/names.ts';
import type { WorkloadChange, Write, Written } from '../../contracts/plan.ts';
import type { RunRef } from '../../contracts/run.ts';
import { differences, equalJson, pointerTo, valueAt, type Difference } from '../../domain/plan/paths.ts';
import { templateOf } from '../../domain/pod-template.ts';
import { failure } from '../failures.ts';
import { pathOperations } from './path-operations.ts';
import { testUid } from './plan-workload.ts';
import { readTemplate, readTemplates } from './read-templates.ts';

/** A fresh pin and the operations that put back what a run changed, and what someone else changed meanwhile. */
export interface UndoWrite {
  write: Write;
  drift: string[];
  /** Image per container once the write is done: the former one, or what someone else set meanwhile. */
  images: Record<string, string>;
}

/**
 * Reads an object that the run `owner` may have changed and says how to put its changes back. The write always
 * changes at least the marker, even when nothing is left to put back: only a write stops a late attempt.
 * @throws NotFound when the object or a template is gone, Refused when another run wrote it since.
 */
export async function readForUndo(
  gateway: KubernetesGateway,
  change: WorkloadChange,
  owner: RunRef,
  signal: AbortSignal,
): Promise<UndoWrite> {
  const { pin, template } = change.write;
  const live = await gateway.get(pin, { signal });
  if (live.metadata.uid !== pin.uid)
    throw failure('NotFound', `${pin.kind} ${pin.name} was deleted and made anew; it is left as it is`);
  refuseForeign(live, change, owner);
  const root = live as unknown as Json;
  const templates = await readTemplates(gateway, change.write, signal);
  const byPath = template === undefined ? change.changes : change.changes.filter(isOutsideTemplate);
  const undone = byPath.filter((one) => isStillWritten(root, one));
  const drift = [...byPath, ...(templates?.differences ?? [])].filter(
    (one) => !isStillWritten(root, one) && !equalJson(valueAt(root, one.path), one.before),
  );
  return {
    drift: drift.map(({ path }) => path),
    images: imagesAfter(root, change, drift),
    write: {
      pin: { ...pin, resourceVersion: live.metadata.resourceVersion ?? '' },
      hasAnnotations: live.metadata.annotations !== undefined,
      operations: [testUid(live), ...pathOperations(root, undone.map(reversed))],
      ...(template === undefined ? {} : { template: { from: template.to, to: template.from } }),
      expected: undone.map(({ path, before }) => (before === undefined ? { path } : { path, value: before })),
    },
  };
}

/** Of a replaced template the plan shows only a part (values of variables are hidden): the ReplicaSets hold it. */
function isOutsideTemplate({ path }: Difference): boolean {
  return path !== 'spec/template' && !path.startsWith('spec/template/');
}

/** Whether the value is the run's own, in a place where the former one can be put back. */
function isStillWritten(root: Json, { path, after }: Difference): boolean {
  return pointerTo(root, path) !== undefined && equalJson(valueAt(root, path), after);
}

function reversed({ path, before, after }: Difference): Difference {
  return {
    path,
    ...(after === undefined ? {} : { before: after }),
    ...(before === undefined ? {} : { after: before }),
  };
}

function imagesAfter(root: Json, change: WorkloadChange, drift: Difference[]): Record<string, string> {
  const drifted = drift.flatMap(({ path }) => {
    const container = /ontainers\[name=(.+)\]\/image$/.exec(path)?.[1];
    const image = valueAt(root, path);
    return container === undefined || typeof image !== 'string' ? [] : [[container, image] as const];
  });
  return { ...change.formerImages, ...Object.fromEntries(drifted) };
}

/** How the template differs from the one in the former ReplicaSet, by keyed path. Reads only. */
export async function compareTemplate(
  gateway: KubernetesGateway,
  written: Written,
  former: WorkloadChange['formerReplicaSet'],
  signal: AbortSignal,
): Promise<{ compared: boolean; differences: string[] }> {
  if (former === undefined) return { compared: false, differences: [] };
  const live = await gateway.get(written, { signal });
  const template = await readTemplate(gateway, written.namespace, former, signal);
  if (template === undefined) return { compared: false, differences: [] };
  const found = differences(template, templateOf(live), 'spec/template');
  return { compared: true, differences: found.map(({ path }) => path) };
}

function refuseForeign(live: KubernetesObject, change: WorkloadChange, owner: RunRef): void {
  const marker = live.metadata.annotations?.[changeAnnotation];
  const theirs = marker?.startsWith(`${owner.workflowId}/${owner.firstRunId}/`) === true;
  if (theirs || marker === change.write.formerMarker) return;
  throw failure(
    'Refused',
    `another run wrote ${live.kind} ${live.metadata.name} since this one changed it; it is left as it is`,
  );
}
