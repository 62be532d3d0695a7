import type { ObjectVerdict, Verdict } from '../../contracts/recovery.ts';
import { escapeMarkdown } from '../markdown.ts';
import { canonicalJson } from '../plan/canonical-json.ts';
import { counted, excerpt, oneLine } from '../text.ts';
import { kindKey } from './kinds.ts';
import { positionOf } from './order.ts';

/** Worst first: what needs a decision before what goes by itself. */
const verdictOrder: readonly Verdict[] = ['blocked', 'conflict', 'update', 'create', 'leftOut', 'unchanged'];

const titles: Record<Verdict, string> = {
  blocked: 'blocked, will not be restored',
  conflict: 'conflict, stays as it is',
  update: 'update',
  create: 'create',
  leftOut: 'left out',
  unchanged: 'unchanged',
};

const mostSummaryLines = 50;
const namesPerLine = 3;

/** What a plan was made from and for; part of what people agree to. */
export interface PlanFacts {
  backupId: string;
  /** SHA-256 of the manifest, which covers every object of the backup. */
  manifestSha256: string;
  from: string;
  into: string;
  profileDigest: string;
}

/** Objects of one kind with one fate. */
interface Bunch {
  verdict: Verdict;
  kind: string;
  because: string;
  replaced: boolean;
  position: number;
  count: number;
  names: string[];
}

/** The line that stands for one object in the plan's hash. Nothing in it moves by itself. */
export function canonicalLine(verdict: ObjectVerdict): string {
  return canonicalJson(verdict);
}

/**
 * The bytes that the plan's hash covers: what it is about, and a line for each object, in an order of their own. The
 * lines may come in any order. The manifest's digest stands for what the objects of the backup hold.
 */
export function canonicalPlanText(facts: PlanFacts, lines: string[]): string {
  return [canonicalJson({ version: 'recovery-plan/1', ...facts }), ...lines.toSorted()].join('\n');
}

/** How many objects have which verdict. */
export function countVerdicts(verdicts: Iterable<Pick<ObjectVerdict, 'verdict'>>): Record<Verdict, number> {
  const counts: Record<Verdict, number> = {
    blocked: 0,
    conflict: 0,
    update: 0,
    create: 0,
    leftOut: 0,
    unchanged: 0,
  };
  for (const { verdict } of verdicts) counts[verdict] += 1;
  return counts;
}

/** The objects in words: `3 blocked, 20 update, 9000 create`. */
export function sayCounts(counts: Record<Verdict, number>): string {
  const some = verdictOrder.filter((verdict) => counts[verdict] > 0);
  return some.length === 0
    ? 'no objects'
    : some.map((verdict) => `${counts[verdict]} ${verdict === 'leftOut' ? 'left out' : verdict}`).join(', ');
}

/**
 * At most 50 lines, whatever the backup holds: grouped by verdict, kind and reason, worst first. `notes` stand at the
 * end and are never cut.
 */
export function summariseRecovery(
  facts: Pick<PlanFacts, 'backupId' | 'from' | 'into'>,
  verdicts: readonly ObjectVerdict[],
  notes: readonly string[],
): string[] {
  const place = facts.from === facts.into ? facts.into : `${facts.into} (from ${facts.from})`;
  const first = `backup ${facts.backupId} into namespace ${place}: ${counted(verdicts.length, 'object')}: ${sayCounts(countVerdicts(verdicts))}`;
  const kept = notes.slice(0, mostSummaryLines - 10).map((note) => excerpt(note, 300));
  return [first, ...atMost(mostSummaryLines - 1 - kept.length, bunchesOf(verdicts).map(sayBunch)), ...kept];
}

/** The whole plan as a page: a chapter for each verdict, worst first, and in it every object with its reason. */
export function* planPage(facts: PlanFacts, verdicts: readonly ObjectVerdict[]): Generator<string> {
  yield `# Recovery of backup ${escapeMarkdown(facts.backupId)}`;
  yield '';
  yield `From namespace ${facts.from} into ${facts.into}. Manifest ${facts.manifestSha256}.`;
  yield '';
  yield `${counted(verdicts.length, 'object')}: ${sayCounts(countVerdicts(verdicts))}.`;
  const sorted = verdicts.toSorted(byPlace);
  for (const wanted of verdictOrder) {
    const some = sorted.filter(({ verdict }) => verdict === wanted);
    if (some.length === 0) continue;
    yield '';
    yield `## ${titles[wanted]}: ${some.length}`;
    yield '';
    for (const one of some) yield* objectLines(one);
  }
  yield '';
}

function* objectLines(one: ObjectVerdict): Generator<string> {
  yield `- ${escapeMarkdown(nameOf(one))}: ${escapeMarkdown(one.because)}`;
  for (const { path, before, after, hidden } of one.changes ?? [])
    yield `  - ${escapeMarkdown(hidden === true ? `${path}: differs (not shown)` : `${path}: ${show(before)} → ${show(after)}`)}`;
}

/** `ConfigMap shop/web`; on one line, although a role may have a name of several. */
export function nameOf(object: Pick<ObjectVerdict, 'apiVersion' | 'kind' | 'namespace' | 'name'>): string {
  const { namespace, name } = object;
  return oneLine(`${kindKey(object)} ${namespace === undefined ? name : `${namespace}/${name}`}`);
}

function bunchesOf(verdicts: readonly ObjectVerdict[]): Bunch[] {
  const bunches = new Map<string, Bunch>();
  for (const one of verdicts) {
    const kind = kindKey(one);
    const replaced = one.write === 'replace';
    // What is as it was needs no reason, and one line a kind; so does what is simply missing.
    const because = one.verdict === 'unchanged' ? '' : one.because;
    const key = JSON.stringify([one.verdict, replaced, kind, because]);
    const bunch = bunches.get(key) ?? {
      verdict: one.verdict,
      kind,
      because,
      replaced,
      position: positionOf(one),
      count: 0,
      names: [],
    };
    bunch.count += 1;
    if (bunch.names.length < namesPerLine) bunch.names.push(one.name);
    bunches.set(key, bunch);
  }
  return [...bunches.values()].sort(
    (left, right) =>
      verdictOrder.indexOf(left.verdict) - verdictOrder.indexOf(right.verdict) ||
      Number(right.replaced) - Number(left.replaced) ||
      left.position - right.position ||
      right.count - left.count ||
      compare(left.kind, right.kind) ||
      compare(left.because, right.because),
  );
}

function sayBunch({ verdict, kind, because, replaced, count, names }: Bunch): string {
  const more = count > names.length ? ` and ${count - names.length} more` : '';
  const what = replaced ? 'DELETED AND MADE ANEW' : titles[verdict];
  const reason = because === '' ? '' : `: ${excerpt(because, 300)}`;
  return `${what}: ${count} ${kind} (${oneLine(names.join(', '))}${more})${reason}`;
}

function byPlace(left: ObjectVerdict, right: ObjectVerdict): number {
  return (
    positionOf(left) - positionOf(right) ||
    compare(kindKey(left), kindKey(right)) ||
    compare(left.namespace ?? '', right.namespace ?? '') ||
    compare(left.name, right.name)
  );
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function show(value: unknown): string {
  if (value === undefined) return '(none)';
  return excerpt(typeof value === 'string' ? value : JSON.stringify(value), 200);
}

function atMost(most: number, lines: string[]): string[] {
  if (lines.length <= most) return lines;
  return [
    ...lines.slice(0, most - 1),
    `… and ${lines.length - most + 1} more groups; the whole plan has them`,
  ];
}
