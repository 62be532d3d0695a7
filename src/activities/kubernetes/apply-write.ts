import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { Json } from '../../contracts/json.ts';
import type { JsonPatchOperation, KubernetesObject } from '../../contracts/kubernetes.ts';
import { changeAnnotation, fieldManager } from '../../contracts/names.ts';
import type { Write, Written } from '../../contracts/plan.ts';
import { equalJson, pointerTo, valueAt, type Difference } from '../../domain/plan/paths.ts';
import { templateOf } from '../../domain/pod-template.ts';
import { failure } from '../failures.ts';
import { pathOperations } from './path-operations.ts';
import { pinOperation } from './plan-workload.ts';
import { readTemplates, type Templates } from './read-templates.ts';

/**
 * Sends one pinned write. Idempotent: a second attempt is refused (its pin is stale), reads once, and finds the
 * marker and values of the first. A late attempt of a run that went on elsewhere is refused too and writes nothing.
 * What it reads before it writes is content only (templates of ReplicaSets); the pin of the workflow stays the fence.
 * @throws Moved, with nothing written, when someone else wrote the object since it was pinned; Overwritten when they did
 * so after an earlier attempt had written it; NotFound when a template is gone.
 */
export async function applyWrite(
  gateway: KubernetesGateway,
  write: Write,
  marker: string,
  signal: AbortSignal,
): Promise<Written> {
  const templates = await readTemplates(gateway, write, signal);
  const operations = [
    pinOperation(write.pin.resourceVersion),
    ...write.operations,
    ...(await templateOperations(gateway, write, templates, signal)),
    ...markOperations(write, marker),
  ];
  try {
    signal.throwIfAborted();
    return asWritten(write, await gateway.jsonPatch(write.pin, operations, { fieldManager, signal }));
  } catch (error) {
    if (!(error instanceof KubernetesError) || !mayBeStale(error)) throw error;
    const live = await gateway.get(write.pin, { signal });
    if (error.status === 422 && isStill(write.pin, live)) throw error;
    return asWritten(write, recogniseOwn(live, write, marker, templates));
  }
}

/**
 * The whole template at once, as it was: order included, so that Kubernetes takes the former ReplicaSet again. When
 * someone else changed the template since, only the values that still are those of the template to be replaced.
 */
async function templateOperations(
  gateway: KubernetesGateway,
  { pin }: Write,
  templates: Templates | undefined,
  signal: AbortSignal,
): Promise<JsonPatchOperation[]> {
  if (templates === undefined) return [];
  const live = await gateway.get(pin, { signal });
  if (equalJson(templateOf(live), templates.from))
    return [{ op: 'replace', path: '/spec/template', value: templates.to }];
  return pathOperations(live as unknown as Json, stillToReplace(live, templates.differences));
}

/**
 * A stale pin answers 409, unless a part of the patch does not fit the newer object (a test on a list key that
 * moved, a value that is gone already): those are looked at first, and answer 422 as a malformed patch would.
 */
function mayBeStale({ status }: KubernetesError): boolean {
  return status === 409 || status === 422;
}

function isStill(pin: Write['pin'], { metadata }: KubernetesObject): boolean {
  return metadata.uid === pin.uid && metadata.resourceVersion === pin.resourceVersion;
}

function recogniseOwn(
  live: KubernetesObject,
  write: Write,
  marker: string,
  templates: Templates | undefined,
): KubernetesObject {
  const marked =
    live.metadata.uid === write.pin.uid && live.metadata.annotations?.[changeAnnotation] === marker;
  const ours =
    marked &&
    write.expected.every(({ path, value }) => equalJson(valueAt(live as unknown as Json, path), value)) &&
    // Beside values that someone else set, the template to be put in place is there when nothing of the other is left.
    stillToReplace(live, templates?.differences ?? []).length === 0;
  if (ours) return live;
  const name = `${live.kind} ${live.metadata.namespace ?? ''}/${live.metadata.name}`;
  // The marker outlives what others write: an earlier attempt took effect, and parts of it may still be there.
  if (marked)
    throw failure('Overwritten', `${name} was written by someone else right after this run wrote it`);
  throw failure('Moved', `${name} was written by someone else since it was read`);
}

function stillToReplace(live: KubernetesObject, differences: Difference[]): Difference[] {
  const root = live as unknown as Json;
  return differences.filter(
    ({ path, before }) => pointerTo(root, path) !== undefined && equalJson(valueAt(root, path), before),
  );
}

function markOperations(write: Write, marker: string): JsonPatchOperation[] {
  const parent: JsonPatchOperation[] = write.hasAnnotations
    ? []
    : [{ op: 'add', path: '/metadata/annotations', value: {} }];
  return [
    ...parent,
    { op: 'add', path: `/metadata/annotations/${changeAnnotation.replaceAll('/', '~1')}`, value: marker },
  ];
}

function asWritten({ pin }: Write, { metadata }: KubernetesObject): Written {
  return { ...pin, resourceVersion: metadata.resourceVersion ?? '', generation: metadata.generation ?? 0 };
}
