import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject, ObjectRef, Pin } from '../../contracts/kubernetes.ts';
import { changeAnnotation } from '../../contracts/names.ts';
import type { GitOpsOwner, OwnerPause, OwnerPausePlan } from '../../contracts/owner-pause.ts';
import type { Write } from '../../contracts/plan.ts';
import { decidePause, managesWorkload, ownersOf, type PauseEdit } from '../../domain/git-ops-pause.ts';
import { equalJson, valueAt, type Difference } from '../../domain/plan/paths.ts';
import { failure } from '../failures.ts';
import { pathOperations } from './path-operations.ts';
import { testUid } from './plan-workload.ts';

/**
 * Says what would keep the owner of a workload from reverting a change, with the pin to write it by and the value that
 * it replaces. Reads only. The pause is written by `applyWrite` and taken back by `readForUndo` and `applyWrite`, whose
 * idempotency is its own; one on the workload itself moves the workload's resourceVersion, so it comes before the plan
 * whose pins are written.
 * @throws NotFound when the workload is gone or was made anew.
 */
export async function planOwnerPause(
  gateway: KubernetesGateway,
  pin: Pin,
  signal: AbortSignal,
): Promise<OwnerPausePlan> {
  const workload = await gateway.get(pin, { signal });
  if (workload.metadata.uid !== pin.uid)
    throw failure('NotFound', `${pin.kind} ${pin.name} was deleted and made anew since it was planned`);
  const decision = decidePause(workload);
  if ('cannot' in decision) return { state: 'cannot', sentence: decision.cannot };
  if ('note' in decision) return { state: 'notNeeded', owner: decision.owner, sentence: decision.note };
  const { owner, edit } = decision;
  if (edit.on === undefined) return planEdit(owner, edit, workload);
  const found = await readOwner(gateway, edit.on, signal);
  if (found.object === undefined) return { state: 'cannot', sentence: found.cannot };
  if (owner === 'argo-cd' && !managesWorkload(found.object, workload))
    return {
      state: 'cannot',
      sentence: `${nameOf(found.object)} does not list ${nameOf(workload)} among its resources, so it was not paused; find the Application that does, and pause that by hand`,
    };
  return planEdit(owner, edit, found.object);
}

function planEdit(
  owner: GitOpsOwner,
  { path, value, reach }: PauseEdit,
  live: KubernetesObject,
): OwnerPausePlan {
  const before = valueAt(live as unknown as Json, path);
  if (equalJson(before, value))
    return {
      state: 'notNeeded',
      owner,
      sentence: `${nameOf(live)} was paused already (${path}): ${reach}`,
    };
  const difference: Difference = { path, ...(before === undefined ? {} : { before }), after: value };
  const pause: OwnerPause = {
    owner,
    sentence: `pauses ${nameOf(live)} (${path}: ${JSON.stringify(value)}): ${reach}, until it is resumed${warning(live)}`,
    resumeCommand: resumeCommand(live, difference),
    changes: [{ ...refOf(live), uid: live.metadata.uid ?? null, ...difference }],
    write: pinnedWrite(live, difference),
    images: {},
    formerImages: {},
  };
  return { state: 'pause', pause };
}

function pinnedWrite(live: KubernetesObject, difference: Difference): Write {
  const { uid = '', resourceVersion = '', annotations } = live.metadata;
  // The pause may itself be an annotation, so their parent comes first; the marker then finds it there.
  const parent =
    annotations === undefined ? [{ op: 'add', path: '/metadata/annotations', value: {} } as const] : [];
  const root = { ...live, metadata: { ...live.metadata, annotations: annotations ?? {} } };
  const formerMarker = annotations?.[changeAnnotation];
  return {
    pin: { ...refOf(live), uid, resourceVersion },
    operations: [testUid(live), ...parent, ...pathOperations(root, [difference])],
    hasAnnotations: true,
    expected: [
      { path: difference.path, ...(difference.after === undefined ? {} : { value: difference.after }) },
    ],
    ...(formerMarker === undefined ? {} : { formerMarker }),
  };
}

/** The object that pauses; or why it cannot, since a run in need is better told than ended. */
async function readOwner(
  gateway: KubernetesGateway,
  ref: ObjectRef,
  signal: AbortSignal,
): Promise<{ object: KubernetesObject } | { object?: never; cannot: string }> {
  const name = `${ref.kind} ${ref.namespace}/${ref.name}`;
  try {
    return { object: await gateway.get(ref, { signal }) };
  } catch (error) {
    if (!(error instanceof KubernetesError)) throw error;
    if (error.status === 404)
      return {
        cannot: `${name} (${ref.apiVersion}), which owns the workload, is not in this cluster; pause it by hand`,
      };
    if (error.status === 403)
      return {
        cannot: `the worker may not read ${name}, which owns the workload; pause it by hand, or grant it the role of deploy/kubernetes/pause-owner.yaml`,
      };
    throw error;
  }
}

/** What is owned itself may be put back by its owner, so that the pause does not last. */
function warning(live: KubernetesObject): string {
  const owners = live.kind === 'HelmRelease' || live.kind === 'Application' ? ownersOf(live) : [];
  return owners.length === 0
    ? ''
    : `; it is owned itself (${owners.join(', ')}), and its owner may resume it`;
}

function resumeCommand(live: KubernetesObject, { path, before }: Difference): string {
  const { apiVersion, kind, namespace, name } = refOf(live);
  const group = apiVersion.slice(0, apiVersion.indexOf('/'));
  const on = `kubectl --namespace ${namespace}`;
  const what = `${kind.toLowerCase()}.${group}/${name}`;
  if (path === 'spec/suspend') return `${on} patch ${what} --type merge --patch '{"spec":{"suspend":false}}'`;
  const key = path.slice('metadata/annotations/'.length).replaceAll('~1', '/');
  // A former value is text from elsewhere: without it the controllers go on, too.
  return before === undefined || typeof before !== 'string' || !/^[a-z]+$/.test(before)
    ? `${on} annotate ${what} ${key}-`
    : `${on} annotate ${what} --overwrite ${key}=${before}`;
}

function refOf({ apiVersion, kind, metadata }: KubernetesObject): ObjectRef {
  return { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name };
}

function nameOf(object: KubernetesObject): string {
  const { kind, namespace, name } = refOf(object);
  return `${kind} ${namespace}/${name}`;
}
