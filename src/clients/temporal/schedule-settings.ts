import {
  DAYS_OF_WEEK,
  MONTHS,
  type CalendarSpec,
  type CalendarSpecDescription,
  type ScheduleDescription,
  type ScheduleOptions,
  type ScheduleUpdateOptions,
} from '@temporalio/client';
import type { JsonObject } from '../../contracts/json.ts';
import type { Calendar, NumberRange, ScheduleMark, ScheduleSettings } from '../../contracts/schedules.ts';
import { searchAttributes } from '../../contracts/search-attributes.ts';

/** In the memo of a schedule: whose it is. In that of its runs: the mark. */
export const memoKey = 'runbookSchedule';

/** Our words for Temporal's policies; it has more of them. */
const policies = { skip: 'SKIP', bufferOne: 'BUFFER_ONE', allowAll: 'ALLOW_ALL' } as const;

/** Temporal's name of an overlap policy of ours. */
export function policyOf(overlap: string): (typeof policies)[keyof typeof policies] {
  return Object.entries(policies).find(([ours]) => ours === overlap)?.[1] ?? policies.skip;
}

/** What Temporal is asked for. */
export function optionsFor(
  settings: ScheduleSettings,
  target: string,
  mark: ScheduleMark,
): Pick<ScheduleOptions, 'spec' | 'action' | 'policies' | 'typedSearchAttributes'> {
  const attributes = settings.searchAttribute
    ? { typedSearchAttributes: [{ key: searchAttributes.target, value: target }] }
    : {};
  return {
    spec: {
      calendars: settings.calendars.map(toSpec),
      intervals: settings.intervals.map(({ everySeconds, offsetSeconds }) => ({
        every: everySeconds * 1000,
        offset: offsetSeconds * 1000,
      })),
      timezone: settings.timeZone,
      jitter: settings.jitterSeconds * 1000,
    },
    action: {
      type: 'startWorkflow',
      workflowType: settings.workflowType,
      workflowId: settings.workflowId,
      taskQueue: settings.taskQueue,
      args: [settings.input],
      staticSummary: settings.summary,
      memo: { [memoKey]: mark },
      ...attributes,
    },
    policies: {
      overlap: policyOf(settings.overlap),
      catchupWindow: settings.catchupWindowSeconds * 1000,
      pauseOnFailure: settings.pauseOnFailure,
    },
    ...attributes,
  };
}

/** The same for a schedule that is there. Its state is kept: it belongs to whoever works with the Temporal UI. */
export function updateFor(
  previous: ScheduleDescription,
  ...given: Parameters<typeof optionsFor>
): ScheduleUpdateOptions {
  return { ...optionsFor(...given), state: previous.state };
}

function toSpec({ minute, hour, dayOfMonth, month, dayOfWeek, text }: Calendar): CalendarSpec {
  return {
    second: 0,
    minute,
    hour,
    dayOfMonth,
    month: month.flatMap((range) => named(range, MONTHS, 1)),
    dayOfWeek: dayOfWeek.flatMap((range) => named(range, DAYS_OF_WEEK, 0)),
    // The Temporal UI shows it beside the times.
    ...(text === undefined ? {} : { comment: text }),
  };
}

function named<T extends string>(
  { start, end, step }: NumberRange,
  names: readonly T[],
  least: number,
): { start: T; end: T; step: number }[] {
  const [first, last] = [names[start - least], names[end - least]];
  return first === undefined || last === undefined ? [] : [{ start: first, end: last, step }];
}

/** What a schedule is, whoever made it so. */
export function settingsOf({ spec, action, policies: rules, state }: ScheduleDescription): ScheduleSettings {
  const [input, ...others] = (action.args ?? []) as unknown[];
  const hasInput = typeof input === 'object' && input !== null && !Array.isArray(input);
  const more = {
    'other arguments': others.length > 0 || !hasInput,
    'times that are left out': (spec.skip ?? []).length > 0,
    'a start time': spec.startAt !== undefined,
    'an end time': spec.endAt !== undefined,
    'a number of runs': state.remainingActions !== undefined,
    'a timeout':
      (action.workflowExecutionTimeout ?? action.workflowRunTimeout ?? action.workflowTaskTimeout) !==
      undefined,
    retries: action.retry !== undefined,
  };
  return {
    workflowType: action.workflowType,
    input: hasInput ? (input as JsonObject) : {},
    taskQueue: action.taskQueue,
    workflowId: action.workflowId,
    summary: action.staticSummary ?? '',
    calendars: (spec.calendars ?? []).map(toCalendar),
    intervals: (spec.intervals ?? []).map(({ every, offset }) => ({
      everySeconds: every / 1000,
      offsetSeconds: offset / 1000,
    })),
    timeZone: spec.timezone === undefined || spec.timezone === '' ? 'UTC' : spec.timezone,
    jitterSeconds: (spec.jitter ?? 0) / 1000,
    overlap:
      Object.entries(policies).find(([, theirs]) => theirs === rules.overlap)?.[0] ?? rules.overlap ?? 'none',
    catchupWindowSeconds: rules.catchupWindow / 1000,
    pauseOnFailure: rules.pauseOnFailure,
    searchAttribute: hasTarget(action.typedSearchAttributes),
    more: Object.entries(more).flatMap(([name, is]) => (is ? [name] : [])),
  };
}

function hasTarget(attributes: ScheduleDescription['action']['typedSearchAttributes']): boolean {
  return (
    attributes !== undefined && 'get' in attributes && attributes.get(searchAttributes.target) !== undefined
  );
}

function toCalendar(spec: CalendarSpecDescription): Calendar {
  const more = [
    ...(spec.second.every(({ start, end }) => start === 0 && end === 0) ? [] : ['other seconds than 0']),
    ...(spec.year.length === 0 ? [] : [`years ${spec.year.map(({ start }) => start).join(', ')}`]),
  ];
  return {
    minute: spec.minute,
    hour: spec.hour,
    dayOfMonth: spec.dayOfMonth,
    month: spec.month.map((range) => numbered(range, MONTHS, 1)),
    dayOfWeek: spec.dayOfWeek.map((range) => numbered(range, DAYS_OF_WEEK, 0)),
    ...(spec.comment === undefined || spec.comment === '' ? {} : { text: spec.comment }),
    ...(more.length === 0 ? {} : { more: more.join(', ') }),
  };
}

function numbered<T extends string>(
  { start, end, step }: { start: T; end: T; step: number },
  names: readonly T[],
  least: number,
): NumberRange {
  return { start: names.indexOf(start) + least, end: names.indexOf(end) + least, step };
}
