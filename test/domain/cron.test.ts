import { describe, expect, test } from '@jest/globals';
import type { Calendar } from '../../src/contracts/schedules.ts';
import { cronOf, numbersOf, parseCron, rangesOf } from '../../src/domain/cron.ts';
import { seeded } from '../support/builders.ts';

type Times = Record<'minute' | 'hour' | 'dayOfMonth' | 'month' | 'dayOfWeek', number[]>;

function read(line: string): Calendar {
  const result = parseCron(line);
  if ('calendar' in result) return result.calendar;
  throw new Error(result.faults.join('; '));
}

/** As plain numbers. */
function times(line: string): Times & { text: string | undefined } {
  const { text, minute, hour, dayOfMonth, month, dayOfWeek } = read(line);
  return {
    minute: numbersOf(minute),
    hour: numbersOf(hour),
    dayOfMonth: numbersOf(dayOfMonth),
    month: numbersOf(month),
    dayOfWeek: numbersOf(dayOfWeek),
    text,
  };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('a cron line', () => {
  test('of stars is every minute', () => {
    expect(times('* * * * *')).toEqual({
      minute: range(0, 59),
      hour: range(0, 23),
      dayOfMonth: range(1, 31),
      month: range(1, 12),
      dayOfWeek: range(0, 6),
      text: '* * * * *',
    });
  });

  test.each<[string, Partial<Times & { text: string }>]>([
    ['7 * * * *', { minute: [7] }],
    ['0 0 * * *', { minute: [0], hour: [0] }],
    ['59 23 * * *', { minute: [59], hour: [23] }],
    ['*/15 * * * *', { minute: [0, 15, 30, 45] }],
    ['5-59/20 * * * *', { minute: [5, 25, 45] }],
    ['30,0,30 * * * *', { minute: [0, 30] }],
    ['0 9-17 * * MON-FRI', { hour: range(9, 17), dayOfWeek: [1, 2, 3, 4, 5] }],
    ['0 9 1,31 jan,Dec *', { dayOfMonth: [1, 31], month: [1, 12] }],
    ['0 9 29 2 *', { dayOfMonth: [29], month: [2] }],
    ['0 9 * * 7', { dayOfWeek: [0] }],
    ['0 9 * * 0', { dayOfWeek: [0] }],
    ['0 9 * * 5-7', { dayOfWeek: [0, 5, 6] }],
    ['0 9 * * */2', { dayOfWeek: [0, 2, 4, 6] }],
    ['0 9 * * */6', { dayOfWeek: [0, 6] }],
    ['  0\t9  * * * ', { minute: [0], hour: [9], text: '0 9 * * *' }],
  ])('%s means those times', (line, expected) => {
    expect(times(line)).toMatchObject(expected);
  });

  test.each([
    ['', 'has 1 fields, not five'],
    ['* * * *', 'has 4 fields, not five'],
    ['0 * * * * *', 'has 6 fields, not five'],
    ['@hourly', 'has 1 fields'],
    ['60 * * * *', 'minute: must be between 0 and 59'],
    ['-1 * * * *', 'minute: must be *, a number'],
    ['* 24 * * *', 'hour: must be between 0 and 23'],
    ['* * 0 * *', 'day of month: must be between 1 and 31'],
    ['* * 32 * *', 'day of month: must be between 1 and 31'],
    ['* * * 0 *', 'month: must be between 1 and 12, or a name such as MON or JAN'],
    ['* * * 13 *', 'month: must be between 1 and 12'],
    ['* * * MON *', 'month: must be between 1 and 12'],
    ['* * * * 8', 'day of week: must be between 0 and 7'],
    ['* * * * MONDAY', 'day of week: must be between 0 and 7'],
    ['0 9 * * constructor', 'day of week: must be'],
    ['5/15 * * * *', 'minute: a step needs a range: write 5-59/15'],
    ['*/0 * * * *', 'minute: a step must be at least 1'],
    ['20-10 * * * *', 'minute: a range must not go backwards'],
    ['1,,2 * * * *', 'minute: must be *, a number'],
    ['0 0 L * *', 'day of month: must be between 1 and 31'],
    ['0 0 ? * *', 'day of month: must be *, a number'],
    ['0 0 * * 5#2', 'day of week: must be *, a number'],
    ['0 0 1 * MON', 'day of month and day of week cannot both be restricted'],
    ['0 0 31 2 *', 'never happens'],
    ['0 0 31 4,6,9,11 *', 'never happens'],
  ])('%j is refused: %s', (line, fault) => {
    expect(parseCron(line).faults.join('; ')).toContain(fault);
  });

  test('shows the faults of all its fields at once', () => {
    expect(parseCron('60 24 32 13 8').faults).toHaveLength(5);
  });

  test('reads the same after it is written from its times, whatever they are', () => {
    const random = seeded(7);
    const some = (least: number, most: number): number[] => {
      const numbers = range(least, most).filter(() => random() < 0.3);
      return numbers.length === 0 ? [least] : numbers;
    };
    for (let round = 0; round < 300; round++) {
      const wanted: Times = {
        minute: some(0, 59),
        hour: some(0, 23),
        dayOfMonth: range(1, 31),
        month: some(1, 12),
        dayOfWeek: some(0, 6),
      };
      const single = (numbers: number[]) => numbers.map((start) => ({ start, end: start, step: 1 }));
      const { minute, hour, dayOfMonth, month, dayOfWeek } = wanted;
      const line = cronOf({
        minute: single(minute),
        hour: single(hour),
        dayOfMonth: single(dayOfMonth),
        month: single(month),
        dayOfWeek: single(dayOfWeek),
      });
      expect(times(line)).toEqual({ ...wanted, text: line });
      expect(cronOf(read(line))).toBe(line);
    }
  });
});

test.each([
  [[], []],
  [[7], [{ start: 7, end: 7, step: 1 }]],
  [
    [0, 30],
    [
      { start: 0, end: 0, step: 1 },
      { start: 30, end: 30, step: 1 },
    ],
  ],
  [[0, 15, 30, 45], [{ start: 0, end: 45, step: 15 }]],
  [[1, 2, 3], [{ start: 1, end: 3, step: 1 }]],
  [
    [1, 2, 3, 9],
    [
      { start: 1, end: 3, step: 1 },
      { start: 9, end: 9, step: 1 },
    ],
  ],
])('numbers %j are the ranges %j, and back', (numbers, ranges) => {
  expect(rangesOf(numbers)).toEqual(ranges);
  expect(numbersOf(ranges)).toEqual(numbers);
});

test('what only Temporal can say is part of the line', () => {
  expect(cronOf({ ...read('0 9 * * *'), more: 'year 2027' })).toBe('0 9 * * * (year 2027)');
});
