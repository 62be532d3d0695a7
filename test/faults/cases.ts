import type { Scenario } from './scenarios.ts';
import {
  apiServerAway,
  editedBefore,
  everyRequestSlow,
  oneOfTwoKilled,
  temporalKilled,
  watchesBroken,
  type Edit,
} from './support/disturbances.ts';
import {
  killedAfterWrite,
  killedAtEnd,
  killedAtStart,
  lateOnTheWire,
  lateToSend,
  type Fault,
} from './support/faults.ts';
import type { ActivityRecord } from './support/journal.ts';
import type { Reference } from './support/stage.ts';

/** One fault at one point of one scenario. */
export interface Case {
  scenario: Scenario;
  reference: Reference;
  fault: string;
  activity: string;
  point: string;
  /** Needs a Temporal server of its own. */
  harmsTemporal?: boolean;
  inflict: Fault;
}

type Point = Omit<Case, 'scenario' | 'reference' | 'activity'>;
type Place = Omit<Case, 'scenario' | 'reference'>;

/** A worker killed at every point of every activity, and a late write of every activity that writes. */
/** Every case of a scenario. With real pods only what the points without pods cannot show. */
export function casesOf(scenario: Scenario, reference: Reference): Case[] {
  const { activities } = reference;
  const harmed = scenario.realPods ? activities.filter(({ requests }) => requests > 0) : activities;
  const places = [
    ...harmed.flatMap((activity) => [...killPoints(activity), ...latePoints(activity)].map(at(activity))),
    ...(scenario.realPods
      ? [{ fault: 'watches broken off, then 410', activity: '', point: '', inflict: watchesBroken }]
      : []),
    { fault: 'every API request 2 s late', activity: '', point: '', inflict: everyRequestSlow },
    ...twoWorkers(activities),
    ...serversAway(activities),
    ...edits(scenario, activities),
  ];
  return places.map((place) => ({ scenario, reference, ...place }));
}

/** Names an activity in the table: its type alone may stand for several. */
export function nameOf({ type, id }: ActivityRecord): string {
  return `${type} (${id})`;
}

function at(activity: ActivityRecord): (point: Point) => Place {
  return (point) => ({ activity: nameOf(activity), ...point });
}

function twoWorkers(activities: ActivityRecord[]): Place[] {
  const task = 1 + Math.floor(Math.random() * activities.length);
  const point = `at task ${task} of ${activities.length}`;
  return [{ fault: 'one of two workers killed', activity: '', point, inflict: oneOfTwoKilled(task) }];
}

/** While the run plans, changes and watches, and while it undoes. */
function serversAway(activities: ActivityRecord[]): Place[] {
  const asking = activities.filter(({ requests }) => requests > 0);
  const firstWrite = asking.findIndex(({ writes }) => writes > 0);
  const lastWrite = asking.findLastIndex(({ writes }) => writes > 0);
  const chosen = [...new Set([0, firstWrite, firstWrite + 1, lastWrite])].flatMap(
    (index) => asking[index] ?? [],
  );
  return chosen.flatMap((activity) => [
    at(activity)({ fault: 'API server away for 60 s', point: 'start', inflict: apiServerAway(activity) }),
    at(activity)({
      fault: 'Temporal killed',
      point: 'start',
      harmsTemporal: true,
      inflict: temporalKilled(activity),
    }),
  ]);
}

const annotated: Edit = {
  name: 'annotate',
  line: ['annotate', 'deployment', 'alecs-server', 'edit=1'],
  leaves: '"edit":"1"',
};
const environment: Edit = {
  name: 'set env',
  line: ['set', 'env', 'deployment/alecs-server', 'EDIT=1'],
  leaves: '"name":"EDIT"',
};
/** Within the limits of the demo's autoscaler, which would put anything else right. */
const scaled: Edit = {
  name: 'scale',
  line: ['scale', 'deployment/alecs-server', '--replicas=4'],
  leaves: '"replicas":4',
};

/** By someone else, before each activity that looks at the cluster. Without pods there is nothing to scale. */
function edits({ realPods }: Scenario, activities: ActivityRecord[]): Place[] {
  const kinds = realPods ? [environment, scaled] : [annotated, environment];
  return activities
    .filter(({ requests }) => requests > 0)
    .flatMap((activity) =>
      kinds.map((edit) =>
        at(activity)({
          fault: `edited by someone else: ${edit.name}`,
          point: 'start',
          inflict: editedBefore(activity, edit),
        }),
      ),
    );
}

function killPoints(activity: ActivityRecord): Point[] {
  const fault = 'worker killed';
  const writes = Array.from({ length: activity.writes }, (_, index) => index + 1);
  return [
    { fault, point: 'start', inflict: killedAtStart(activity) },
    ...writes.map((write) => ({
      fault,
      point: `middle ${write}`,
      inflict: killedAfterWrite(activity, write),
    })),
    { fault, point: 'end', inflict: killedAtEnd(activity) },
  ];
}

function latePoints(activity: ActivityRecord): Point[] {
  if (activity.writes === 0) return [];
  const fault = 'worker hangs, late write';
  return [
    { fault, point: 'on the wire', inflict: lateOnTheWire(activity) },
    { fault, point: 'before it is sent', inflict: lateToSend(activity) },
  ];
}
