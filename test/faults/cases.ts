import type { Scenario } from './scenarios.ts';
import {
  serverAway,
  storageBad,
  editedBefore,
  everyRequestSlow,
  holderTerminated,
  oneOfTwoKilled,
  temporalKilled,
  watchesBroken,
  type Edit,
} from './support/disturbances.ts';
import {
  killedAfterAnswer,
  killedAfterStored,
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

/** Every case of a scenario, as far as it goes: with real pods only what the points without pods cannot show. */
export function casesOf(scenario: Scenario, reference: Reference): Case[] {
  const { activities } = reference;
  const { realPods, extent, outside, ownsNamespace } = scenario;
  const harmed = realPods ? activities.filter(({ requests }) => requests > 0) : activities;
  const places = [
    ...(extent === 'few'
      ? fewPoints(activities)
      : harmed.flatMap((one) => allPoints(one, ownsNamespace !== true))),
    ...(outside === undefined ? [] : [...harmed.flatMap(readingPoints), ...storage(activities)]),
    ...(realPods
      ? [{ fault: 'watches broken off, then 410', activity: '', point: '', inflict: watchesBroken }]
      : []),
    { fault: 'every API request 2 s late', activity: '', point: '', inflict: everyRequestSlow },
    ...twoWorkers(activities),
    ...(extent === 'all' ? disturbances(scenario, activities) : []),
  ];
  return places.map((place) => ({ scenario, reference, ...place }));
}

/** A worker killed at every point of an activity, and a late write of one that writes. */
function allPoints(activity: ActivityRecord, late: boolean): Place[] {
  return [...killPoints(activity), ...(activity.writes > 0 && late ? latePoints(activity) : [])].map(
    at(activity),
  );
}

/** An activity that writes to a store reads a lot before: killed in the middle of that. */
function readingPoints(activity: ActivityRecord): Place[] {
  const { requests, writes } = activity;
  if (requests < 2 || writes > 0) return [];
  const middle = Math.ceil(requests / 2);
  const point = `after answer ${middle} of ${requests}`;
  return [
    at(activity)({ fault: 'worker killed', point, inflict: killedAfterAnswer(activity, middle) }),
    at(activity)({
      fault: 'API server away for 60 s',
      point: 'start',
      inflict: serverAway(activity, 'kubernetes'),
    }),
  ];
}

/** The storage fails where something is read from it or written to it. */
function storage(activities: ActivityRecord[]): Place[] {
  const asking = activities.filter(({ storeRequests }) => storeRequests > 0);
  return [
    { fault: 'storage loses and delays requests', activity: '', point: '', inflict: storageBad },
    ...asking.flatMap((activity) => storagePoints(activity).map(at(activity))),
  ];
}

function storagePoints(activity: ActivityRecord): Point[] {
  const { storeWrites } = activity;
  const chosen = [...new Set([1, Math.ceil(storeWrites / 2), storeWrites])].filter(
    (write) => write <= storeWrites && write > 0,
  );
  return [
    ...chosen.map((write) => ({
      fault: 'worker killed',
      point: `stored ${write} of ${storeWrites}`,
      inflict: killedAfterStored(activity, write),
    })),
    { fault: 'storage away for 60 s', point: 'start', inflict: serverAway(activity, 'storage') },
  ];
}

function fewPoints(activities: ActivityRecord[]): Place[] {
  const writing = activities.filter(({ writes }) => writes > 0);
  const watching = activities.filter(({ type }) => ['followRollout', 'proveHealthy'].includes(type));
  const fault = 'worker killed';
  return [
    ...writing.map((activity) => at(activity)({ fault, point: 'end', inflict: killedAtEnd(activity) })),
    ...writing
      .filter(({ type }) => type === 'applyWrite')
      .flatMap((activity) => latePoints(activity).map(at(activity))),
    ...watching.flatMap((activity) => killPoints(activity).map(at(activity))),
  ];
}

function disturbances(scenario: Scenario, activities: ActivityRecord[]): Place[] {
  const waits = !scenario.realPods && scenario.outcome === 'succeeded';
  return [
    ...serversAway(activities),
    ...edits(scenario, activities),
    ...(waits
      ? [
          {
            fault: 'holder terminated while another run waits',
            activity: '',
            point: '',
            inflict: holderTerminated,
          },
        ]
      : []),
  ];
}

/** Names an activity in the table: its type alone may stand for several. */
export function nameOf({ id }: ActivityRecord): string {
  return id;
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
  const firstWrite = asking.findIndex(({ type }) => type === 'applyWrite');
  const lastWrite = asking.findLastIndex(({ type }) => type === 'applyWrite');
  const taken = asking.findIndex(({ type }) => type === 'takeLock');
  const released = asking.findLastIndex(({ type }) => type === 'releaseLock');
  const chosen = [...new Set([0, taken, firstWrite, firstWrite + 1, lastWrite, released])].flatMap(
    (index) => asking[index] ?? [],
  );
  return chosen.flatMap((activity) => [
    at(activity)({
      fault: 'API server away for 60 s',
      point: 'start',
      inflict: serverAway(activity, 'kubernetes'),
    }),
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
  shown: 'EDIT',
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
    .filter(({ type, requests }) => requests > 0 && !type.endsWith('Lock'))
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
  const isOfLock = !['applyWrite', 'restoreGroup', 'tieOwners'].includes(activity.type);
  const heldLater = 'held by a later run';
  const fault = 'worker hangs, late write';
  return [
    { fault, point: 'on the wire', inflict: lateOnTheWire(activity) },
    { fault, point: 'before it is sent', inflict: lateToSend(activity) },
    ...(isOfLock
      ? [
          {
            fault,
            point: `before it is sent, lock ${heldLater}`,
            inflict: lateToSend(activity, heldLater),
          },
          { fault, point: `on the wire, lock ${heldLater}`, inflict: lateOnTheWire(activity, heldLater) },
        ]
      : []),
  ];
}
