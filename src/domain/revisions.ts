import { changeAnnotation } from '../contracts/names.ts';
import { controllerUid, revisionAnnotation, type Deployment } from './deployment.ts';
import { imagesOf } from './pod-template.ts';
import type { ReplicaSet } from './rollout-health.ts';
import { excerpt } from './text.ts';

/** Written by people and `kubectl --record`; says why a revision was made. */
export const changeCauseAnnotation = 'kubernetes.io/change-cause';

/** Longer histories show their newest revisions only, so that guards stay in sight below them. */
const mostLines = 15;

/** One revision of a Deployment, kept by a ReplicaSet. */
export interface Revision {
  number: number;
  replicaSet: ReplicaSet;
}

/** The revisions that a Deployment still has, newest first. */
export function listRevisions(replicaSets: ReplicaSet[], deployment: Deployment): Revision[] {
  return replicaSets
    .filter((replicaSet) => controllerUid(replicaSet) === deployment.metadata.uid)
    .map((replicaSet) => ({ number: revisionOf(replicaSet), replicaSet }))
    .filter(({ number }) => Number.isInteger(number))
    .sort((left, right) => right.number - left.number);
}

/** The revision to go back to, or why there is none, in one sentence. Without a wish: the one before the current. */
export function chooseRevision(
  revisions: Revision[],
  current: number,
  wanted: number | undefined,
): Revision | { refusal: string } {
  const others = revisions.filter(({ number }) => number !== current);
  if (wanted === current)
    return { refusal: `revision ${current} is the current one; ${describeOthers(others)}` };
  if (wanted === undefined) {
    const earlier = others.find(({ number }) => number < current);
    return earlier ?? { refusal: `there is no revision before the current one, ${current}` };
  }
  const chosen = others.find(({ number }) => number === wanted);
  return chosen ?? { refusal: `revision ${wanted} does not exist any more; ${describeOthers(others)}` };
}

function describeOthers(others: Revision[]): string {
  if (others.length === 0) return 'there is no other one';
  return `there are ${others.map(({ number }) => number).join(', ')}`;
}

/** The history as a table for people: one line per revision. */
export function describeRevisions(
  revisions: Revision[],
  marks: { current: number; chosen: number },
  deployment: Deployment,
): string[] {
  const marked = ({ number }: Revision): boolean => number === marks.current || number === marks.chosen;
  const room = mostLines - revisions.filter(marked).length;
  const plain = revisions.filter((revision) => !marked(revision));
  const shown = revisions.filter((revision) => marked(revision) || plain.indexOf(revision) < room);
  const lines = shown.map((revision) => describeRevision(revision, revisions, marks, deployment));
  const left = revisions.length - shown.length;
  return left === 0 ? lines : [...lines, `… and ${left} older revision${left === 1 ? '' : 's'}`];
}

function describeRevision(
  { number, replicaSet }: Revision,
  revisions: Revision[],
  { current, chosen }: { current: number; chosen: number },
  deployment: Deployment,
): string {
  const mark = number === current ? ' (current)' : number === chosen ? ' (chosen)' : '';
  const images = Object.entries(imagesOf(replicaSet as unknown as Deployment))
    .map(([name, image]) => `${name} ${image}`)
    .join(', ');
  const cause = replicaSet.metadata.annotations?.[changeCauseAnnotation];
  const writers = [
    ...runOf(replicaSet, revisions),
    ...(number === current ? templateManagers(deployment) : []),
  ];
  return [
    `revision ${number}${mark}: ${excerpt(images, 200)}`,
    `cause: ${cause === undefined ? 'not given' : excerpt(cause, 80)}`,
    `created ${replicaSet.metadata.creationTimestamp ?? 'unknown'}`,
    `by ${writers.join(', ') || 'unknown'}`,
  ].join(' | ');
}

/**
 * The run that made a revision. The Deployment keeps its annotation when someone else changes it, and later
 * revisions inherit it: so it counts only for the earliest revision that has it.
 */
function runOf(replicaSet: ReplicaSet, revisions: Revision[]): string[] {
  const marker = replicaSet.metadata.annotations?.[changeAnnotation];
  const first = revisions.findLast(
    (one) => one.replicaSet.metadata.annotations?.[changeAnnotation] === marker,
  );
  if (marker === undefined || first?.replicaSet !== replicaSet) return [];
  // workflowId/firstRunId/step: only the workflow id may have slashes of its own.
  // Who settled a dead run's change stands behind it in parentheses.
  const workflowId = marker
    .replace(/ \([^)]*\)$/, '')
    .split('/')
    .slice(0, -2)
    .join('/');
  return workflowId === '' ? [] : [`run ${excerpt(workflowId, 100)}`];
}

/** Who wrote the pod template that the Deployment has now, as the API server recorded it. */
function templateManagers({ metadata }: Deployment): string[] {
  const owners = (metadata.managedFields ?? []).filter(({ subresource, fieldsV1 }) => {
    const spec = fieldsV1?.['f:spec'];
    return subresource === undefined && typeof spec === 'object' && spec !== null && 'f:template' in spec;
  });
  return owners
    .slice(0, 5)
    .map(({ manager = 'unknown', time }) => `${excerpt(manager)}${time === undefined ? '' : ` at ${time}`}`);
}

/** NaN for a ReplicaSet that no Deployment numbered. */
function revisionOf({ metadata }: ReplicaSet): number {
  return Number(metadata.annotations?.[revisionAnnotation] ?? 'none');
}
