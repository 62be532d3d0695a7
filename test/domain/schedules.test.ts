import { describe, expect, test } from '@jest/globals';
import { scheduleId, scheduleSchema, type ScheduleSettings } from '../../src/contracts/schedules.ts';
import { targetProfileSchema } from '../../src/contracts/target.ts';
import { parseCron } from '../../src/domain/cron.ts';
import {
  canonicalSettings,
  describeSettings,
  differencesOf,
  judgeEnd,
  refuseInput,
  scheduledInput,
  scheduleFaults,
  settingsFor,
  waitsForPeople,
} from '../../src/domain/schedules.ts';
import { hostileTexts } from '../support/builders.ts';

const owner = { target: 'shop', schedule: 'nightly', taskQueue: 'runbooks' };
const image = 'registry.example/shop:1.2.3';

const schedule = (fields: object = {}) =>
  scheduleSchema.parse({
    procedure: 'rolling-update',
    cron: '0 3 * * *',
    input: { image, dryRun: true },
    ...fields,
  });
const settings = (fields: object = {}): ScheduleSettings => settingsFor(owner, schedule(fields), true);

const faults = (fields: object): string[] =>
  scheduleFaults(
    targetProfileSchema.parse({
      target: 'shop',
      namespace: 'shop',
      workload: 'web',
      workloads: { web: { kind: 'Deployment', container: 'app' } },
      health: { via: 'port-forward', path: '/health', port: 8080 },
      schedules: { nightly: { procedure: 'rolling-update', cron: '0 3 * * *', ...fields } },
    }),
  );

describe('the times of a schedule', () => {
  test('are named with their place when they are wrong, all of them', () => {
    expect(faults({ cron: ['0 3 * * *', '0 24 * * *', '60 3 * * *'], timeZone: 'Mars/Olympus' })).toEqual([
      'schedules.nightly.cron: "0 24 * * *": hour: must be between 0 and 23',
      'schedules.nightly.cron: "60 3 * * *": minute: must be between 0 and 59',
      'schedules.nightly.timeZone: must be an IANA name such as Europe/Berlin or UTC',
    ]);
  });

  test.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5', 'Asia/Kolkata'])(
    'may be in %s',
    (timeZone) => {
      expect(faults({ timeZone })).toEqual([]);
    },
  );

  test.each(['', 'utc', 'europe/berlin', '+01:00', 'Local', '../etc/passwd', 'Europe/', 'Europe/Nowhere'])(
    'cannot be in %j: Temporal would not know it',
    (timeZone) => {
      expect(faults({ timeZone })).toHaveLength(1);
    },
  );
});

describe('the input of a schedule', () => {
  test('gets target and requester', () => {
    expect(scheduledInput('shop', 'nightly', schedule())).toEqual({
      image,
      dryRun: true,
      target: 'shop',
      requestedBy: 'schedule nightly',
    });
    expect(refuseInput('shop', 'nightly', schedule())).toBeUndefined();
  });

  test('is refused in one sentence with every fault, as the procedure itself would refuse it', () => {
    const input = { image: 5, workload: 'Web', nothing: true };
    const refusal = refuseInput('shop', 'nightly', schedule({ input })) ?? '';
    expect(refusal).toMatch(/^schedule shop\/nightly: rollingUpdate: 3 faults in the input: /);
    for (const part of ['image: must be', 'workload: ', 'unknown field "nothing"'])
      expect(refusal).toContain(part);
    expect(refusal).not.toContain('\n');
  });

  test.each(hostileTexts)('with a hostile key or value is refused and not repeated (%#)', (text) => {
    const input = JSON.parse(JSON.stringify({ image: text, [text]: text })) as object;
    const refusal = refuseInput('shop', 'nightly', schedule({ input })) ?? '';
    expect(refusal).toContain('image: ');
    expect(refusal.length).toBeLessThan(1000);
    expect(refusal).not.toMatch(/[\p{Cc}\u202e]/u);
  });

  test.each([
    [{ dryRun: true, image }, false],
    [{ dryRun: false, image }, true],
    [{ image }, true],
  ])('%j means that each run waits for people: %s', (input, waits) => {
    expect(waitsForPeople(schedule({ input }))).toBe(waits);
  });
});

test('ids tell schedules apart whose names run into each other', () => {
  expect(scheduleId({ target: 'a-b', schedule: 'c' })).not.toBe(scheduleId({ target: 'a', schedule: 'b-c' }));
  const id = (target: string, name: string): string =>
    settingsFor({ target, schedule: name, taskQueue: 'q' }, schedule(), false).workflowId;
  expect(id('a-b', 'c')).not.toBe(id('a', 'b-c'));
  expect(id('shop', 'nightly')).toBe('shop.nightly');
});

describe('the difference between two schedules', () => {
  test('is none between the same, in whatever order and spelling', () => {
    const written = settings({ cron: ['0 3 * * MON', '30 4 * * *'] });
    const read = settings({ cron: ['30 4 */1 * *', '0 3 * * 1'] });
    expect(differencesOf(read, written)).toEqual([]);
    expect(canonicalSettings(read)).toBe(canonicalSettings(written));
  });

  test.each<[string, object, { setting: string; is: string; becomes: string }]>([
    ['times', { cron: '0 4 * * *' }, { setting: 'times', is: '0 3 * * *', becomes: '0 4 * * *' }],
    [
      'an interval',
      { cron: undefined, everySeconds: 60, offsetSeconds: 5 },
      { setting: 'times', is: '0 3 * * *', becomes: 'every 60 s, 5 s later' },
    ],
    [
      'the time zone',
      { timeZone: 'Europe/Berlin' },
      { setting: 'time zone', is: 'UTC', becomes: 'Europe/Berlin' },
    ],
    ['jitter', { jitterSeconds: 5 }, { setting: 'jitter', is: '0 s', becomes: '5 s' }],
    ['overlap', { overlap: 'bufferOne' }, { setting: 'overlap', is: 'skip', becomes: 'bufferOne' }],
    ['catch-up', { catchupWindowSeconds: 60 }, { setting: 'catch-up window', is: '3600 s', becomes: '60 s' }],
    ['failures', { pauseOnFailure: true }, { setting: 'pause on failure', is: 'no', becomes: 'yes' }],
    [
      'input',
      { input: { image } },
      {
        setting: 'input',
        is: `{"dryRun":true,"image":"${image}","requestedBy":"schedule nightly","target":"shop"}`,
        becomes: `{"image":"${image}","requestedBy":"schedule nightly","target":"shop"}`,
      },
    ],
  ])('in %s is one line', (_what, change, expected) => {
    expect(differencesOf(settings(), settings(change))).toEqual([expected]);
    expect(canonicalSettings(settings())).not.toBe(canonicalSettings(settings(change)));
  });

  test('in the procedure shows its name, and that its summary goes with it', () => {
    const differences = differencesOf(settings(), settings({ procedure: 'rollback', input: {} }));
    expect(differences.map(({ setting }) => setting)).toEqual(['procedure', 'input', 'summary']);
    expect(differences[0]).toMatchObject({ is: 'rolling-update', becomes: 'rollback' });
  });

  test('shows what someone set in Temporal only', () => {
    expect(differencesOf({ ...settings(), more: ['end time'] }, settings())).toEqual([
      { setting: 'set in Temporal only', is: 'end time', becomes: 'nothing' },
    ]);
  });

  test('shows a line as it was written only while it still means its times', () => {
    const read = parseCron('0 3 * * MON');
    const calendar = 'calendar' in read ? read.calendar : undefined;
    const times = (text: string): string | undefined =>
      describeSettings({
        ...settings(),
        calendars: calendar === undefined ? [] : [{ ...calendar, text }],
      }).find(({ setting }) => setting === 'times')?.value;
    expect(times('0 3 * * MON')).toBe('0 3 * * MON');
    expect(times('0 4 * * MON')).toBe('0 3 * * 1');
    expect(times('\u001b[2J')).toBe('0 3 * * 1');
  });
});

test.each([
  ['COMPLETED', 'succeeded', 'ok', 'succeeded'],
  ['COMPLETED', 'planned', 'ok', 'planned'],
  ['COMPLETED', 'rejected', 'failed', 'rejected'],
  ['COMPLETED', 'timedOut', 'failed', 'timedOut'],
  ['COMPLETED', 'aborted', 'failed', 'aborted'],
  ['COMPLETED', undefined, 'unknown', 'completed, with an outcome that is not known'],
  ['COMPLETED', 'constructor', 'unknown', 'completed, with an outcome that is not known'],
  ['FAILED', 'undone', 'failed', 'undone'],
  ['FAILED', undefined, 'failed', 'failed'],
  ['TIMED_OUT', undefined, 'failed', 'timed out'],
  ['TERMINATED', 'succeeded', 'failed', 'terminated'],
  [undefined, undefined, 'unknown', 'forgotten by Temporal'],
])('a run that ended as %s with the outcome %s is %s: %s', (status, outcome, verdict, words) => {
  expect(
    judgeEnd({ ...(status === undefined ? {} : { status }), ...(outcome === undefined ? {} : { outcome }) }),
  ).toEqual({ verdict, outcome: words });
});
