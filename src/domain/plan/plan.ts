import type { Change, GuardFinding } from '../../contracts/plan.ts';
import { excerpt } from '../text.ts';
import { canonicalJson } from './canonical-json.ts';
import { equalJson } from './paths.ts';

const mostSummaryLines = 50;

/** The bytes that a plan's hash covers: what will change and under which profile, nothing that moves by itself. */
export function canonicalPlan(profileDigest: string, changes: Change[]): string {
  const sorted = changes.map(withoutGenerated).sort((left, right) => compare(sortKey(left), sortKey(right)));
  return canonicalJson({ version: 'plan/1', profileDigest, changes: sorted });
}

/** At most 50 lines that a person reads before deciding; `first` stands above the changes. */
export function summarise(
  changes: Change[],
  findings: GuardFinding[],
  facts: string[],
  first: string[] = [],
): string[] {
  const lines = [
    ...first,
    ...changes.map(
      (change) =>
        `${change.kind} ${change.namespace}/${change.name}: ${change.path}: ${show(change.before)} → ${show(change.after)}`,
    ),
    ...(changes.length === 0 ? ['nothing would change'] : []),
    ...findings.map(
      (finding) =>
        `${finding.guard}: ${finding.verdict === 'clear' ? '' : `${finding.verdict}: `}${finding.sentence}`,
    ),
    ...facts,
  ];
  return atMost(mostSummaryLines, lines);
}

/** The guards that stop the run, as one message; undefined when none does. */
export function stoppedBy(findings: GuardFinding[]): string | undefined {
  const stopping = findings.filter((finding) => finding.verdict !== 'clear');
  if (stopping.length === 0) return undefined;
  return stopping
    .map((finding) =>
      finding.verdict === 'unknown'
        ? `guard ${finding.guard} could not be evaluated: ${finding.sentence}`
        : `guard ${finding.guard}: ${finding.sentence}`,
    )
    .join('; ');
}

/** What changed between two plans, for the gate that opens when the re-check finds another one. */
export function comparePlans(before: Change[], after: Change[]): string[] {
  const key = (change: Change): string => `${change.kind} ${change.namespace}/${change.name}: ${change.path}`;
  const say = (change: Change): string => `${show(change.before)} → ${show(change.after)}`;
  const earlier = new Map(before.map((change) => [key(change), change]));
  const later = new Map(after.map((change) => [key(change), change]));
  const lines = [...later].flatMap(([name, change]) => {
    const was = earlier.get(name);
    if (was === undefined) return [`new: ${name}: ${say(change)}`];
    // Values are compared, not their shortened text: two long ones may look the same.
    const same =
      equalJson(was.before, change.before) &&
      equalJson(withoutGenerated(was).after, withoutGenerated(change).after);
    return same && was.uid === change.uid ? [] : [`now: ${name}: ${say(change)} (was ${say(was)})`];
  });
  const gone = [...earlier].filter(([name]) => !later.has(name)).map(([name]) => `gone: ${name}`);
  const all = [...lines, ...gone];
  return all.length > 0 ? atMost(mostSummaryLines, all) : ['the target profile changed'];
}

/** What every run makes anew says nothing about what was agreed. */
function withoutGenerated(change: Change): Change {
  if (change.generated !== true) return change;
  const { after: ignored, ...rest } = change;
  return rest;
}

function sortKey(change: Change): string {
  return [change.kind, change.namespace, change.name, change.uid ?? '', change.path].join('\u0000');
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function show(value: unknown): string {
  if (value === undefined) return '(none)';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return excerpt(text, 200);
}

function atMost(most: number, lines: string[]): string[] {
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), `… and ${lines.length - most + 1} more lines`];
}
