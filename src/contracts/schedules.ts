import { z } from 'zod';
import { besideFaults } from './beside-faults.ts';
import type { JsonObject } from './json.ts';
import { procedures } from './procedures.ts';

/** What a schedule does when its time comes while its former run still goes on. */
const overlapPolicies = ['skip', 'bufferOne', 'allowAll'] as const;

/** Fields of the input that a schedule fills in by itself. */
const filledIn = ['target', 'requestedBy'] as const;

/** Temporal never catches up for less. */
const leastCatchupSeconds = 10;

const fiveFields = 'must be a line of five fields such as "7 * * * *", or a list of at most 20 of them';

const cronLine = z
  .string()
  .max(200, fiveFields)
  .regex(/^\s*\S+(\s+\S+){4}\s*$/, fiveFields);

const seconds = (least: number, most: number) => z.number().int().min(least).max(most);

/** One schedule of a profile. What a cron line and a time zone may be is judged in domain/schedules.ts. */
export const scheduleSchema = z
  .strictObject({
    procedure: z
      .enum(procedures.map(({ name }) => name))
      .describe(
        'What runs, by its name in `runbook list`. One that changes the cluster may be scheduled too, but each of its runs waits for people at its gate.',
      ),
    input: z
      .record(z.string(), z.json())
      .default({})
      .describe('Its input. target and requestedBy are filled in.')
      .meta({ propertyNames: { not: { enum: [...filledIn] } } }),
    cron: z
      .union([cronLine, z.array(cronLine).min(1, { abort: true }).max(20, { abort: true })], fiveFields)
      .optional()
      .describe('When: minute, hour, day of month, month, day of week; one line or several.'),
    everySeconds: seconds(10, 366 * 86_400)
      .optional()
      .describe('When, instead of cron: at every multiple of this since 1970 in UTC.'),
    offsetSeconds: seconds(0, 366 * 86_400)
      .optional()
      .describe('With everySeconds: so much later each time; less than everySeconds.'),
    timeZone: z
      .string()
      .max(100)
      .optional()
      .describe('With cron: its time zone, an IANA name such as Europe/Berlin; without it UTC.'),
    jitterSeconds: seconds(0, 86_400)
      .default(0)
      .describe('Each run starts up to so much later, at random: targets do not all start at once.'),
    overlap: z
      .enum(overlapPolicies)
      .default('skip')
      .describe(
        'When the former run still goes on. skip: this one is left out. bufferOne: it starts as soon as the former one ends, which is right for backups. allowAll: it starts.',
      ),
    catchupWindowSeconds: seconds(leastCatchupSeconds, 31 * 86_400)
      .default(3600)
      .describe('What Temporal could not start in time, since it was down, it starts until so much later.'),
    pauseOnFailure: z.boolean().default(false).describe('true: a failed run pauses the schedule.'),
    paused: z
      .boolean()
      .default(false)
      .describe('true: applied, but paused. false: a pause that someone else made is kept.'),
  })
  .superRefine(
    ({ input, cron, everySeconds, offsetSeconds, timeZone }, context) => {
      const fault = (path: string[], message: string): void => {
        context.addIssue({ code: 'custom', path, message });
      };
      if (cron === undefined && everySeconds === undefined)
        fault(['cron'], 'is missing: give cron or everySeconds');
      if (cron !== undefined && everySeconds !== undefined)
        fault(['everySeconds'], 'give cron or everySeconds, not both');
      if (offsetSeconds !== undefined && everySeconds === undefined)
        fault(['offsetSeconds'], 'is only for everySeconds');
      if (offsetSeconds !== undefined && everySeconds !== undefined && offsetSeconds >= everySeconds)
        fault(['offsetSeconds'], 'must be less than everySeconds');
      if (timeZone !== undefined && cron === undefined)
        fault(['timeZone'], 'is only for cron: everySeconds counts in UTC');
      for (const name of filledIn)
        if (Object.hasOwn(input, name)) fault(['input', name], 'is filled in by itself; leave it out');
    },
    besideFaults('input', 'cron', 'everySeconds', 'offsetSeconds', 'timeZone'),
  )
  // The same rules for editors, which know the JSON Schema only.
  .meta({
    description: 'When a procedure runs by itself. Made real in Temporal by: runbook schedules apply.',
    oneOf: [{ required: ['cron'] }, { required: ['everySeconds'] }],
    dependentRequired: { offsetSeconds: ['everySeconds'], timeZone: ['cron'] },
  });

export type Schedule = z.infer<typeof scheduleSchema>;

/** A range of numbers, both ends included. */
export interface NumberRange {
  start: number;
  end: number;
  step: number;
}

/** The times of one cron line: what each field allows. Months count from 1, days of the week from 0, Sunday. */
export interface Calendar {
  minute: NumberRange[];
  hour: NumberRange[];
  dayOfMonth: NumberRange[];
  month: NumberRange[];
  dayOfWeek: NumberRange[];
  /** The line as somebody wrote it. */
  text?: string;
  /** What someone set in Temporal that a cron line cannot say. */
  more?: string;
}

/** What a schedule in Temporal is, or is to be. */
export interface ScheduleSettings {
  workflowType: string;
  input: JsonObject;
  taskQueue: string;
  /** Temporal adds the time of each run. */
  workflowId: string;
  summary: string;
  calendars: Calendar[];
  intervals: { everySeconds: number; offsetSeconds: number }[];
  timeZone: string;
  jitterSeconds: number;
  /** Another policy of Temporal by its own name. */
  overlap: string;
  catchupWindowSeconds: number;
  pauseOnFailure: boolean;
  /** Whether it and its runs carry the search attribute of the target. */
  searchAttribute: boolean;
  /** Settings that a profile does not know, such as an end date. */
  more: string[];
}

/** Which schedule of which profile one in Temporal is; stands in its memo. Without it a schedule is none of ours. */
export interface ScheduleOwner {
  target: string;
  schedule: string;
  /** Tells installations apart that share a namespace of Temporal. */
  taskQueue: string;
}

/** The id in Temporal. Neither part can hold a slash, so two schedules never share one. */
export function scheduleId({ target, schedule }: Pick<ScheduleOwner, 'target' | 'schedule'>): string {
  return `${scheduleIdPrefix}${target}/${schedule}`;
}

/** Every id of ours begins so; whether it is ours, its memo says. */
export const scheduleIdPrefix = 'runbook/';

/** What a schedule carries that only we write. */
export interface ScheduleMark {
  /** Of the settings as they were applied. */
  digest: string;
  /** How many missed runs somebody has taken note of. */
  forgotten: number;
}

/** How a schedule and its runs stand. Times are ISO 8601 in UTC. */
export interface ScheduleState {
  paused: boolean;
  note: string;
  nextRun?: string;
  createdAt: string;
  /** Since it was created: its time passed while Temporal could not start it, and was not caught up. */
  missed: number;
  /** Left out since the former run still went on. */
  skipped: number;
  running: ScheduledRun[];
  /** The latest one that has ended; undefined: none has, as far as Temporal still knows. */
  lastRun?: EndedRun;
}

interface ScheduledRun {
  workflowId: string;
  startedAt?: string;
}

/** What Temporal knows of a run that goes on no more. */
export interface EndedRun extends ScheduledRun {
  /** Undefined: Temporal has forgotten the run. */
  status?: string;
  /** Where search attributes are on. */
  outcome?: string;
  endedAt?: string;
}

/** A schedule of ours, as Temporal has it. */
export interface AppliedSchedule {
  id: string;
  owner: ScheduleOwner;
  /** Undefined: somebody took it away. */
  mark?: ScheduleMark;
  settings: ScheduleSettings;
  state: ScheduleState;
}
