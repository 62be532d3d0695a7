import type { JsonPatchOperation, KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import type { WorkloadPlan } from '../../../src/contracts/plan.ts';
import type { RollbackRequest } from '../../../src/contracts/rollback.ts';
import { selectorText, type Deployment } from '../../../src/domain/deployment.ts';
import { listRevisions, type Revision } from '../../../src/domain/revisions.ts';
import type { Place } from './place.ts';
import { act } from './run-activity.ts';

export const container = '/spec/template/spec/containers/0';

/** Someone's next release: the controller has made its ReplicaSet when this returns. */
export async function release(
  place: Place,
  name: string,
  operations: JsonPatchOperation[],
): Promise<Deployment> {
  await place.patch(name, operations);
  return await place.settled(name);
}

/** The next release of only another image. */
export async function releaseImage(place: Place, name: string, tag: string): Promise<Deployment> {
  const value = `registry.example/web:${tag}`;
  return await release(place, name, [{ op: 'replace', path: `${container}/image`, value }]);
}

export async function planRollback(
  place: Place,
  name: string,
  request: RollbackRequest = {},
  activities = place.activities,
): Promise<WorkloadPlan> {
  return await act((input: { request: RollbackRequest }) => activities.planRollback(input), {
    request: { target: name, ...request },
  });
}

/** The revisions that the cluster keeps of a Deployment, newest first. */
export async function revisionsOf(place: Place, name: string): Promise<Revision[]> {
  const live = await place.live(name);
  const { items } = await place.gateway.list({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace: place.namespace,
    labelSelector: selectorText(live.spec.selector),
  });
  return listRevisions(items, live);
}

/** Deletes the ReplicaSet that keeps a revision. */
export async function forget(place: Place, name: string, number: number): Promise<void> {
  const found = (await revisionsOf(place, name)).find((revision) => revision.number === number);
  const { metadata } = found?.replicaSet as KubernetesObject;
  await place.gateway.delete(place.ref(metadata.name, 'apps/v1', 'ReplicaSet'), {
    preconditions: { uid: metadata.uid! },
  });
}
