import { proxyActivities, type ActivityInterfaceFor, type ActivityOptions } from '@temporalio/workflow';
import type { Activities } from '../activities/index.ts';
import { excerpt } from '../domain/text.ts';

/** After this silence a worker counts as gone and its activity goes to another one. The target's profile may shorten it. */
let heartbeatSeconds = 15;

/** Sets the heartbeat timeout of every activity of this run. A workflow has its module's variables for itself. */
export function useHeartbeat(seconds: number): void {
  heartbeatSeconds = seconds;
}

/**
 * Activities by what they do. Every number has its reason here; the retry judgement itself (what is worth
 * repeating) lies in each system's failures.ts. Each call says in a few words what it is about: the
 * Temporal UI shows that beside the activity.
 */
function group(
  options: ActivityOptions,
  mostHeartbeatSeconds = Infinity,
): (summary: string) => ActivityInterfaceFor<Activities> {
  return (summary) =>
    proxyActivities<Activities>({
      ...options,
      heartbeatTimeout: `${Math.min(heartbeatSeconds, mostHeartbeatSeconds)} seconds`,
      summary: clipped(summary),
    });
}

/** A few seconds of reading. Two minutes in all: past that a person should know that the cluster does not answer. */
export const read = group({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
});

/**
 * Who decided: someone waits in front of a screen for the answer. Long enough that the next worker is there when one
 * dies meanwhile: what came by a signal would be lost without a word.
 */
export const identify = group({
  startToCloseTimeout: '10 seconds',
  scheduleToCloseTimeout: '2 minutes',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '5 seconds' },
});

/** Messages to people. Nothing waits for them; after ten minutes they are of no use any more. */
export const tell = group({
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '10 minutes',
  retry: { initialInterval: '2 seconds', maximumInterval: '1 minute' },
});

/** One write. Five minutes in all, so that an API server that is away for a minute does not end a run. */
const writing: ActivityOptions = {
  startToCloseTimeout: '30 seconds',
  scheduleToCloseTimeout: '5 minutes',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
};
export const change = group(writing);

/** The same for undoing: it has longer, since giving up here leaves the service half changed. */
export const undoing = group({ ...writing, scheduleToCloseTimeout: '15 minutes' });

/** Waiting for a lock or for the end of a freeze: the activity itself knows until when, at most a gate's longest deadline. */
export const wait = group({
  startToCloseTimeout: '31 days',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
});

/** Removing a namespace: the activity itself gives its pods five minutes to end. */
export const removing = group({
  startToCloseTimeout: '6 minutes',
  scheduleToCloseTimeout: '30 minutes',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
});

/**
 * Watching and probing: as long as the Deployment's own progress deadline and the bake time allow.
 * Two hours is the bound for a Deployment that has no deadline.
 */
export const watch = group({
  startToCloseTimeout: '2 hours',
  scheduleToCloseTimeout: '3 hours',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
});

/**
 * Looking at every kind that a cluster has: a hundred requests and more, so a slow API server needs minutes. One that
 * stays away for an hour is a matter for people: nothing was stored yet.
 */
export const survey = group({
  startToCloseTimeout: '20 minutes',
  scheduleToCloseTimeout: '1 hour',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

/**
 * Bulk reading and storing of what may hold Secrets: backups, verifications. Each attempt begins anew, so it has an hour; three in all, since a
 * store or an API server that stays away that long is a matter for people.
 */
export const secretBulk = group({
  startToCloseTimeout: '1 hour',
  scheduleToCloseTimeout: '3 hours',
  retry: { initialInterval: '1 second', maximumInterval: '30 seconds' },
});

/** A hook has its own time limit of at most an hour, and is not repeated because it took long. */
export const hook = group({
  startToCloseTimeout: '65 minutes',
  scheduleToCloseTimeout: '70 minutes',
  retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
});

/**
 * Restoring a group: a store or an API server that is away for minutes ends nothing, and each attempt goes on where the
 * last heartbeat was. Heartbeats leave a worker at most every four fifths of the timeout, and say what was stored up to
 * two seconds before: with seven seconds at most eight are done again.
 */
export const restoring = group(
  {
    startToCloseTimeout: '2 hours',
    scheduleToCloseTimeout: '3 hours',
    retry: { initialInterval: '500 milliseconds', maximumInterval: '10 seconds' },
  },
  7,
);

/**
 * Looking through backups and removing them: many small requests. A repeated attempt finds the rest; a store that fails
 * ten times in a row, over a minute and a half, is named in the report, and the other locations go on.
 */
export const prune = group({
  startToCloseTimeout: '30 minutes',
  retry: { initialInterval: '1 second', maximumInterval: '15 seconds', maximumAttempts: 10 },
});

/** Storing the report: three tries, then the run ends without waiting and a detached child goes on trying. */
export const store = group({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumAttempts: 3 },
});

/** The same for what needs a Secret: another kind of worker may do it. */
export const secret = group({
  startToCloseTimeout: '10 seconds',
  retry: { initialInterval: '500 milliseconds', maximumAttempts: 3 },
});

/** The detached upload: storage may be away for days, the report is not lost before that. */
const eventually: ActivityOptions = {
  startToCloseTimeout: '1 minute',
  scheduleToCloseTimeout: '7 days',
  retry: { initialInterval: '5 seconds', maximumInterval: '5 minutes' },
};
export const storeEventually = group(eventually);

/** The same for what needs a Secret. */
export const sealEventually = group(eventually);

/** A summary as the server takes it: past 400 bytes it fails the workflow task, and no character has more than four. */
export function clipped(summary: string): string {
  return excerpt(summary, 90);
}
