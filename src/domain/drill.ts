import type { DrillConclusion, Scratch, DrillFindings, DrillResult, DrillTimes } from '../contracts/drill.ts';
import type { GroupOutcome, RecoveryPlan, RestoreOptions } from '../contracts/recovery.ts';
import type { DrillPolicy } from '../contracts/drill-policy.ts';
import type { Proof, ReportTable } from '../contracts/run.ts';
import { trendHead, trendRows } from './drill-trend.ts';
import { sayOutcome } from './recovery/describe.ts';
import { sayCounts } from './recovery/plan-page.ts';
import { counted } from './text.ts';

const mostNameCharacters = 63;
const mostFindings = 20;

/**
 * The 8 characters that name a run in names of objects and files: the last ones, since ids may begin with the time, which
 * runs of the same minute share.
 */
function shortId({ firstRunId }: { firstRunId: string }): string {
  return firstRunId.replaceAll('-', '').slice(-8).toLowerCase();
}

/** The namespace of one drill: the same at every attempt, and never that of another run. */
export function scratchName(target: string, run: { firstRunId: string }): string {
  const id = shortId(run);
  const room = mostNameCharacters - 'drill--'.length - id.length;
  return `drill-${target.slice(0, room).replace(/-+$/, '')}-${id}`;
}

/** Everything of a backup that may be drilled, into a namespace of its own, and nothing outside of it. */
export function drillOptions({ name }: Pick<Scratch, 'name'>, policy: DrillPolicy): RestoreOptions {
  const { allowEmptyClaims, customResources, pullSecrets, dummies } = policy;
  return {
    purpose: 'drill',
    into: name,
    onConflict: 'skip',
    onConflictOf: {},
    allowEmptyClaims,
    clusterScoped: false,
    drill: { customResources, pullSecrets, dummies },
  };
}

/** An empty or partial restore proves nothing about the rest. */
export function proofOfRestore({ backup, counts }: RecoveryPlan, outcome: GroupOutcome): Proof {
  const restored = outcome.written + outcome.same;
  const stays = counts.blocked + counts.conflict;
  const faults = [
    ...(backup.partial ? ['the backup is PARTIAL: something was missing when it was made'] : []),
    ...(restored === 0 ? ['nothing was restored: the backup has nothing that can be drilled'] : []),
    ...(stays > 0
      ? [`${counted(stays, 'object')} cannot be restored, the plan says why: ${sayCounts(counts)}`]
      : []),
    ...(outcome.troubles > 0
      ? [`not restored: ${counted(outcome.troubles, 'object')}`, ...outcome.first]
      : []),
  ];
  return {
    name: 'every object that can be drilled was restored',
    about: 'backup',
    verdict: faults.length === 0 ? 'pass' : 'fail',
    evidence: faults.length === 0 ? [sayOutcome(outcome)] : faults,
  };
}

/** How long the service would have been away, and how much it would have lost, against what is allowed. */
export function measure(
  { startedAt, backupStartedAt, restoreStartedAt, provenAt }: DrillTimes,
  { rtoSeconds, rpoSeconds }: { rtoSeconds: number; rpoSeconds: number },
): { recoverySeconds: number | null; dataLossSeconds: number | null; proofs: Proof[] } {
  const recoverySeconds = between(restoreStartedAt, provenAt);
  const dataLossSeconds = between(backupStartedAt, startedAt);
  return {
    recoverySeconds,
    dataLossSeconds,
    proofs: [
      judged('the service was back in time (RTO)', 'restored and proven after', recoverySeconds, rtoSeconds),
      judged('the backup was young enough (RPO)', 'a backup begun before', dataLossSeconds, rpoSeconds),
    ],
  };
}

/** What is kept of a drill. Only proofs that passed make it one that passed. */
export function resultOfDrill(
  { target, run }: Pick<Scratch, 'target' | 'run'>,
  { times, backup, objects, proofs }: DrillFindings,
  limits: { rtoSeconds: number; rpoSeconds: number },
): DrillResult {
  const measured = measure(times, limits);
  const all = [...proofs, ...measured.proofs];
  const open = all.filter(({ verdict }) => verdict !== 'pass');
  const findings = open.map(({ name, verdict, evidence }) => `${verdict}: ${name}: ${evidence.join('; ')}`);
  return {
    version: 'drill/1',
    target,
    id: shortId(run),
    startedAt: times.startedAt,
    verdict: proofs.length > 0 && open.length === 0 ? 'pass' : 'fail',
    backupId: backup.backupId,
    recoverySeconds: measured.recoverySeconds,
    rtoSeconds: limits.rtoSeconds,
    dataLossSeconds: measured.dataLossSeconds,
    rpoSeconds: limits.rpoSeconds,
    objects,
    findings: findings.slice(0, mostFindings),
  };
}

/** Whole seconds, rounded up: a limit that was passed by a moment was passed. Null: one of the times is missing. */
function between(from: string | undefined, to: string | undefined): number | null {
  if (from === undefined || to === undefined) return null;
  const milliseconds = Date.parse(to) - Date.parse(from);
  // Clocks that disagree measure nothing.
  return Number.isFinite(milliseconds) && milliseconds >= 0 ? Math.ceil(milliseconds / 1000) : null;
}

function judged(name: string, words: string, seconds: number | null, limit: number): Proof {
  if (seconds === null)
    return { name, about: 'backup', verdict: 'unknown', evidence: ['it could not be measured'] };
  return {
    name,
    about: 'backup',
    verdict: seconds <= limit ? 'pass' : 'fail',
    evidence: [`${words} ${seconds} s of ${limit} s`],
  };
}

/** How far a result is from what is allowed. */
export function sayTimes({ recoverySeconds, rtoSeconds, dataLossSeconds, rpoSeconds }: DrillResult): string {
  const say = (seconds: number | null): string => (seconds === null ? 'unknown' : `${seconds} s`);
  return `RTO ${say(recoverySeconds)} of ${rtoSeconds} s, RPO ${say(dataLossSeconds)} of ${rpoSeconds} s`;
}

/** What keeps a drill to itself, and what nobody can tell. */
export function sayIsolation(namespace: string, removed: readonly string[]): string {
  return [
    `${namespace}: quota set, network policy that denies everything set (enforcement unknown: that is up to the network of the cluster)`,
    ...(removed.length === 0 ? [] : [`removed what dead drills had left: ${removed.join(', ')}`]),
  ].join('; ');
}

/** The last drills, for the report. */
export function tableOfDrills({ trend, at, picture }: DrillConclusion): ReportTable {
  return {
    title: 'The last drills',
    head: [...trendHead],
    rows: trendRows(trend),
    notes: [`As a picture: ${picture}`, `This one: ${at}`],
  };
}
