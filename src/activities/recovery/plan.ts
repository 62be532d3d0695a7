import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { PlannedObject, PlanRequest, RecoveryPlan } from '../../contracts/recovery.ts';
import type { Target } from '../../contracts/target.ts';
import { kindKey } from '../../domain/recovery/kinds.ts';
import { restoreOrder } from '../../domain/recovery/order.ts';
import { changesOf, tieChanges } from '../../domain/recovery/plan-changes.ts';
import {
  canonicalLine,
  canonicalPlanText,
  countVerdicts,
  planPage,
  summariseRecovery,
} from '../../domain/recovery/plan-page.ts';
import { isSelected } from '../../domain/recovery/wanted.ts';
import { sha256Of } from '../backups/seal.ts';
import { failure } from '../failures.ts';
import { Judge } from './judge.ts';
import { getOrNothing, kindsOf, LiveObjects } from './live-objects.ts';
import { Pool } from './pool.ts';
import { runFolder, storePlan } from './run-files.ts';
import { entriesOf, partsOf, type Source } from './source.ts';
import { counted } from '../../domain/text.ts';

/** Enough to keep the API server busy with questions, few enough for it to answer others. */
const questionsAtOnce = 16;

/**
 * Plans a recovery: every object of the backup is compared with the one of the cluster, and gets a verdict. Objects
 * whose hash is that of the backup are not even read. Reads only, but for the plan itself, which it stores beside the
 * backups under a name that follows from its content; so it may run any number of times. Of values of Secrets nothing
 * leaves it. @throws GuardStopped: the namespace is being deleted; BackupRefused, StorageUnavailable
 */
export async function planRecovery(
  gateway: KubernetesGateway,
  target: Target,
  source: Source,
  request: PlanRequest,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<RecoveryPlan> {
  const { options } = request;
  await refuseDyingNamespace(gateway, options.into, signal);
  const live = new LiveObjects();
  await live.read(
    gateway,
    options.into,
    kindsOf(entriesOf(source), request.backup.from, options.into),
    signal,
  );
  const judge = new Judge({ gateway, source, live, request, gitOps: target.profile.gitOps, signal });
  await judge.prepare();
  const open = new Set<IndexEntry>();
  let selected = 0;
  for (const entry of entriesOf(source)) {
    if (!isWanted(entry, request)) continue;
    if (options.only?.labels === undefined && isSelected(options, entry)) selected += 1;
    if (!judge.judgeByHash(entry)) open.add(entry);
  }

  const pool = new Pool(questionsAtOnce);
  for await (const objects of partsOf(source, (entry) => open.has(entry), signal)) {
    for (const { entry, object } of objects) {
      const fits = isSelected(options, entry, object.metadata.labels);
      if (!fits && !isOwnNamespace(entry, request)) continue;
      if (fits && options.only?.labels !== undefined) selected += 1;
      await pool.add(() => judge.judge(entry, object));
    }
    say(`${judge.planned.length} objects compared`);
  }
  await pool.drain();
  if (options.only !== undefined && selected === 0)
    throw failure(
      'InvalidRequest',
      `only: no object of backup ${request.backup.backupId} fits all that it asks for; runbook backups show ${request.backup.backupId} tells its kinds`,
    );
  return await finish(gateway, target, source, request, judge, signal);
}

async function finish(
  gateway: KubernetesGateway,
  target: Target,
  source: Source,
  request: PlanRequest,
  judge: Judge,
  signal: AbortSignal,
): Promise<RecoveryPlan> {
  const { backup, options } = request;
  const planned = judge.finished();
  const verdicts = planned.map(({ verdict }) => verdict);
  const facts = {
    backupId: backup.backupId,
    manifestSha256: backup.manifestSha256,
    from: backup.from,
    into: options.into,
    profileDigest: target.digest,
  };
  const untied = planned
    .filter(({ tie, verdict }) => tie === true && verdict.verdict === 'unchanged')
    .map(({ verdict }) => verdict);
  const folder = runFolder(target.profile.target, request.firstRunId);
  const page = [...planPage(facts, verdicts)].join('\n');
  const { stored, pageAt } = await storePlan(source.store, folder, planned, page, signal);
  const writes = verdicts.filter(({ write }) => write !== undefined).length + untied.length;
  const notes = [
    ...judge.notes(),
    ...(untied.length === 0
      ? []
      : [`owners come back to ${counted(untied.length, 'object')} that an earlier recovery made`]),
    ...(await unprovable(gateway, target, options.into, planned, signal)),
    `every object with its reason: ${pageAt}`,
  ];
  return {
    hash: sha256Of(canonicalPlanText(facts, verdicts.map(canonicalLine))),
    target,
    changes: [...changesOf(verdicts, options.into), ...tieChanges(untied, options.into)],
    objects: writes,
    findings: [],
    summary: summariseRecovery(facts, verdicts, notes),
    backup,
    options,
    stored,
    groups: groupsOf(planned),
    ties: planned.filter(({ tie }) => tie === true).length,
    counts: countVerdicts(verdicts),
  };
}

/** Deployments of the profile that nobody will find after this recovery: without them health cannot be proven. */
async function unprovable(
  gateway: KubernetesGateway,
  { profile }: Target,
  namespace: string,
  planned: readonly PlannedObject[],
  signal: AbortSignal,
): Promise<string[]> {
  const absent: string[] = [];
  for (const [name, { kind }] of Object.entries(profile.workloads)) {
    if (kind !== 'Deployment') continue;
    const comes = planned.some(
      ({ verdict }) =>
        kindKey(verdict) === 'Deployment.apps' && verdict.name === name && verdict.write !== undefined,
    );
    if (comes) continue;
    const ref = { apiVersion: 'apps/v1', kind, namespace, name };
    if ((await getOrNothing(gateway, ref, signal)) === undefined) absent.push(name);
  }
  if (absent.length === 0) return [];
  return [
    `THE RUN WILL END AS FAILED: Deployment ${absent.join(', ')} is neither there nor restored by this plan, so that the service cannot be proven healthy; what is restored stays`,
  ];
}

function groupsOf(planned: readonly PlannedObject[]): RecoveryPlan['groups'] {
  return restoreOrder.flatMap(({ name }, position) => {
    const writes = planned.filter(
      (one) => one.position === position && one.verdict.write !== undefined,
    ).length;
    return writes === 0 ? [] : [{ position, name, writes }];
  });
}

/** By kind and name; labels are in the object itself. The namespace has to be there whatever is asked for. */
function isWanted(entry: IndexEntry, request: PlanRequest): boolean {
  const { labels: ignored, ...only } = request.options.only ?? {};
  return (
    isOwnNamespace(entry, request) || isSelected(request.options.only === undefined ? {} : { only }, entry)
  );
}

function isOwnNamespace(
  { kind, apiVersion, name }: Pick<IndexEntry, 'kind' | 'apiVersion' | 'name'>,
  { backup }: PlanRequest,
): boolean {
  return kind === 'Namespace' && apiVersion === 'v1' && name === backup.from;
}

async function refuseDyingNamespace(
  gateway: KubernetesGateway,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const ref = { apiVersion: 'v1', kind: 'Namespace', namespace: '', name };
  const namespace = await getOrNothing(gateway, ref, signal);
  if (namespace?.metadata.deletionTimestamp === undefined) return;
  throw failure(
    'GuardStopped',
    `namespace ${name} is being deleted, and takes nothing new until it is gone; start again then`,
  );
}
