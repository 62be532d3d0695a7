import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { JsonPatchOperation, ObjectRef } from '../../contracts/kubernetes.ts';
import type { Change, GuardFinding, RestartPlan, WorkloadChange } from '../../contracts/plan.ts';
import type { RestartWorkloadRequest } from '../../contracts/restart-workload.ts';
import type { Target } from '../../contracts/target.ts';
import { desiredReplicas, type Deployment } from '../../domain/deployment.ts';
import { summarise } from '../../domain/plan/plan.ts';
import { describeRollout } from '../../domain/rolling-update.ts';
import {
  asChanges,
  chooseWorkloads,
  dryRun,
  guardWorkload,
  hashOf,
  readReplicaSets,
  readSurroundings,
  specDifferences,
  testUid,
  toWorkloadChange,
  type Surroundings,
} from './plan-workload.ts';

/** The annotation that `kubectl rollout restart` sets: another value makes another template, so new pods. */
const annotation = 'kubectl.kubernetes.io~1restartedAt';
const annotationPath = `spec/template/metadata/annotations/${annotation}`;

/** What is planned for one workload, with what its readers and guards need. */
interface PlannedRestart {
  live: Deployment;
  change: WorkloadChange;
  findings: GuardFinding[];
}

/** Plans to replace all pods of workloads, wave after wave, with nothing else changed. Writes nothing. */
export async function planRestart(
  gateway: KubernetesGateway,
  target: Target,
  request: RestartWorkloadRequest,
  restartedAt: string,
  signal: AbortSignal,
): Promise<RestartPlan> {
  const waves = request.waves ?? [[request.workload ?? target.profile.workload]];
  const refs = chooseWorkloads(target, 'restartWorkload', waves.flat());
  const surroundings = await readSurroundings(gateway, target.profile.namespace, signal);
  const planned: PlannedRestart[][] = [];
  // Wave by wave: 400 workloads at once would be a burst that the API server throttles.
  for (const wave of waves) {
    const those = refs.filter(({ name }) => wave.includes(name));
    planned.push(
      await Promise.all(those.map((ref) => planOne(gateway, target, ref, restartedAt, surroundings, signal))),
    );
  }
  const all = planned.flat();
  const changes = all.flatMap(({ change }) => change.changes);
  const findings = unique(all.flatMap((one) => one.findings));
  return {
    waves: planned.map((wave) => wave.map(({ change }) => change)),
    waveHashes: planned.map((wave) =>
      hashOf(
        target,
        wave.flatMap(({ change }) => change.changes),
      ),
    ),
    changes,
    hash: hashOf(target, changes),
    target,
    findings,
    summary: summarise(changes, findings, describeFacts(all, surroundings), describeWaves(planned)),
  };
}

async function planOne(
  gateway: KubernetesGateway,
  target: Target,
  ref: ObjectRef,
  restartedAt: string,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<PlannedRestart> {
  const live = (await gateway.get(ref, { signal })) as Deployment;
  const operations = restartOperations(live, restartedAt);
  const [dry, replicaSets] = await Promise.all([
    dryRun(gateway, ref, live, operations, signal),
    readReplicaSets(gateway, live, signal),
  ]);
  const changes = asChanges(live, specDifferences(withAnnotations(live), dry)).map(markGenerated);
  return {
    live,
    change: toWorkloadChange(ref, live, dry, replicaSets, { operations, changes }),
    findings: guardWorkload(target, live, dry, surroundings).map((finding) => naming(ref.name, finding)),
  };
}

function restartOperations(live: Deployment, restartedAt: string): JsonPatchOperation[] {
  const path = '/spec/template/metadata/annotations';
  const parent: JsonPatchOperation[] =
    live.spec.template.metadata?.annotations === undefined ? [{ op: 'add', path, value: {} }] : [];
  return [testUid(live), ...parent, { op: 'add', path: `${path}/${annotation}`, value: restartedAt }];
}

/** With a list of annotations, even an empty one, the difference is one annotation: undo then takes away no others. */
function withAnnotations(live: Deployment): Deployment {
  const { metadata } = live.spec.template;
  const template = {
    ...live.spec.template,
    metadata: { ...metadata, annotations: metadata?.annotations ?? {} },
  };
  return { ...live, spec: { ...live.spec, template } };
}

function markGenerated(change: Change): Change {
  return change.path === annotationPath ? { ...change, generated: true } : change;
}

/** The quota guard speaks of the namespace; among several workloads a reader has to know whose pods do not fit. */
function naming(workload: string, finding: GuardFinding): GuardFinding {
  if (finding.guard !== 'quota' || finding.verdict === 'clear') return finding;
  return { ...finding, sentence: `${workload}: ${finding.sentence}` };
}

function unique(findings: GuardFinding[]): GuardFinding[] {
  return findings.filter(
    ({ sentence }, index) => findings.findIndex((one) => one.sentence === sentence) === index,
  );
}

function describeWaves(waves: PlannedRestart[][]): string[] {
  if (waves.flat().length === 1) return [];
  return waves.map((wave, index) => {
    const names = wave.map(({ live }) => `${live.metadata.name} (${desiredReplicas(live)} replicas)`);
    return `wave ${index + 1}: ${names.join(', ')}`;
  });
}

/** Budgets, autoscalers and authors of one workload; of many they would bury what changes. */
function describeFacts(planned: PlannedRestart[], surroundings: Surroundings): string[] {
  const [only, ...others] = planned;
  return only === undefined || others.length > 0 ? [] : describeRollout(only.live, surroundings);
}
