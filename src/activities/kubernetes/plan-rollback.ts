import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { JsonPatchOperation, KubernetesObject } from '../../contracts/kubernetes.ts';
import type { ReplicaSetRef, WorkloadPlan } from '../../contracts/plan.ts';
import type { RollbackRequest } from '../../contracts/rollback.ts';
import type { Target } from '../../contracts/target.ts';
import type { Deployment } from '../../domain/deployment.ts';
import { differences, equalJson, type Difference } from '../../domain/plan/paths.ts';
import { summarise } from '../../domain/plan/plan.ts';
import { hideEnvironment, templateOf } from '../../domain/pod-template.ts';
import {
  changeCauseAnnotation,
  chooseRevision,
  describeRevisions,
  listRevisions,
  type Revision,
} from '../../domain/revisions.ts';
import { describeRollout } from '../../domain/rolling-update.ts';
import { newestReplicaSet } from '../../domain/rollout-health.ts';
import { failure } from '../failures.ts';
import {
  asChanges,
  chooseWorkload,
  dryRun,
  guardWorkload,
  hashOf,
  readReplicaSets,
  readSurroundings,
  refTo,
  specDifferences,
  testUid,
  toWorkloadChange,
} from './plan-workload.ts';
import { readConfiguration } from './read-configuration.ts';

/**
 * Plans to put the pod template of an earlier revision in place, as `kubectl rollout undo` does. Values of environment
 * variables stay out of the plan; the two ReplicaSets that it names stand for them. Writes nothing.
 */
export async function planRollback(
  gateway: KubernetesGateway,
  target: Target,
  { request, approved }: { request: RollbackRequest; approved?: ReplicaSetRef },
  signal: AbortSignal,
): Promise<WorkloadPlan> {
  const ref = chooseWorkload(target, 'rollback', request.workload);
  const live = (await gateway.get(ref, { signal })) as Deployment;
  const replicaSets = await readReplicaSets(gateway, live, signal);
  const revisions = listRevisions(replicaSets, live);
  const current = currentRevision(revisions, live);
  const chosen =
    approved === undefined
      ? chooseRevision(revisions, current.number, request.revision)
      : approvedRevision(revisions, approved);
  if ('refusal' in chosen) throw failure('InvalidRequest', `Deployment ${ref.name}: ${chosen.refusal}`);

  const template = templateOf(chosen.replicaSet);
  const causeOperations = changeCauseOperations(live, chosen.replicaSet);
  const dry = await dryRun(
    gateway,
    ref,
    live,
    [testUid(live), { op: 'replace', path: '/spec/template', value: template }, ...causeOperations],
    signal,
  );
  // Otherwise the undo, which looks for this template, would take the cluster's own change for someone else's.
  if (!equalJson(templateOf(dry), template))
    throw failure(
      'Refused',
      `admission changes the template of revision ${chosen.number}, so it would not be put back as it was`,
    );
  const [surroundings, configuration] = await Promise.all([
    readSurroundings(gateway, ref.namespace, signal),
    readConfiguration(gateway, dry, `revision ${chosen.number}`, signal),
  ]);
  const findings = [...guardWorkload(target, live, dry, surroundings), configuration];
  const ownDifferences = changeCauseDifferences(live, chosen.replicaSet);
  const reached = current.replicaSet === chosen.replicaSet;
  const changes = asChanges(live, [
    ...(reached ? [] : [{ path: 'spec/template', before: describe(current), after: describe(chosen) }]),
    ...hideEnvironment(specDifferences(live, dry)),
    ...ownDifferences,
  ]);
  const change = toWorkloadChange(ref, live, dry, replicaSets, {
    operations: [testUid(live), ...causeOperations],
    changes: asChanges(live, ownDifferences),
  });
  return {
    ...change,
    changes,
    write: { ...change.write, template: { from: refTo(current.replicaSet), to: refTo(chosen.replicaSet) } },
    hash: hashOf(target, changes),
    target,
    findings,
    summary: summarise(
      changes,
      findings,
      describeRollout(live, surroundings),
      describeRevisions(revisions, { current: current.number, chosen: chosen.number }, live),
    ),
  };
}

/**
 * The way back that people approved: *the one before* means something else once another run has undone its change.
 */
function approvedRevision(revisions: Revision[], approved: ReplicaSetRef): Revision | { refusal: string } {
  const found = revisions.find(({ replicaSet }) => replicaSet.metadata.uid === approved.uid);
  return found ?? { refusal: `the approved revision, ReplicaSet ${approved.name}, is gone` };
}

/** The revision whose template the Deployment has now. @throws Unavailable until its controller has seen the last change. */
function currentRevision(revisions: Revision[], live: Deployment): Revision {
  const newest = newestReplicaSet(
    revisions.map(({ replicaSet }) => replicaSet),
    live,
  );
  const current = revisions.find(({ replicaSet }) => replicaSet === newest);
  if (current !== undefined && equalJson(templateOf(current.replicaSet), templateOf(live))) return current;
  const name = `Deployment ${live.metadata.name}`;
  if (live.spec.paused === true)
    throw failure(
      'Refused',
      `${name} is paused and its last change was never rolled out; kubectl rollout resume it first`,
    );
  throw failure(
    'Unavailable',
    `the controller has not seen the last change of ${name} yet; wait until it has, then start again`,
  );
}

/** Binds a plan to what the ReplicaSets hold without showing it. */
function describe({ number, replicaSet: { metadata } }: Revision): string {
  return `ReplicaSet ${metadata.name}, revision ${number}, uid ${metadata.uid ?? ''}`;
}

function changeCauseOperations(live: Deployment, replicaSet: KubernetesObject): JsonPatchOperation[] {
  const before = causeOf(live);
  const after = causeOf(replicaSet);
  if (before === after) return [];
  const path = `/metadata/annotations/${changeCauseAnnotation.replace('/', '~1')}`;
  return after === undefined ? [{ op: 'remove', path }] : [{ op: 'add', path, value: after }];
}

function changeCauseDifferences(live: Deployment, replicaSet: KubernetesObject): Difference[] {
  return differences(
    causeOf(live),
    causeOf(replicaSet),
    `metadata/annotations/${changeCauseAnnotation.replace('/', '~1')}`,
  );
}

function causeOf({ metadata }: KubernetesObject): string | undefined {
  return metadata.annotations?.[changeCauseAnnotation];
}
