import type { Schedules } from '../../clients/temporal/schedules.ts';
import { dnsLabel } from '../../contracts/kubernetes-names.ts';
import { scheduleIdPrefix, type AppliedSchedule, type ScheduleOwner } from '../../contracts/schedules.ts';
import { excerpt } from '../../domain/text.ts';
import { waitFor } from '../../local/wait.ts';
import { UsageError } from '../exit-codes.ts';
import { nameOf } from './look.ts';

/**
 * The schedule that somebody means: `target/name`, its id in Temporal, or the name alone where only one target has it.
 * @throws UsageError when there is none of ours, or several
 */
export async function findSchedule(
  schedules: Schedules,
  given: string,
  taskQueue: string,
): Promise<AppliedSchedule> {
  const parts = (given.startsWith(scheduleIdPrefix) ? given.slice(scheduleIdPrefix.length) : given).split(
    '/',
  );
  if (parts.length > 2 || !parts.every((part) => dnsLabel.safeParse(part).success))
    throw new UsageError(`"${excerpt(given)}" is no schedule; name it as target/name, such as alecs/hourly`);
  const [first = '', second] = parts;
  const owner =
    second === undefined
      ? await byName(schedules, first, taskQueue)
      : { target: first, schedule: second, taskQueue };
  const looked = await schedules.read(owner);
  switch (looked.found) {
    case 'ours':
      return looked.schedule;
    case 'foreign':
      throw new UsageError(
        `the schedule ${nameOf(owner)} was not made by this command for the queue ${taskQueue}; use the Temporal UI`,
      );
    case 'nothing':
      throw new UsageError(
        `Temporal has no schedule ${nameOf(owner)}; ${await knownIn(schedules, taskQueue)}; make yours with: runbook schedules apply`,
      );
  }
}

async function byName(schedules: Schedules, name: string, taskQueue: string): Promise<ScheduleOwner> {
  const owners = await schedules.owned();
  const found = owners.filter((owner) => owner.schedule === name && owner.taskQueue === taskQueue);
  const [only, ...others] = found;
  if (only === undefined)
    throw new UsageError(`Temporal has no schedule ${name}; ${await knownIn(schedules, taskQueue)}`);
  if (others.length > 0) throw new UsageError(`which one: ${found.map(nameOf).sort().join(' or ')}?`);
  return only;
}

async function knownIn(schedules: Schedules, taskQueue: string): Promise<string> {
  const names = (await schedules.owned()).filter((owner) => owner.taskQueue === taskQueue).map(nameOf);
  return names.length === 0 ? 'it has none of ours' : `it has ${names.sort().join(', ')}`;
}

const startsWithinMilliseconds = 10_000;

/** Starts a run now and waits until Temporal has begun it. @throws Error when the schedule would leave it out */
export async function triggerNow(
  schedules: Schedules,
  { owner, settings, state }: AppliedSchedule,
): Promise<{ workflowId?: string; sentence: string }> {
  const [current] = state.running;
  if (current !== undefined && settings.overlap === 'skip')
    throw new Error(
      `${nameOf(owner)} skips while its former run goes on; see it: runbook show '${current.workflowId}'`,
    );
  await schedules.trigger(owner, settings);
  if (current !== undefined && settings.overlap === 'bufferOne')
    return { sentence: `a run of ${nameOf(owner)} starts as soon as ${current.workflowId} has ended` };
  const before = idsOf(state);
  const workflowId = await waitFor(
    async () => {
      const looked = await schedules.read(owner);
      return looked.found === 'ours'
        ? idsOf(looked.schedule.state).find((id) => !before.includes(id))
        : undefined;
    },
    {
      what: `the run of ${nameOf(owner)} to start`,
      timeoutMilliseconds: startsWithinMilliseconds,
      everyMilliseconds: 200,
    },
  );
  return { workflowId, sentence: `started ${workflowId}; see it: runbook show '${workflowId}'` };
}

function idsOf({ running, lastRun }: AppliedSchedule['state']): string[] {
  return [...running, ...(lastRun === undefined ? [] : [lastRun])].map(({ workflowId }) => workflowId);
}
