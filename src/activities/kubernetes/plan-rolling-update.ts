import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { JsonPatchOperation } from '../../contracts/kubernetes.ts';
import type { WorkloadPlan } from '../../contracts/plan.ts';
import type { RollingUpdateRequest } from '../../contracts/rolling-update.ts';
import type { Target } from '../../contracts/target.ts';
import type { Deployment } from '../../domain/deployment.ts';
import { summarise } from '../../domain/plan/plan.ts';
import { allContainers } from '../../domain/pod-template.ts';
import { describeRollout } from '../../domain/rolling-update.ts';
import { excerpt } from '../../domain/text.ts';
import { failure } from '../failures.ts';
import {
  asChanges,
  chooseWorkload,
  dryRun,
  guardWorkload,
  hashOf,
  readReplicaSets,
  readSurroundings,
  specDifferences,
  testUid,
  toWorkloadChange,
} from './plan-workload.ts';

/** Plans new images for one Deployment: a server-side dry run says what would really change. Writes nothing. */
export async function planRollingUpdate(
  gateway: KubernetesGateway,
  target: Target,
  request: RollingUpdateRequest,
  signal: AbortSignal,
): Promise<WorkloadPlan> {
  const ref = chooseWorkload(target, 'rollingUpdate', request.workload);
  const live = (await gateway.get(ref, { signal })) as Deployment;
  const wanted = chooseImages(target, request, live);
  const operations = imageOperations(live, wanted);
  const dry = await dryRun(gateway, ref, live, operations, signal);
  const changes = asChanges(live, specDifferences(live, dry));
  const [surroundings, replicaSets] = await Promise.all([
    readSurroundings(gateway, ref.namespace, signal),
    readReplicaSets(gateway, live, signal),
  ]);
  const findings = guardWorkload(target, live, dry, surroundings);
  const change = toWorkloadChange(ref, live, dry, replicaSets, { operations, changes });
  return {
    ...change,
    // Only what this run sets: someone else's new image of another container is not its business.
    images: only(wanted, change.images),
    formerImages: only(wanted, change.formerImages),
    hash: hashOf(target, changes),
    target,
    findings,
    summary: summarise(changes, findings, describeRollout(live, surroundings)),
  };
}

function only(wanted: Record<string, string>, images: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.keys(wanted).map((name) => [name, images[name] ?? '']));
}

function chooseImages(
  target: Target,
  request: RollingUpdateRequest,
  live: Deployment,
): Record<string, string> {
  const container = target.profile.workloads[live.metadata.name]?.container ?? '';
  const wanted = request.images ?? { [container]: request.image ?? '' };
  const known = allContainers(live).map((one) => one.name);
  const missing = Object.keys(wanted).filter((name) => !known.includes(name));
  if (missing.length > 0) {
    throw failure(
      'NotFound',
      `Deployment ${live.metadata.name} has no container ${missing.map((name) => `"${excerpt(name)}"`).join(', ')}; it has ${known.join(', ')}`,
    );
  }
  return wanted;
}

function imageOperations(live: Deployment, images: Record<string, string>): JsonPatchOperation[] {
  const operations = Object.entries(images).flatMap(([name, image]) => imageOperation(live, name, image));
  return [testUid(live), ...operations];
}

/** The list key is tested beside each write: indexes shift when someone inserts a container. */
function imageOperation(live: Deployment, name: string, image: string): JsonPatchOperation[] {
  for (const list of ['containers', 'initContainers'] as const) {
    const index = (live.spec.template.spec[list] ?? []).findIndex((container) => container.name === name);
    if (index < 0) continue;
    const path = `/spec/template/spec/${list}/${index}`;
    return [
      { op: 'test', path: `${path}/name`, value: name },
      { op: 'replace', path: `${path}/image`, value: image },
    ];
  }
  return [];
}
