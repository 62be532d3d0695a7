import type { JsonObject } from '../contracts/json.ts';
import { procedures, type Procedure } from '../contracts/procedures.ts';
import type {
  Calendar,
  EndedRun,
  Schedule,
  ScheduleOwner,
  ScheduleSettings,
} from '../contracts/schedules.ts';
import type { TargetProfile } from '../contracts/target.ts';
import { cronOf, parseCron } from './cron.ts';
import { canonicalJson } from './plan/canonical-json.ts';
import { readRequest } from './requests.ts';
import { excerpt } from './text.ts';

/** Everything wrong with the times of a profile's schedules; each fault names its place. */
export function scheduleFaults({ schedules = {} }: TargetProfile): string[] {
  return Object.entries(schedules).flatMap(([name, { cron, timeZone }]) => {
    const place = `schedules.${name}`;
    const faults = linesOf(cron).flatMap((line) =>
      parseCron(line).faults.map((fault) => `${place}.cron: "${excerpt(line)}": ${fault}`),
    );
    if (timeZone !== undefined && !isTimeZone(timeZone))
      faults.push(`${place}.timeZone: must be an IANA name such as Europe/Berlin or UTC`);
    return faults;
  });
}

/** Temporal takes names exactly as they are written in the database of time zones; Intl also takes other capitals. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Z][A-Za-z0-9_+-]*(\/[A-Z][A-Za-z0-9_+-]*)*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function linesOf(cron: Schedule['cron']): string[] {
  if (cron === undefined) return [];
  return typeof cron === 'string' ? [cron] : cron;
}

/** What a run of the schedule gets: target and requester are filled in. */
export function scheduledInput(target: string, name: string, { input }: Schedule): JsonObject {
  return { ...input, target, requestedBy: `schedule ${name}` };
}

/** Why the procedure would refuse the input of a schedule; undefined: it takes it. */
export function refuseInput(target: string, name: string, schedule: Schedule): string | undefined {
  const { workflowType, schema, example } = procedureOf(schedule);
  const read = readRequest(workflowType, schema, scheduledInput(target, name, schedule), example);
  return read.ok ? undefined : `schedule ${target}/${name}: ${read.message}`;
}

/** Whether each run of it waits for people. */
export function waitsForPeople(schedule: Schedule): boolean {
  return procedureOf(schedule).kind === 'changing' && schedule.input.dryRun !== true;
}

function procedureOf({ procedure }: Schedule): Procedure {
  const found = procedures.find(({ name }) => name === procedure);
  if (found === undefined) throw new TypeError(`a profile with an unknown procedure was not refused`);
  return found;
}

/** What one schedule of a profile has to be in Temporal. */
export function settingsFor(
  { target, schedule: name, taskQueue }: ScheduleOwner,
  schedule: Schedule,
  searchAttribute: boolean,
): ScheduleSettings {
  const { workflowType, summary } = procedureOf(schedule);
  const { everySeconds, offsetSeconds = 0 } = schedule;
  return {
    workflowType,
    input: scheduledInput(target, name, schedule),
    taskQueue,
    // A dot is in neither name, so two schedules never want the same id at the same time.
    workflowId: `${target}.${name}`,
    summary: excerpt(`Schedule ${name} of ${target}: ${summary}`, 120),
    calendars: linesOf(schedule.cron).flatMap((line) => {
      const read = parseCron(line);
      return 'calendar' in read ? [read.calendar] : [];
    }),
    intervals: everySeconds === undefined ? [] : [{ everySeconds, offsetSeconds }],
    timeZone: schedule.timeZone ?? 'UTC',
    jitterSeconds: schedule.jitterSeconds,
    overlap: schedule.overlap,
    catchupWindowSeconds: schedule.catchupWindowSeconds,
    pauseOnFailure: schedule.pauseOnFailure,
    searchAttribute,
    more: [],
  };
}

/** One setting that differs, for people: what it is now, and what it is to be. */
export interface Difference {
  setting: string;
  is: string;
  becomes: string;
}

/** What an update of a schedule would change, setting by setting. */
export function differencesOf(is: ScheduleSettings, becomes: ScheduleSettings): Difference[] {
  const before = rows(is);
  return rows(becomes).flatMap(({ setting, value, shown }, index) => {
    const former = before[index];
    if (former === undefined || former.value === value) return [];
    return [{ setting, is: former.shown, becomes: shown }];
  });
}

/** The whole of a schedule, setting by setting. */
export function describeSettings(settings: ScheduleSettings): { setting: string; value: string }[] {
  const known = rows(settings).filter(({ setting }) => setting !== besides || settings.more.length > 0);
  return known.map(({ setting, shown }) => ({ setting, value: shown }));
}

/** The settings as canonical text; the digest of what was applied is made of it. */
export function canonicalSettings(settings: ScheduleSettings): string {
  return canonicalJson(rows(settings).map(({ setting, value }) => [setting, value]));
}

const mostInputShown = 300;
const besides = 'set in Temporal only';

/** Always the same settings in the same order. `value` is compared, `shown` is for people. */
function rows(settings: ScheduleSettings): { setting: string; value: string; shown: string }[] {
  const { calendars, intervals, input } = settings;
  const same = (setting: string, value: string | number | boolean) => {
    const text = String(value);
    return { setting, value: text, shown: excerpt(text, mostInputShown) };
  };
  const times = timesOf(calendars, intervals);
  return [
    same('procedure', nameOfType(settings.workflowType)),
    same('input', canonicalJson(input)),
    { setting: 'times', value: canonicalJson(times.values), shown: times.shown },
    same('time zone', settings.timeZone),
    same('jitter', `${settings.jitterSeconds} s`),
    same('overlap', settings.overlap),
    same('catch-up window', `${settings.catchupWindowSeconds} s`),
    same('pause on failure', settings.pauseOnFailure ? 'yes' : 'no'),
    same('task queue', settings.taskQueue),
    same('workflow id', settings.workflowId),
    same('summary', settings.summary),
    same('search attribute', settings.searchAttribute ? 'set' : 'none'),
    same(besides, settings.more.join(', ') || 'nothing'),
  ];
}

function nameOfType(workflowType: string): string {
  return procedures.find((one) => one.workflowType === workflowType)?.name ?? workflowType;
}

/** In an order of their own: Temporal may give them back in another one. */
function timesOf(
  calendars: Calendar[],
  intervals: ScheduleSettings['intervals'],
): { values: string[]; shown: string } {
  const all = [
    ...calendars.map((calendar) => ({ value: cronOf(calendar), shown: writtenAs(calendar) })),
    ...intervals.map((interval) => ({
      value: describeInterval(interval),
      shown: describeInterval(interval),
    })),
  ].sort((a, b) => (a.value < b.value ? -1 : 1));
  return {
    values: [...new Set(all.map(({ value }) => value))],
    shown: excerpt(all.map(({ shown }) => shown).join('; ') || 'none', mostInputShown),
  };
}

/** As somebody wrote it, if it still means that: whoever edits a schedule in Temporal may leave the comment behind. */
function writtenAs(calendar: Calendar): string {
  const line = cronOf(calendar);
  const read = parseCron(calendar.text ?? '');
  return 'calendar' in read && cronOf(read.calendar) === line ? (read.calendar.text ?? line) : line;
}

function describeInterval({ everySeconds, offsetSeconds }: ScheduleSettings['intervals'][number]): string {
  return `every ${everySeconds} s${offsetSeconds === 0 ? '' : `, ${offsetSeconds} s later`}`;
}

const good = ['succeeded', 'planned'];
const bad = ['rejected', 'timedOut', 'aborted', 'undone', 'undoFailed', 'failed'];

/** How a run ended, in one word of ours and in one for people. */
export interface RunVerdict {
  /** `unknown`: it has ended, but how cannot be told. */
  verdict: 'ok' | 'failed' | 'unknown';
  outcome: string;
}

/** A run that completed may have been rejected: without its outcome, which is a search attribute, it is unknown. */
export function judgeEnd({ status, outcome }: Pick<EndedRun, 'status' | 'outcome'>): RunVerdict {
  if (status === undefined) return { verdict: 'unknown', outcome: 'forgotten by Temporal' };
  const isBad = outcome !== undefined && bad.includes(outcome);
  if (status !== 'COMPLETED')
    return { verdict: 'failed', outcome: isBad ? outcome : status.toLowerCase().replaceAll('_', ' ') };
  if (isBad) return { verdict: 'failed', outcome };
  if (outcome !== undefined && good.includes(outcome)) return { verdict: 'ok', outcome };
  return { verdict: 'unknown', outcome: 'completed, with an outcome that is not known' };
}
