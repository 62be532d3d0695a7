import { setTimeout as delay } from 'node:timers/promises';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { checkNamed } from '../../clients/kubernetes/resource-path.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { changeAnnotation, fieldManager } from '../../contracts/names.ts';
import type { PlannedObject } from '../../contracts/recovery.ts';
import { putAt } from '../../domain/recovery/edit.ts';
import { nameOf } from '../../domain/recovery/plan-page.ts';
import { isAsWanted } from '../../domain/recovery/rules/same.ts';
import { updateOf } from '../../domain/recovery/verdict.ts';
import { ownersOf, type Wanted } from '../../domain/recovery/wanted.ts';
import { pinOperation } from '../kubernetes/plan-workload.ts';
import { getOrNothing } from './live-objects.ts';
import type { Owners } from './owners.ts';
import { isApplied } from './source.ts';

/** One object that is to be written. */
export interface Task {
  planned: PlannedObject;
  number: number;
  wanted: Wanted;
  entry: IndexEntry;
  marker: string;
}

/** What was done with it; a trouble is a sentence that names the object. */
export type Written =
  | { did: 'created' | 'updated' | 'replaced' | 'nothing'; uid: string | null; note?: string }
  | { trouble: string };

/** An update with the object as it is now, or what has become of it meanwhile. */
export interface ReadyUpdate {
  task: Task;
  /** Its former state; undefined when there is nothing to keep. */
  live?: KubernetesObject;
  /** Decided without a write. */
  outcome?: Written;
}

/** A webhook that does not answer makes the server answer 500; it may come up. */
const triesAtServerErrors = 3;
const pauseAtServerErrorMilliseconds = 1000;

/** Controllers that take up a new object write it a few times in its first second. */
const triesToPutFieldsBack = 5;

/** How long the deletion before a replacement may take: finalizers may need their controllers. */
const deletionMilliseconds = 30_000;
const pauseWhileDeletedMilliseconds = 200;

/**
 * Creates an object. One that exists already is looked at: with this run's mark it is the work of an earlier attempt, as
 * it should be there is nothing to do, anything else is trouble. @throws KubernetesError when nobody answers
 */
export async function createObject(
  gateway: KubernetesGateway,
  task: Task,
  owners: Owners,
  signal: AbortSignal,
): Promise<Written> {
  return await orTrouble(task, signal, async () => {
    const object = await dressed(task, owners);
    try {
      signal.throwIfAborted();
      const created = await gateway.create(object, { fieldManager, signal });
      return await putFieldsBack(gateway, task, created, signal, 'created');
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status !== 409) throw error;
      return await recognise(gateway, task, signal, error);
    }
  });
}

/** Reads what an update or a replacement is about to change. @throws KubernetesError when nobody answers */
export async function readForUpdate(
  gateway: KubernetesGateway,
  task: Task,
  signal: AbortSignal,
): Promise<ReadyUpdate> {
  const { planned } = task;
  let live: KubernetesObject | undefined;
  const read = await orTrouble(task, signal, async () => {
    live = await getOrNothing(gateway, refOf(task), signal);
    return { did: 'nothing', uid: null };
  });
  if ('trouble' in read) return { task, outcome: read };
  if (live === undefined) {
    // Between deleting and making anew an earlier attempt may have been lost.
    return planned.verdict.write === 'replace'
      ? { task }
      : { task, outcome: { trouble: `${nameOf(planned.verdict)}: it was deleted since the plan was made` } };
  }
  const { uid = null, resourceVersion, generation, annotations } = live.metadata;
  if (annotations?.[changeAnnotation] === task.marker && isDone(task, live))
    return { task, outcome: { did: 'nothing', uid } };
  // A status changes by itself; what was written since the plan has another generation, or another version.
  const moved =
    resourceVersion !== planned.resourceVersion &&
    (generation === undefined || generation !== planned.generation);
  if (uid !== planned.verdict.uid || moved)
    return {
      task,
      outcome: {
        trouble: `${nameOf(planned.verdict)}: it was written by someone else since the plan was made`,
      },
    };
  return { task, live };
}

/**
 * Updates an object as it was read, or deletes it and makes it anew. The write carries uid and resourceVersion: what was
 * written since it was read is not overwritten. @throws KubernetesError when nobody answers
 */
export async function updateObject(
  gateway: KubernetesGateway,
  { task, live, outcome }: ReadyUpdate,
  owners: Owners,
  signal: AbortSignal,
): Promise<Written> {
  if (outcome !== undefined) return outcome;
  return await orTrouble(task, signal, async () => {
    if (task.planned.verdict.write === 'replace')
      return await replaceObject(gateway, task, live, owners, signal);
    if (live === undefined) throw new Error('an update needs the object');
    const next = marked(
      updateOf({ wanted: task.wanted.object, context: task.wanted.context }, live),
      task.marker,
    );
    signal.throwIfAborted();
    const written = await gateway.replace(next, { fieldManager, signal });
    return { did: 'updated', uid: written.metadata.uid ?? null };
  });
}

async function replaceObject(
  gateway: KubernetesGateway,
  task: Task,
  live: KubernetesObject | undefined,
  owners: Owners,
  signal: AbortSignal,
): Promise<Written> {
  if (live !== undefined) {
    const { uid = '', resourceVersion = '' } = live.metadata;
    signal.throwIfAborted();
    await gateway.delete(refOf(task), {
      preconditions: { uid, resourceVersion },
      propagationPolicy: 'Background',
      signal,
    });
    const giveUpAt = Date.now() + deletionMilliseconds;
    while ((await getOrNothing(gateway, refOf(task), signal))?.metadata.uid === uid) {
      if (Date.now() > giveUpAt)
        return {
          trouble: `${nameOf(task.planned.verdict)}: it was deleted and does not go; a finalizer holds it`,
        };
      await delay(pauseWhileDeletedMilliseconds, undefined, { signal });
    }
  }
  const created = await createObject(gateway, task, owners, signal);
  return 'did' in created && created.did === 'created' ? { ...created, did: 'replaced' } : created;
}

/** Somebody made an object of this name: an earlier attempt, or someone else. */
async function recognise(
  gateway: KubernetesGateway,
  task: Task,
  signal: AbortSignal,
  conflict: KubernetesError,
): Promise<Written> {
  const live = await getOrNothing(gateway, refOf(task), signal);
  if (live === undefined) throw conflict;
  const { uid = null, annotations } = live.metadata;
  if (live.metadata.deletionTimestamp !== undefined)
    return { trouble: `${nameOf(task.planned.verdict)}: an object of this name is being deleted` };
  if (annotations?.[changeAnnotation] === task.marker)
    return await putFieldsBack(gateway, task, live, signal, 'nothing');
  if (isDone(task, live)) return { did: 'nothing', uid };
  return {
    trouble: `${nameOf(task.planned.verdict)}: somebody made another object of this name since the plan was made`,
  };
}

function isDone({ wanted }: Task, live: KubernetesObject): boolean {
  return isAsWanted(wanted.object, live, wanted.context);
}

/**
 * A create loses who owns which field, and the next server-side apply of the owner would conflict with fields that it owns:
 * the former ownership is written back where somebody applies. Not for an object that is not as it was created.
 */
async function putFieldsBack(
  gateway: KubernetesGateway,
  task: Task,
  live: KubernetesObject,
  signal: AbortSignal,
  did: 'created' | 'nothing',
  attempt = 1,
): Promise<Written> {
  const uid = live.metadata.uid ?? null;
  const fields = task.entry.dropped.metadata['managedFields'];
  if (!isApplied(fields) || isApplied(live.metadata.managedFields)) return { did, uid };
  try {
    const operations = [
      pinOperation(live.metadata.resourceVersion ?? ''),
      { op: 'replace' as const, path: '/metadata/managedFields', value: withoutStatus(fields) },
    ];
    await gateway.jsonPatch(refOf(task), operations, { fieldManager, signal });
    return { did, uid };
  } catch (error) {
    if (!(error instanceof KubernetesError) || error.status === undefined) throw error;
    // A controller was faster, with a status or an annotation. Another generation is no object as it was created any more.
    if (error.status === 409 && attempt < triesToPutFieldsBack) {
      const now = await getOrNothing(gateway, refOf(task), signal);
      const { generation } = live.metadata;
      if (
        now !== undefined &&
        now.metadata.uid === live.metadata.uid &&
        now.metadata.generation === generation
      )
        return await putFieldsBack(gateway, task, now, signal, did, attempt + 1);
    }
    // Or a version is gone. The object is there; its owner has to force its next apply.
    return { did, uid, note: `who owns its fields could not be put back: ${error.message}` };
  }
}

function withoutStatus(fields: Json | undefined): Json {
  return (Array.isArray(fields) ? fields : []).filter(
    (one) =>
      typeof one !== 'object' || one === null || !('subresource' in one) || one['subresource'] !== 'status',
  );
}

/** The object with this run's mark and its owners, as far as they are there. */
async function dressed({ wanted, entry, marker }: Task, owners: Owners): Promise<KubernetesObject> {
  const object = marked(wanted.object, marker);
  const there = await owners.resolve(ownersOf(entry));
  return there.length === 0
    ? object
    : { ...object, metadata: { ...object.metadata, ownerReferences: there } };
}

function marked(object: KubernetesObject, marker: string): KubernetesObject {
  return putAt(object, ['metadata', 'annotations', changeAnnotation], marker);
}

function refOf({ wanted: { object } }: Pick<Task, 'wanted'>): {
  apiVersion: string;
  kind: string;
  namespace: string;
  name: string;
} {
  const { namespace = '', name } = object.metadata;
  return { apiVersion: object.apiVersion, kind: object.kind, namespace, name };
}

/**
 * What the server has against one object is the trouble of that object. That nobody answers, or not for long enough, ends
 * the attempt: all of them would fail.
 */
async function orTrouble(task: Task, signal: AbortSignal, work: () => Promise<Written>): Promise<Written> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof KubernetesError)) throw error;
      const trouble = { trouble: `${nameOf(task.planned.verdict)}: ${error.message}` };
      if (!canBeNamed(task)) return trouble;
      if (error.status === undefined || error.status === 401) throw error;
      if (error.status === 429 || error.status === 503 || error.status === 504) throw error;
      if (error.status < 500 || attempt >= triesAtServerErrors) return trouble;
      await delay(pauseAtServerErrorMilliseconds * attempt, undefined, { signal });
    }
  }
}

/** Of what cannot be named no request is ever sent; any other input that is refused, such as a kubeconfig, concerns every object. */
function canBeNamed({ planned }: Task): boolean {
  try {
    checkNamed('POST', planned.verdict);
    return true;
  } catch {
    return false;
  }
}
