import { describe, expect, test } from '@jest/globals';
import { scheduleSchema } from '../../src/contracts/schedules.ts';
import { targetProfileSchema } from '../../src/contracts/target.ts';
import { describeIssues } from '../../src/domain/requests.ts';

const hourly = { procedure: 'rolling-update', cron: '7 * * * *' };
const every = { procedure: 'rolling-update', everySeconds: 3600 };

const faults = (input: unknown): string[] => {
  const parsed = scheduleSchema.safeParse(input);
  return parsed.success ? [] : describeIssues(parsed.error);
};

describe('a schedule', () => {
  test('with only what it needs skips overlaps, catches up for an hour, and is not paused', () => {
    expect(scheduleSchema.parse(hourly)).toEqual({
      ...hourly,
      input: {},
      jitterSeconds: 0,
      overlap: 'skip',
      catchupWindowSeconds: 3600,
      pauseOnFailure: false,
      paused: false,
    });
  });

  test.each([
    ['one line', hourly],
    ['a list of lines', { ...hourly, cron: ['0 3 * * *', '0 15 * * *'] }],
    ['a time zone', { ...hourly, timeZone: 'Europe/Berlin' }],
    ['an interval', every],
    ['an interval of 10 s', { ...every, everySeconds: 10 }],
    ['an offset just below its interval', { ...every, offsetSeconds: 3599 }],
    ['nested input', { ...hourly, input: { waves: [['a'], ['b']], reason: 'nightly' } }],
    ['the longest times', { ...hourly, jitterSeconds: 86_400, catchupWindowSeconds: 2_678_400 }],
  ])('may have %s', (_case, schedule) => {
    expect(faults(schedule)).toEqual([]);
  });

  test.each([
    [{ procedure: 'rolling-update' }, 'cron: is missing: give cron or everySeconds'],
    [{ ...hourly, ...every }, 'everySeconds: give cron or everySeconds, not both'],
    [{ ...hourly, offsetSeconds: 1 }, 'offsetSeconds: is only for everySeconds'],
    [{ ...every, offsetSeconds: 3600 }, 'offsetSeconds: must be less than everySeconds'],
    [{ ...every, everySeconds: 9 }, 'everySeconds: must be at least 10'],
    [{ ...every, timeZone: 'UTC' }, 'timeZone: is only for cron: everySeconds counts in UTC'],
    [{ ...hourly, procedure: 'nothing' }, 'procedure: must be one of rolling-update, rollback'],
    [{ ...hourly, procedure: 'rollingUpdate' }, 'procedure: must be one of rolling-update, rollback'],
    [{ ...hourly, input: { target: 'other' } }, 'input.target: is filled in by itself; leave it out'],
    [{ ...hourly, input: { requestedBy: 'me' } }, 'input.requestedBy: is filled in by itself; leave it out'],
    [{ ...hourly, input: [] }, 'input: must be an object, not a list'],
    [{ ...hourly, cron: [] }, 'cron: must be a line of five fields'],
    [{ ...hourly, cron: '@hourly' }, 'cron: must be a line of five fields'],
    [{ ...hourly, cron: '0 0 * * * *' }, 'cron: must be a line of five fields'],
    [{ ...hourly, cron: '0 0 * * *\u0000 *' }, 'cron: must be a line of five fields'],
    [{ ...hourly, cron: Array(21).fill('0 0 * * *') }, 'cron: must be a line of five fields'],
    [{ ...hourly, overlap: 'terminateOther' }, 'overlap: must be one of skip, bufferOne, allowAll'],
    [{ ...hourly, catchupWindowSeconds: 9 }, 'catchupWindowSeconds: must be at least 10'],
    [{ ...hourly, jitterSeconds: -1 }, 'jitterSeconds: must be at least 0'],
    [{ ...hourly, jitterSeconds: 86_401 }, 'jitterSeconds: must be at most 86400'],
    [{ ...hourly, jitter: 5 }, 'unknown field "jitter"'],
  ])('%j is refused: %s', (schedule, fault) => {
    expect(faults(schedule).join('; ')).toContain(fault);
  });

  test('shows every fault at once', () => {
    const broken = { procedure: 'x', input: { target: 'a' }, offsetSeconds: 1, overlap: 'x', paused: 'no' };
    expect(faults(broken)).toHaveLength(6);
  });
});

test.each(['Hourly', 'a/b', '../x', 'a b', '', 'x'.repeat(64), 'a.b', 'ünder'])(
  'a schedule cannot be called %j: its name becomes a part of ids',
  (name) => {
    const profile = {
      target: 'shop',
      namespace: 'shop',
      workload: 'web',
      workloads: { web: { kind: 'Deployment', container: 'app' } },
      health: { via: 'port-forward', path: '/health', port: 8080 },
    };
    const read = (schedules: object) => targetProfileSchema.safeParse({ ...profile, schedules });
    expect(read({ hourly }).success).toBe(true);
    expect(read({ [name]: hourly }).success).toBe(false);
  },
);
