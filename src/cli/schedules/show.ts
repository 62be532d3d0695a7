import type { AppliedSchedule, ScheduleState } from '../../contracts/schedules.ts';
import { judgeEnd, type RunVerdict } from '../../domain/schedules.ts';
import { excerpt } from '../../domain/text.ts';
import { nameOf, type Seen } from './look.ts';

/** One schedule, as `schedules list --json` shows it. */
export interface Shown {
  target: string;
  schedule: string;
  applied: 'yes' | 'no' | 'differs' | 'foreign' | 'in no profile';
  /** Settings that differ from the profile. */
  differs: string[];
  state?: Omit<ScheduleState, 'lastRun'>;
  lastRun?: ScheduleState['lastRun'] & RunVerdict;
}

/** What to show of a schedule. */
export function shownOf({ owner, wanted, found, differences }: Seen): Shown {
  const { target, schedule } = owner;
  const base = { target, schedule, differs: differences.map(({ setting }) => setting) };
  if (found === undefined) return { ...base, applied: 'no' };
  if (found === 'foreign') return { ...base, applied: 'foreign' };
  const { lastRun, ...state } = found.state;
  return {
    ...base,
    applied: wanted === undefined ? 'in no profile' : differences.length > 0 ? 'differs' : 'yes',
    state,
    ...(lastRun === undefined ? {} : { lastRun: { ...lastRun, ...judgeEnd(lastRun) } }),
  };
}

/** A schedule for people: one line with its name, then what there is to say. */
export function linesOf(shown: Shown): string[] {
  return [nameOf(shown), ...[...standing(shown), ...runs(shown)].map((line) => `    ${line}`)];
}

function standing({ applied, differs }: Shown): string[] {
  switch (applied) {
    case 'yes':
      return [];
    case 'no':
      return ['not applied; run: runbook schedules apply'];
    case 'differs':
      return [`differs from the profile in ${differs.join(', ')}; run: runbook schedules apply`];
    case 'foreign':
      return ['Temporal has a schedule with its id that is not ours'];
    case 'in no profile':
      return ['in no profile any more; runbook schedules apply would remove it'];
  }
}

function runs({ state, lastRun }: Shown): string[] {
  if (state === undefined) return [];
  const { paused, note, nextRun, running, missed, skipped } = state;
  return [
    paused ? `paused: ${excerpt(note, 200) || 'no reason given'}` : `next run: ${nextRun ?? 'never'}`,
    lastRun === undefined
      ? 'last run: none has ended'
      : `last run: ${lastRun.outcome} at ${lastRun.endedAt ?? 'an unknown time'} (${excerpt(lastRun.workflowId, 200)})`,
    ...running.map(
      ({ workflowId, startedAt }) =>
        `running: ${excerpt(workflowId, 200)}${startedAt === undefined ? '' : ` since ${startedAt}`}`,
    ),
    ...(missed === 0 ? [] : [`missed: ${missed} since ${state.createdAt}`]),
    ...(skipped === 0 ? [] : [`left out since the former run still went on: ${skipped}`]),
  ];
}

/** Missed runs that nobody has taken note of. */
export function newlyMissed({ state, mark }: AppliedSchedule): number {
  return Math.max(0, state.missed - (mark?.forgotten ?? 0));
}
