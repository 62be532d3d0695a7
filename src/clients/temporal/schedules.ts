import {
  ScheduleNotFoundError,
  WorkflowNotFoundError,
  type Client,
  type ScheduleDescription,
} from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { z } from 'zod';
import { dnsLabel } from '../../contracts/kubernetes-names.ts';
import {
  scheduleId,
  scheduleIdPrefix,
  type AppliedSchedule,
  type EndedRun,
  type ScheduleMark,
  type ScheduleOwner,
  type ScheduleSettings,
  type ScheduleState,
} from '../../contracts/schedules.ts';
import { searchAttributes } from '../../contracts/search-attributes.ts';
import { memoKey, optionsFor, policyOf, settingsOf, updateFor } from './schedule-settings.ts';

/** What one id in Temporal is: a schedule of ours, somebody else's, or nothing. */
export type FoundSchedule =
  { found: 'ours'; schedule: AppliedSchedule } | { found: 'foreign' } | { found: 'nothing' };

/** Schedules of ours in one namespace of Temporal. Errors of the connection pass through. */
export interface Schedules {
  /** Whose memo says that they are ours. A schedule of the last second may be missing, one that is gone may be there. */
  owned(): Promise<ScheduleOwner[]>;
  /** As it is now. A schedule whose memo is not ours is foreign, whatever its id. */
  read(owner: ScheduleOwner): Promise<FoundSchedule>;
  create(
    owner: ScheduleOwner,
    settings: ScheduleSettings,
    mark: ScheduleMark,
    pausedNote?: string,
  ): Promise<void>;
  /** Everything but its state: whether it is paused is kept. */
  update(owner: ScheduleOwner, settings: ScheduleSettings, mark: ScheduleMark): Promise<void>;
  /** One that is gone already counts as removed. */
  remove(owner: ScheduleOwner): Promise<void>;
  pause(owner: ScheduleOwner, note: string): Promise<void>;
  resume(owner: ScheduleOwner, note: string): Promise<void>;
  /** Starts a run now, under the schedule's own policy for overlaps. */
  trigger(owner: ScheduleOwner, settings: ScheduleSettings): Promise<void>;
}

/** A description is a query to a workflow of the server's own: on a busy server it takes seconds. */
const answerWithinMilliseconds = 15_000;
const pageSize = 100;

const ownerSchema = z.object({ target: dnsLabel, schedule: dnsLabel, taskQueue: z.string().min(1).max(200) });
const markSchema = z.object({ digest: z.string().max(100), forgotten: z.number().int().min(0) });

/** The schedules of the namespace that `client` speaks to; whoever has less time says so. */
export function createSchedules(client: Client, withinMilliseconds = answerWithinMilliseconds): Schedules {
  const bounded = <T>(call: () => Promise<T>): Promise<T> =>
    client.connection.withDeadline(Date.now() + withinMilliseconds, call);
  const handle = (owner: ScheduleOwner) => client.schedule.getHandle(scheduleId(owner));
  return {
    owned: () => listOwned(client, bounded),
    async read(owner) {
      try {
        const description = await bounded(() => handle(owner).describe());
        if (!isSame(ownerIn(description.memo, description.scheduleId), owner)) return { found: 'foreign' };
        const state = await stateOf(client, description, bounded);
        const mark = markSchema.safeParse(description.action.memo?.[memoKey]);
        const schedule = {
          id: description.scheduleId,
          owner,
          settings: settingsOf(description),
          state,
          ...(mark.success ? { mark: mark.data } : {}),
        };
        return { found: 'ours', schedule };
      } catch (error) {
        if (error instanceof ScheduleNotFoundError) return { found: 'nothing' };
        throw error;
      }
    },
    async create(owner, settings, mark, pausedNote) {
      await bounded(() =>
        client.schedule.create({
          scheduleId: scheduleId(owner),
          memo: { [memoKey]: owner },
          ...optionsFor(settings, owner.target, mark),
          ...(pausedNote === undefined ? {} : { state: { paused: true, note: pausedNote } }),
        }),
      );
    },
    async update(owner, settings, mark) {
      await bounded(() =>
        handle(owner).update((previous) => updateFor(previous, settings, owner.target, mark)),
      );
    },
    async remove(owner) {
      try {
        await bounded(() => handle(owner).delete());
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
      }
    },
    pause: (owner, note) => bounded(() => handle(owner).pause(note)),
    resume: (owner, note) => bounded(() => handle(owner).unpause(note)),
    trigger: (owner, { overlap }) => bounded(() => handle(owner).trigger(policyOf(overlap))),
  };
}

type Bounded = <T>(call: () => Promise<T>) => Promise<T>;

/** Reads memos by hand: one of somebody else's, in an encoding of theirs, must not spoil the list. */
async function listOwned(client: Client, bounded: Bounded): Promise<ScheduleOwner[]> {
  const owners: ScheduleOwner[] = [];
  let nextPageToken: Uint8Array = new Uint8Array();
  do {
    const page = await bounded(() =>
      client.workflowService.listSchedules({
        namespace: client.options.namespace,
        maximumPageSize: pageSize,
        nextPageToken,
      }),
    );
    for (const { scheduleId: given, memo } of page.schedules) {
      const id = given ?? '';
      if (!id.startsWith(scheduleIdPrefix)) continue;
      const owner = ownerIn({ [memoKey]: decoded(memo?.fields?.[memoKey]) }, id);
      if (owner !== undefined) owners.push(owner);
    }
    nextPageToken = page.nextPageToken;
  } while (nextPageToken.length > 0);
  return owners;
}

function decoded(payload: Payload | undefined): unknown {
  try {
    return payload === undefined ? undefined : defaultPayloadConverter.fromPayload(payload);
  } catch {
    return undefined;
  }
}

/** A memo that somebody copied to a schedule with another id says nothing about that one. */
function ownerIn(memo: Record<string, unknown> | undefined, id: string): ScheduleOwner | undefined {
  const parsed = ownerSchema.safeParse(memo?.[memoKey]);
  return parsed.success && scheduleId(parsed.data) === id ? parsed.data : undefined;
}

function isSame(owner: ScheduleOwner | undefined, other: ScheduleOwner): boolean {
  return owner !== undefined && owner.taskQueue === other.taskQueue;
}

async function stateOf(
  client: Client,
  { state, info }: ScheduleDescription,
  bounded: Bounded,
): Promise<ScheduleState> {
  const [next] = info.nextActionTimes;
  const recent = info.recentActions.map(({ takenAt, action }) => ({
    workflowId: action.workflow.workflowId,
    startedAt: takenAt.toISOString(),
  }));
  const running = info.runningActions.map(({ workflow: { workflowId } }) => {
    const startedAt = recent.find((one) => one.workflowId === workflowId)?.startedAt;
    return { workflowId, ...(startedAt === undefined ? {} : { startedAt }) };
  });
  const lastRun = await lastEnded(client, recent, bounded);
  return {
    paused: state.paused,
    note: state.note ?? '',
    createdAt: info.createdAt.toISOString(),
    missed: info.numActionsMissedCatchupWindow,
    skipped: info.numActionsSkippedOverlap,
    running,
    // Temporal goes on counting the times of a paused schedule.
    ...(next === undefined || state.paused ? {} : { nextRun: next.toISOString() }),
    ...(lastRun === undefined ? {} : { lastRun }),
  };
}

/** The latest run that goes on no more. Temporal remembers ten. */
async function lastEnded(
  client: Client,
  recent: { workflowId: string; startedAt: string }[],
  bounded: Bounded,
): Promise<EndedRun | undefined> {
  for (const run of recent.toReversed()) {
    const ended = await endOf(client, run, bounded);
    if (ended !== undefined) return ended;
  }
  return undefined;
}

/** Undefined: it goes on. */
async function endOf(
  client: Client,
  run: { workflowId: string; startedAt: string },
  bounded: Bounded,
): Promise<EndedRun | undefined> {
  try {
    const found = await bounded(() => client.workflow.getHandle(run.workflowId).describe());
    if (found.status.name === 'RUNNING') return undefined;
    const outcome = found.typedSearchAttributes.get(searchAttributes.outcome);
    return {
      ...run,
      status: found.status.name,
      ...(outcome === undefined ? {} : { outcome }),
      ...(found.closeTime === undefined ? {} : { endedAt: found.closeTime.toISOString() }),
    };
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return run;
    throw error;
  }
}
