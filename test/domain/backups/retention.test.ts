import { describe, expect, test } from '@jest/globals';
import { timeOf } from '../../../src/domain/backups/names.ts';
import { decideRetention, type RetainedBackup } from '../../../src/domain/backups/retention.ts';

const usual = { hourly: 24, daily: 7, weekly: 4, monthly: 12 };
const none = { hourly: 0, daily: 0, weekly: 0, monthly: 0 };

function idAt(time: string, end = '0a1b2c3d'): string {
  return `${time.replaceAll(/[-:]|\.\d+|Z$/g, '').replace('T', '-')}-${end}`;
}

function backup(time: string, change: Partial<RetainedBackup> = {}): RetainedBackup {
  return { backupId: idAt(time), complete: true, verified: false, ...change };
}

/** One backup every `hours`, `count` of them, the newest at `newest`. */
function series(newest: string, count: number, hours = 1): RetainedBackup[] {
  const start = Date.parse(newest);
  return Array.from({ length: count }, (_, index) =>
    backup(new Date(start - index * hours * 3_600_000).toISOString()),
  );
}

function kept(backups: RetainedBackup[], keep = usual): string[] {
  return decideRetention(backups, keep)
    .filter(({ verdict }) => verdict === 'keep')
    .map(({ backupId }) => backupId);
}

describe('an id', () => {
  test('tells the time in UTC, to the second', () => {
    expect(timeOf('20261127-235959-0a1b2c3d')?.toISOString()).toBe('2026-11-27T23:59:59.000Z');
  });

  test.each([
    ['empty', ''],
    ['of another form', '2026-11-27'],
    ['of a day that does not exist', '20261131-000000-0a1b2c3d'],
    ['of an hour that does not exist', '20261127-240000-0a1b2c3d'],
    ['with too few digits at the end', '20261127-000000-0a1b2c3'],
    ['with something behind it', '20261127-000000-0a1b2c3d/x'],
    ['with capital letters', '20261127-000000-0A1B2C3D'],
  ])('%s is none', (_what, id) => {
    expect(timeOf(id)).toBeUndefined();
  });
});

describe('the newest backup of each period stays', () => {
  test('of a month of hourly backups: 24 hours, 7 days, 4 weeks and the months', () => {
    const all = series('2026-11-27T22:00:00Z', 24 * 40);
    const hourly = all.slice(0, 24).map(({ backupId }) => backupId);
    const daily = ['27T22', '26T23', '25T23', '24T23', '23T23', '22T23', '21T23'];
    // Weeks end on Sunday: 15 and 8 November; the 22nd is a day, too.
    const others = ['2026-11-15T23:00:00Z', '2026-11-08T23:00:00Z', '2026-10-31T23:00:00Z'];
    const expected = new Set([
      ...hourly,
      ...daily.map((time) => idAt(`2026-11-${time}:00:00Z`)),
      ...others.map((time) => idAt(time)),
    ]);
    expect(new Set(kept(all))).toEqual(expected);
  });

  test.each([
    ['fewer than', 23, 23],
    ['exactly', 24, 24],
    ['more than', 25, 24],
  ])('%s the hours that are kept', (_what, count, left) => {
    expect(kept(series('2026-11-27T23:00:00Z', count), { ...none, hourly: 24 })).toHaveLength(left);
  });

  test('of an hour with three backups: the last one', () => {
    const three = ['2026-11-27T10:00:00Z', '2026-11-27T10:59:59Z', '2026-11-27T10:30:00Z'];
    expect(kept(three.map((time) => backup(time)))).toEqual([idAt('2026-11-27T10:59:59Z')]);
  });

  test('periods without a backup do not count', () => {
    const years = ['2026-11-01T00:00:00Z', '2021-05-01T00:00:00Z', '2019-01-01T00:00:00Z'];
    expect(
      kept(
        years.map((time) => backup(time)),
        { ...none, monthly: 3 },
      ),
    ).toHaveLength(3);
  });

  test.each([
    ['hour', 'hourly', '2026-11-27T10:59:59Z', '2026-11-27T11:00:00Z'],
    ['day', 'daily', '2026-11-27T23:59:59Z', '2026-11-28T00:00:00Z'],
    ['week', 'weekly', '2026-11-29T23:59:59Z', '2026-11-30T00:00:00Z'],
    ['month', 'monthly', '2026-11-30T23:59:59Z', '2026-12-01T00:00:00Z'],
  ] as const)('a %s ends in UTC, and the next second is another one', (_word, period, last, first) => {
    const two = [backup(last), backup(first)];
    expect(kept(two, { ...none, [period]: 2 })).toHaveLength(2);
    expect(kept(two, { ...none, [period]: 1 })).toEqual([idAt(first)]);
  });

  test('weeks are those of ISO 8601: the turn of 2026 belongs to week 53', () => {
    const [thursday, sunday, monday] = [
      '2026-12-31T00:00:00Z',
      '2027-01-03T00:00:00Z',
      '2027-01-04T00:00:00Z',
    ];
    const three = [thursday, sunday, monday].map((time) => backup(time));
    expect(kept(three, { ...none, weekly: 3 })).toEqual([idAt(monday), idAt(sunday)]);
  });

  test('and of two in one second, one', () => {
    const two = [backup('2026-11-27T10:00:00Z'), backup('2026-11-27T10:00:00Z', { complete: false })];
    two[1]!.backupId = idAt('2026-11-27T10:00:00Z', 'ffffffff');
    expect(kept([...two].reverse(), { ...none, hourly: 5 })).toHaveLength(2); // the newest, and the newest complete one
    expect(decideRetention(two, none)).toEqual(decideRetention([...two].reverse(), none));
  });
});

describe('whatever the numbers say, this stays', () => {
  const old = '2020-01-01T00:00:00Z';

  test('the newest backup', () => {
    expect(kept(series('2026-11-27T10:00:00Z', 3), none)).toEqual([idAt('2026-11-27T10:00:00Z')]);
  });

  test('the newest one that was verified, and not an older verified one', () => {
    const verified = [backup(old, { verified: true }), backup('2019-01-01T00:00:00Z', { verified: true })];
    const all = [...series('2026-11-27T10:00:00Z', 3), ...verified];
    expect(kept(all, none)).toEqual([idAt('2026-11-27T10:00:00Z'), idAt(old)]);
  });

  test('the newest complete one, when newer ones lack something', () => {
    const partial = series('2026-11-27T10:00:00Z', 3).map((one) => ({ ...one, complete: false }));
    expect(kept([...partial, backup(old)], none)).toEqual([idAt('2026-11-27T10:00:00Z'), idAt(old)]);
  });

  test('the only one', () => {
    expect(decideRetention([backup(old)], none)).toEqual([
      { backupId: idAt(old), verdict: 'keep', why: 'newest, newest complete' },
    ]);
  });

  test('and nothing is decided about nothing', () => {
    expect(decideRetention([], usual)).toEqual([]);
  });
});

test('every backup has a verdict with its reason, the newest first', () => {
  const times = [
    '2026-11-27T10:30:00Z',
    '2026-11-27T10:00:00Z',
    '2026-11-27T09:00:00Z',
    '2026-10-01T00:00:00Z',
  ];
  const verdicts = decideRetention(
    times.map((time) => backup(time)),
    { hourly: 1, daily: 1, weekly: 1, monthly: 1 },
  );
  expect(verdicts).toEqual([
    {
      backupId: idAt(times[0]!),
      verdict: 'keep',
      why: 'newest, newest complete, hourly, daily, weekly, monthly',
    },
    {
      backupId: idAt(times[1]!),
      verdict: 'remove',
      why: 'a newer backup stands for its hour, day, week, month',
    },
    {
      backupId: idAt(times[2]!),
      verdict: 'remove',
      why: 'a newer backup stands for its day, week, month; its hour lies too far back',
    },
    { backupId: idAt(times[3]!), verdict: 'remove', why: 'its hour, day, week, month lies too far back' },
  ]);
});

test('adding a backup never brings one back, and never removes one that only the verification keeps', () => {
  const all = series('2026-11-27T22:00:00Z', 24 * 70, 5);
  const verified = { ...all.at(-1)!, verified: true };
  const before = decideRetention([...all.slice(1, -1), verified], usual);
  const gone = new Set(before.filter(({ verdict }) => verdict === 'remove').map(({ backupId }) => backupId));
  const after = decideRetention([...all.slice(0, -1), verified], usual);
  expect(after.filter(({ backupId, verdict }) => verdict === 'keep' && gone.has(backupId))).toEqual([]);
  expect(after.find(({ backupId }) => backupId === verified.backupId)?.verdict).toBe('keep');
});

// Regression: a partial backup that was verified, and a complete one that was not, let the only one that was both go.
test('the newest backup that is complete and verified stays, though newer ones are one of the two', () => {
  const both = backup('2026-11-27T10:00:00Z', { verified: true });
  const complete = backup('2026-11-27T10:10:00Z');
  const partial = backup('2026-11-27T10:20:00Z', { complete: false, verified: true });
  const verdicts = decideRetention([both, complete, partial], none);
  expect(verdicts.map(({ verdict, why }) => [verdict, why])).toEqual([
    ['keep', 'newest, newest verified'],
    ['keep', 'newest complete'],
    ['keep', 'newest complete and verified'],
  ]);
});
