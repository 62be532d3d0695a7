import type { Schedules } from '../../clients/temporal/schedules.ts';
import type {
  AppliedSchedule,
  Schedule,
  ScheduleOwner,
  ScheduleSettings,
} from '../../contracts/schedules.ts';
import { scheduleId } from '../../contracts/schedules.ts';
import { describeSettings, refuseInput, waitsForPeople, type Difference } from '../../domain/schedules.ts';
import { excerpt } from '../../domain/text.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { messageOf } from '../../local/wait.ts';
import { digestOf, nameOf, wasEdited, type Seen } from './look.ts';

/** What applying does with one schedule. */
export type Step = { owner: ScheduleOwner; notes: string[] } & (
  | { action: 'create'; settings: ScheduleSettings; paused: boolean }
  | {
      action: 'change';
      settings: ScheduleSettings;
      differences: Difference[];
      /** Missed runs that count as known from now on. */
      forgotten: number;
      pause: boolean | undefined;
    }
  | { action: 'remove' | 'unchanged' }
);

/** The note of a pause that a profile asked for; any other one is somebody's, and kept. */
const pausedByProfile = 'paused by the profile (runbook schedules apply)';

/** Every input that its procedure would refuse, a sentence each. */
export function refusedInputs(profiles: TargetProfile[]): string[] {
  return profiles.flatMap(({ target, schedules = {} }) =>
    Object.entries(schedules).flatMap(([name, schedule]) => refuseInput(target, name, schedule) ?? []),
  );
}

/** Schedules that cannot be made, since somebody else's have their ids. */
export function refusedIds(seen: Seen[]): string[] {
  return seen
    .filter(({ found }) => found === 'foreign')
    .map(
      ({ owner }) =>
        `${scheduleId(owner)}: Temporal has a schedule with this id that was not made by this command for the queue ${owner.taskQueue}; delete it there, or rename yours`,
    );
}

/** What has to be done so that Temporal has what the profiles say. */
export function planApply(seen: Seen[], forgetMissed: boolean): Step[] {
  return seen.map((one): Step => {
    const { owner, wanted, found } = one;
    if (wanted === undefined) return { owner, action: 'remove', notes: [] };
    const notes = waitsForPeople(wanted.schedule) ? ['each run waits for people at its gate'] : [];
    const { settings, schedule } = wanted;
    if (typeof found !== 'object')
      return { owner, action: 'create', settings, paused: schedule.paused, notes };
    return stepFor({ ...one, wanted, found }, forgetMissed, notes);
  });
}

function stepFor(
  {
    owner,
    wanted: { schedule, settings },
    found,
    differences,
  }: Seen & { wanted: { schedule: Schedule; settings: ScheduleSettings }; found: AppliedSchedule },
  forgetMissed: boolean,
  notes: string[],
): Step {
  const { state, mark } = found;
  const known = mark?.forgotten ?? 0;
  const forgotten = forgetMissed ? state.missed : Math.min(known, state.missed);
  const pause = pauseFor(schedule, found);
  const all = [
    ...differences,
    ...(forgotten > known
      ? [{ setting: 'missed runs that are known', is: String(known), becomes: String(forgotten) }]
      : []),
    ...(pause === undefined
      ? []
      : [{ setting: 'paused', is: pause ? 'no' : 'yes', becomes: pause ? 'yes' : 'no' }]),
  ];
  if (differences.length > 0 && wasEdited(found))
    notes.push('somebody changed it in Temporal since it was applied; that is put back');
  if (state.paused && pause === undefined && !schedule.paused)
    notes.push(`is paused (${excerpt(state.note, 200) || 'no reason given'}) and stays so`);
  if (all.length === 0) return { owner, action: 'unchanged', notes };
  return { owner, action: 'change', settings, differences: all, forgotten, pause, notes };
}

/** Whether the profile has the schedule paused or resumed; undefined: it stays as it is. */
function pauseFor({ paused }: Schedule, { state }: AppliedSchedule): boolean | undefined {
  if (paused) return state.paused ? undefined : true;
  return state.paused && state.note === pausedByProfile ? false : undefined;
}

/** A step that was carried out, or why not. */
export interface Done {
  step: Step;
  failure?: string;
}

/** Carries steps out, one after the other; one that fails does not keep back the others. */
export async function carryOut(schedules: Schedules, steps: Step[]): Promise<Done[]> {
  const done: Done[] = [];
  for (const step of steps) {
    try {
      await carryOutOne(schedules, step);
      done.push({ step });
    } catch (error) {
      done.push({ step, failure: excerpt(messageOf(error), 500) });
    }
  }
  return done;
}

async function carryOutOne(schedules: Schedules, step: Step): Promise<void> {
  const { owner } = step;
  switch (step.action) {
    case 'create': {
      const mark = { digest: digestOf(step.settings), forgotten: 0 };
      await schedules.create(owner, step.settings, mark, step.paused ? pausedByProfile : undefined);
      return;
    }
    case 'change': {
      const { settings, forgotten, pause } = step;
      await schedules.update(owner, settings, { digest: digestOf(settings), forgotten });
      if (pause === true) await schedules.pause(owner, pausedByProfile);
      if (pause === false) await schedules.resume(owner, 'resumed by the profile (runbook schedules apply)');
      return;
    }
    case 'remove':
      await schedules.remove(owner);
      return;
    case 'unchanged':
      return;
  }
}

/** A step for people: what is done, with every setting that it concerns. */
export function linesFor(step: Step): string[] {
  const head = `${step.action} ${nameOf(step.owner)}`;
  const notes = step.notes.map((note) => `    note: ${note}`);
  switch (step.action) {
    case 'create': {
      const rows = describeSettings(step.settings).map(({ setting, value }) => `    ${setting}: ${value}`);
      return [head, ...rows, ...(step.paused ? ['    paused: yes'] : []), ...notes];
    }
    case 'change':
      return [
        head,
        ...step.differences.map(({ setting, is, becomes }) => `    ${setting}: ${is} → ${becomes}`),
        ...notes,
      ];
    case 'remove':
      return [head, '    no profile names it any more', ...notes];
    case 'unchanged':
      return [head, ...notes];
  }
}
