import type { Calendar, NumberRange } from '../contracts/schedules.ts';

interface Field {
  name: string;
  key: 'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek';
  least: number;
  most: number;
  /** Names for numbers from `least` on. */
  names: readonly string[];
}

const fields: readonly Field[] = [
  { name: 'minute', key: 'minute', least: 0, most: 59, names: [] },
  { name: 'hour', key: 'hour', least: 0, most: 23, names: [] },
  { name: 'day of month', key: 'dayOfMonth', least: 1, most: 31, names: [] },
  {
    name: 'month',
    key: 'month',
    least: 1,
    most: 12,
    names: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
  },
  {
    name: 'day of week',
    key: 'dayOfWeek',
    least: 0,
    // Sunday has two numbers.
    most: 7,
    names: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
  },
];

const daysOfMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** The times of a cron line, or every fault of it. Stricter than cron: what cron and Temporal read differently is refused. */
export function parseCron(line: string): { calendar: Calendar; faults: [] } | { faults: string[] } {
  const parts = line.trim().split(/\s+/);
  if (parts.length !== fields.length)
    return {
      faults: [`has ${parts.length} fields, not five: minute, hour, day of month, month, day of week`],
    };
  const times: Record<Field['key'], number[]> = {
    minute: [],
    hour: [],
    dayOfMonth: [],
    month: [],
    dayOfWeek: [],
  };
  const faults: string[] = [];
  fields.forEach((field, index) => {
    const read = parseField(field, parts[index] ?? '');
    if (typeof read === 'string') faults.push(`${field.name}: ${read}`);
    else times[field.key] = read;
  });
  if (faults.length === 0) faults.push(...contradictions(times));
  if (faults.length > 0) return { faults };
  const calendar = {
    minute: rangesOf(times.minute),
    hour: rangesOf(times.hour),
    dayOfMonth: rangesOf(times.dayOfMonth),
    month: rangesOf(times.month),
    dayOfWeek: rangesOf(times.dayOfWeek),
    text: parts.join(' '),
  };
  return { calendar, faults: [] };
}

function contradictions({ dayOfMonth, month, dayOfWeek }: Record<Field['key'], number[]>): string[] {
  const [anyDay, anyWeekday] = [dayOfMonth.length === 31, dayOfWeek.length === 7];
  if (!anyDay && !anyWeekday)
    return [
      'day of month and day of week cannot both be restricted: cron would take either, Temporal takes both; write two lines',
    ];
  const happens = month.some((number) => dayOfMonth.some((day) => day <= (daysOfMonths[number - 1] ?? 0)));
  return happens ? [] : ['never happens: none of these months has such a day'];
}

/** Sorted numbers, or what is wrong. */
function parseField(field: Field, text: string): number[] | string {
  const numbers = new Set<number>();
  for (const item of text.split(',')) {
    const range = parseItem(field, item);
    if (typeof range === 'string') return range;
    // Sunday as 7 is Sunday as 0.
    for (const number of range) numbers.add(field.key === 'dayOfWeek' ? number % 7 : number);
  }
  return [...numbers].sort((a, b) => a - b);
}

function parseItem(field: Field, item: string): number[] | string {
  const match = /^(?:\*|([A-Za-z0-9]{1,9})(?:-([A-Za-z0-9]{1,9}))?)(?:\/(\d{1,4}))?$/.exec(item);
  if (match === null)
    return 'must be *, a number, a range such as 1-5, a step such as */15, or a list of them';
  const [, from, to, step] = match;
  if (step !== undefined && from !== undefined && to === undefined)
    return `a step needs a range: write ${from}-${field.most}/${step}`;
  const span = Number(step ?? 1);
  if (span < 1) return 'a step must be at least 1';
  const most = field.key === 'dayOfWeek' && from === undefined ? 6 : field.most;
  const start = from === undefined ? field.least : numberOf(field, from);
  const end = from === undefined ? most : to === undefined ? start : numberOf(field, to);
  if (start === undefined || end === undefined)
    return `must be between ${field.least} and ${field.most}${field.names.length > 0 ? ', or a name such as MON or JAN' : ''}`;
  if (end < start) return 'a range must not go backwards';
  return sequence(start, end, span);
}

function numberOf(field: Field, text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= field.least && number <= field.most ? number : undefined;
  }
  const index = field.names.indexOf(text.toUpperCase());
  return index < 0 ? undefined : index + field.least;
}

function sequence(start: number, end: number, step: number): number[] {
  const numbers: number[] = [];
  for (let number = start; number <= end; number += step) numbers.push(number);
  return numbers;
}

/** Sorted numbers as few ranges: one with a step where all have the same distance, else runs of neighbours. */
export function rangesOf(numbers: readonly number[]): NumberRange[] {
  const [first, second] = numbers;
  const last = numbers.at(-1);
  if (first === undefined || last === undefined) return [];
  const step = second === undefined ? 1 : second - first;
  if (numbers.length > 2 && numbers.every((number, index) => number === first + index * step))
    return [{ start: first, end: last, step }];
  const ranges: NumberRange[] = [];
  for (const number of numbers) {
    const former = ranges.at(-1);
    if (former?.end === number - 1) former.end = number;
    else ranges.push({ start: number, end: number, step: 1 });
  }
  return ranges;
}

/** The numbers of ranges, sorted. */
export function numbersOf(ranges: readonly NumberRange[]): number[] {
  const numbers = new Set(ranges.flatMap(({ start, end, step }) => sequence(start, end, Math.max(1, step))));
  return [...numbers].sort((a, b) => a - b);
}

/** The cron line that says the same as a calendar; the same line for the same times. */
export function cronOf(calendar: Calendar): string {
  const line = fields.map((field) => fieldText(field, numbersOf(calendar[field.key]))).join(' ');
  return calendar.more === undefined ? line : `${line} (${calendar.more})`;
}

function fieldText({ key, least, most }: Field, numbers: number[]): string {
  const highest = key === 'dayOfWeek' ? 6 : most;
  if (numbers.length === highest - least + 1) return '*';
  const texts = rangesOf(numbers).map(({ start, end, step }) => {
    if (start === end) return String(start);
    return step === 1 ? `${start}-${end}` : `${start}-${end}/${step}`;
  });
  return texts.join(',');
}
