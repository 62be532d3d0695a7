import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { ScheduleDescription, ScheduleHandle } from '@temporalio/client';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { findSchedule } from '../../src/cli/schedules/find.ts';
import type { Shown } from '../../src/cli/schedules/show.ts';
import { createSchedules } from '../../src/clients/temporal/schedules.ts';
import { messageOf, waitFor } from '../../src/local/wait.ts';
import { runbook, type Ended } from '../support/command.ts';
import { unique } from '../support/stack.ts';
import { demoProfile, image, World } from '../support/world.ts';

let world: World;
let environment: Record<string, string>;
/** A target of its own for each test: all tests share one Temporal. */
let target: string;

const dryRun = { image: image('1.7.5'), dryRun: true };
/** Never due while a test runs. */
const yearly = { procedure: 'rolling-update', cron: '0 3 1 1 *', input: dryRun };

beforeAll(async () => {
  world = await World.create({ deploy: true, profiles: () => ({}) });
  environment = { RUNBOOK_TARGETS: world.targetsFolder, RUNBOOK_TASK_QUEUE: world.queue };
});
beforeEach(() => {
  target = unique('shop');
});
afterAll(async () => {
  for await (const { scheduleId } of world.client.schedule.list())
    if (made.some((name) => scheduleId.includes(name))) await handle(scheduleId).delete();
  await world.close();
});

const made: string[] = [];

function write(schedules: Record<string, unknown>, name = target): void {
  made.push(name);
  // A copy of each: what is named twice would be written as YAML aliases, of which a profile may have few.
  const copies = JSON.parse(JSON.stringify(schedules)) as Record<string, unknown>;
  world.writeProfile(name, { ...demoProfile(world.namespace), target: name, schedules: copies });
}

async function schedules(...line: string[]): Promise<Ended> {
  return await runbook(['schedules', ...line], environment);
}

/** Makes what the target's profile says; returns what was printed. */
async function apply(...line: string[]): Promise<string> {
  const { code, out, err } = await schedules('apply', '--target', target, '--yes', ...line);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return out;
}

async function list(): Promise<Shown[]> {
  const { code, out } = await schedules('list', '--target', target, '--json');
  expect(code).toBe(0);
  return JSON.parse(out) as Shown[];
}

function handle(id: string): ScheduleHandle {
  return world.client.schedule.getHandle(id);
}

async function inTemporal(schedule: string): Promise<ScheduleDescription | undefined> {
  try {
    return await handle(`runbook/${target}/${schedule}`).describe();
  } catch {
    return undefined;
  }
}

/** Lists of schedules are a moment late. */
async function listed(...ids: string[]): Promise<void> {
  await waitFor(
    async () => {
      const seen: string[] = [];
      for await (const { scheduleId } of world.client.schedule.list()) seen.push(scheduleId);
      return ids.every((id) => seen.includes(id)) ? true : undefined;
    },
    { what: `${ids.join(', ')} to be listed`, timeoutMilliseconds: 30_000, everyMilliseconds: 200 },
  );
}

describe('applying', () => {
  test('shows what it would make, makes it when it is told to, and then finds nothing to change', async () => {
    write({
      nightly: {
        ...yearly,
        cron: ['7 3 * * 1-5', '30 */6 1 1 *'],
        timeZone: 'Europe/Berlin',
        jitterSeconds: 300,
        overlap: 'bufferOne',
        catchupWindowSeconds: 7200,
        pauseOnFailure: true,
      },
      often: { procedure: 'rolling-update', input: dryRun, everySeconds: 31_536_000, offsetSeconds: 60 },
    });
    const dry = await schedules('apply', '--target', target, '--dry-run');
    expect(dry).toMatchObject({ code: 0, err: '' });
    expect(dry.out).toContain(`create ${target}/nightly\n    procedure: rolling-update\n`);
    expect(dry.out).toContain('    times: 30 */6 1 1 *; 7 3 * * 1-5\n');
    expect(dry.out).toContain('    times: every 31536000 s, 60 s later\n');
    expect(dry.out).toMatch(/\n2 changes; nothing was changed \(--dry-run\)\n$/);
    const unasked = await schedules('apply', '--target', target);
    expect(unasked).toMatchObject({ code: 2, err: 'runbook: nothing was changed: add --yes\n' });
    expect(await inTemporal('nightly')).toBeUndefined();

    expect(await apply()).toMatch(/\n2 of 2 changes made\n$/);
    const nightly = await inTemporal('nightly');
    expect(nightly?.action).toMatchObject({
      workflowType: 'rollingUpdate',
      taskQueue: world.queue,
      workflowId: `${target}.nightly`,
      args: [{ ...dryRun, target, requestedBy: 'schedule nightly' }],
    });
    expect(nightly?.action.staticSummary).toContain(`Schedule nightly of ${target}: Roll out`);
    expect(nightly?.policies).toEqual({
      overlap: 'BUFFER_ONE',
      catchupWindow: 7_200_000,
      pauseOnFailure: true,
    });
    expect(nightly?.spec).toMatchObject({ timezone: 'Europe/Berlin', jitter: 300_000 });
    expect(nightly?.state.paused).toBe(false);

    expect(await apply()).toBe(`unchanged ${target}/nightly\nunchanged ${target}/often\nnothing to change\n`);
    expect((await inTemporal('nightly'))?.info.lastUpdatedAt).toBeUndefined();
  });

  test('changes what differs, setting by setting, and nothing else', async () => {
    write({ nightly: yearly, other: yearly });
    await apply();
    write({ nightly: { ...yearly, cron: '0 4 1 1 *', jitterSeconds: 5 }, other: yearly });
    expect(await apply()).toBe(
      [
        `change ${target}/nightly`,
        '    times: 0 3 1 1 * → 0 4 1 1 *',
        '    jitter: 0 s → 5 s',
        `unchanged ${target}/other`,
        '1 of 1 changes made',
        '',
      ].join('\n'),
    );
    expect((await inTemporal('nightly'))?.spec.jitter).toBe(5000);
    expect((await inTemporal('other'))?.info.lastUpdatedAt).toBeUndefined();
    expect(await apply()).toContain('nothing to change');
  });

  test('puts back what somebody changed in Temporal, and says so', async () => {
    write({ nightly: yearly });
    await apply();
    await handle(`runbook/${target}/nightly`).update((previous) => ({
      ...previous,
      spec: { calendars: [{ hour: 9, minute: 0 }], endAt: new Date('2040-01-01T00:00:00Z') },
    }));
    const out = await apply();
    expect(out).toContain('    times: 0 9 * * * → 0 3 1 1 *\n');
    expect(out).toContain('    set in Temporal only: an end time → nothing\n');
    expect(out).toContain(
      '    note: somebody changed it in Temporal since it was applied; that is put back\n',
    );
    expect(await apply()).toContain('nothing to change');
  });

  test('removes what no profile names any more, and leaves alone what is not ours', async () => {
    const action = { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other' } as const;
    const foreign = [`runbook/${target}/foreign`, `runbook/${target}/copied`, `${target}/else`];
    const owner = { target, schedule: 'foreign', taskQueue: `${world.queue}-other` };
    const memos = [owner, { ...owner, schedule: 'nightly', taskQueue: world.queue }, owner];
    for (const [index, scheduleId] of foreign.entries())
      await world.client.schedule.create({
        scheduleId,
        spec: { cronExpressions: ['0 3 1 1 *'] },
        action,
        memo: { runbookSchedule: memos[index] },
      });
    write({ nightly: yearly, old: yearly });
    await apply();
    await listed(`runbook/${target}/old`, ...foreign);
    write({ nightly: yearly });
    expect(await apply()).toBe(
      `unchanged ${target}/nightly\nremove ${target}/old\n    no profile names it any more\n1 of 1 changes made\n`,
    );
    expect(await inTemporal('old')).toBeUndefined();
    for (const id of foreign) expect((await handle(id).describe()).info.lastUpdatedAt).toBeUndefined();

    world.removeProfile(target);
    const other = unique('shop');
    write({}, other);
    const all = await schedules('apply', '--dry-run');
    expect(all.out).toContain(`remove ${target}/nightly\n`);
    expect(all.out).not.toMatch(/foreign|copied|else/);
    const only = await schedules('apply', '--target', other, '--dry-run');
    expect(only.out).toBe('nothing to change\n');
    world.removeProfile(other);
  });

  test('refuses an id that somebody else has, before anything is written', async () => {
    await world.client.schedule.create({
      scheduleId: `runbook/${target}/taken`,
      spec: { cronExpressions: ['0 3 1 1 *'] },
      action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other' },
    });
    write({ first: yearly, taken: yearly });
    const { code, err } = await schedules('apply', '--target', target, '--yes');
    expect(code).toBe(2);
    expect(err).toContain(
      `nothing was changed:\nrunbook/${target}/taken: Temporal has a schedule with this id`,
    );
    expect(await inTemporal('first')).toBeUndefined();
    for (const verb of ['pause', 'resume', 'trigger']) {
      const refused = await schedules(verb, `${target}/taken`);
      expect(refused).toMatchObject({ code: 2, out: '' });
      expect(refused.err).toContain('was not made by this command');
    }
  });

  test('refuses inputs that the procedures would refuse, all of them, before anything is written', async () => {
    write({
      good: yearly,
      bad: { ...yearly, input: { dryRun: 'yes', image: 'x y' } },
      worse: { ...yearly, procedure: 'rollback', input: { image: 'registry.example/a:1' } },
    });
    const { code, err } = await schedules('apply', '--target', target, '--yes');
    expect(code).toBe(2);
    const lines = err.trim().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(
      new RegExp(`^schedule ${target}/bad: rollingUpdate: 2 faults .*dryRun: .*image: |image: .*dryRun: `),
    );
    expect(lines[2]).toContain(
      `schedule ${target}/worse: rollback: one fault in the input: unknown field "image"`,
    );
    expect(await inTemporal('good')).toBeUndefined();
  });

  test('writes nothing while any profile is faulty: its schedules would look removed', async () => {
    write({ nightly: yearly });
    await apply();
    await listed(`runbook/${target}/nightly`);
    write({ nightly: { ...yearly, cron: '61 * * * *' } });
    const { code, err } = await schedules('apply', '--yes');
    expect(code).toBe(1);
    expect(err).toContain('schedules.nightly.cron: "61 * * * *": minute: must be between 0 and 59');
    expect(await inTemporal('nightly')).toBeDefined();
    world.removeProfile(target);
  });

  test('says that a procedure with a gate waits for people, and answers in JSON', async () => {
    write({ nightly: { ...yearly, input: { image: image('1.7.5') } } });
    const { code, out } = await schedules('apply', '--target', target, '--dry-run', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toEqual([
      {
        target,
        schedule: 'nightly',
        action: 'create',
        differences: [],
        notes: ['each run waits for people at its gate'],
      },
    ]);
    expect(await schedules('apply', '--target', target, '--json')).toMatchObject({ code: 2, out: '' });
  });
});

describe('a pause', () => {
  test('that somebody made is kept when the profile is applied, and said', async () => {
    write({ nightly: yearly });
    await apply();
    await handle(`runbook/${target}/nightly`).pause('we move the bucket');
    expect(await apply()).toBe(
      `unchanged ${target}/nightly\n    note: is paused (we move the bucket) and stays so\nnothing to change\n`,
    );
    write({ nightly: { ...yearly, jitterSeconds: 9 } });
    await apply();
    expect((await inTemporal('nightly'))?.state).toMatchObject({ paused: true, note: 'we move the bucket' });
    expect((await list())[0]).toMatchObject({
      applied: 'yes',
      state: { paused: true, note: 'we move the bucket' },
    });
  });

  test('that the profile asks for is made and ended with the profile', async () => {
    write({ nightly: { ...yearly, paused: true } });
    expect(await apply()).toContain('    paused: yes\n');
    expect((await inTemporal('nightly'))?.state.paused).toBe(true);
    expect(await apply()).toContain('nothing to change');
    write({ nightly: yearly });
    expect(await apply()).toContain('    paused: yes → no\n');
    expect((await inTemporal('nightly'))?.state.paused).toBe(false);
    write({ nightly: { ...yearly, paused: true } });
    expect(await apply()).toContain('    paused: no → yes\n');
    expect((await inTemporal('nightly'))?.state.paused).toBe(true);
  });

  test('can be made and ended from the command line, by name, any number of times', async () => {
    write({ nightly: yearly });
    await apply();
    const name = `${target}/nightly`;
    const paused = await schedules('pause', name, '--by', 'Ann', '--reason', 'we\nmove \u202ethe bucket');
    expect(paused).toMatchObject({ code: 0, out: `${name}: paused by Ann: we move  the bucket\n` });
    const again = await schedules('pause', `runbook/${name}`, '--by', 'Bob');
    expect(again.out).toBe(`${name}: is paused already: paused by Ann: we move  the bucket\n`);
    expect((await list())[0]?.state).not.toHaveProperty('nextRun');
    const resumed = await schedules('resume', name, '--by', 'Bob', '--json');
    expect(JSON.parse(resumed.out)).toMatchObject({ changed: true, sentence: `${name}: resumed by Bob` });
    expect((await schedules('resume', name)).out).toBe(`${name}: is not paused\n`);
    expect((await list())[0]?.state?.nextRun).toMatch(/^\d{4}-01-01T03:00:00\.000Z$/);
  });
});

describe('a run', () => {
  test('can be triggered; the list says how it ended, and what runs', async () => {
    write({ nightly: yearly });
    await apply();
    await listed(`runbook/${target}/nightly`);
    const { code, out } = await schedules('trigger', `${target}/nightly`, '--json');
    expect(code).toBe(0);
    const { workflowId } = JSON.parse(out) as { workflowId: string };
    expect(workflowId).toMatch(new RegExp(`^${target}\\.nightly-\\d{4}-`));
    const { report } = await world.attach(workflowId).end();
    expect(report).toMatchObject({ outcome: 'planned', target, requestedBy: 'schedule nightly' });
    const shown = await waitFor(async () => (await list()).find(({ lastRun }) => lastRun !== undefined), {
      what: 'the run in the list',
      timeoutMilliseconds: 30_000,
      everyMilliseconds: 200,
    });
    expect(shown).toMatchObject({
      applied: 'yes',
      lastRun: { workflowId, verdict: 'ok', outcome: 'planned' },
      state: { missed: 0, running: [] },
    });
    const people = await schedules('list', '--target', target);
    expect(people.out).toContain(
      `    last run: planned at ${shown.lastRun?.endedAt ?? ''} (${workflowId})\n`,
    );
  });

  test('that failed is told', async () => {
    write({ nightly: { ...yearly, input: { ...dryRun, workload: 'gone' } } });
    await apply();
    const { out } = await schedules('trigger', `${target}/nightly`, '--json');
    await world.attach((JSON.parse(out) as { workflowId: string }).workflowId).end();
    const shown = await waitFor(async () => (await list()).find(({ lastRun }) => lastRun !== undefined), {
      what: 'the run in the list',
      timeoutMilliseconds: 30_000,
      everyMilliseconds: 200,
    });
    expect(shown.lastRun).toMatchObject({ verdict: 'failed', outcome: 'failed' });
  });

  test('that goes on keeps the next one from starting, and that is said', async () => {
    write({ nightly: { ...yearly, input: { image: image('1.7.5') } } });
    await apply();
    const { out } = await schedules('trigger', `${target}/nightly`, '--json');
    const { workflowId } = JSON.parse(out) as { workflowId: string };
    await world.attach(workflowId).gate();
    const second = await schedules('trigger', `${target}/nightly`);
    expect(second).toMatchObject({ code: 1, out: '' });
    expect(second.err).toContain(`skips while its former run goes on; see it: runbook show '${workflowId}'`);
    expect((await list())[0]?.state?.running).toMatchObject([{ workflowId }]);
    await world.attach(workflowId).handle.terminate('the test is over');
  });
});

test('what is not applied, differs, or is in no profile is told so in the list', async () => {
  write({ changed: yearly, gone: yearly });
  await apply();
  await listed(`runbook/${target}/gone`);
  write({ changed: { ...yearly, overlap: 'allowAll' }, fresh: yearly });
  expect((await list()).map(({ schedule, applied, differs }) => [schedule, applied, differs])).toEqual([
    ['changed', 'differs', ['overlap']],
    ['fresh', 'no', []],
    ['gone', 'in no profile', []],
  ]);
  const { out } = await schedules('list', '--target', target);
  expect(out).toContain(
    `${target}/changed\n    differs from the profile in overlap; run: runbook schedules apply\n`,
  );
  expect(out).toContain(`${target}/fresh\n    not applied; run: runbook schedules apply\n`);
});

test.each(['../x', 'a/b/c', '/', '', 'A/b', '$(id)', "x'; DROP", 'x'.repeat(5000), 'a/\u202eb'])(
  'the name %j is refused, and does not become an id',
  async (name) => {
    const finding = findSchedule(createSchedules(world.client), name, world.queue);
    const message = await finding.then(String, messageOf);
    expect(message).toContain('is no schedule; name it as target/name');
    expect(message.length).toBeLessThan(200);
    expect(message).not.toContain('\u202e');
  },
);

test('a name that is none is a mistake of whoever typed it', async () => {
  const { code, out, err } = await schedules('pause', '../x');
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('"../x" is no schedule');
});

test('a schedule, or a target, that is not there is told with those that are', async () => {
  write({ nightly: yearly });
  await apply();
  await listed(`runbook/${target}/nightly`);
  const none = await schedules('trigger', `${target}/hourly`);
  expect(none.code).toBe(2);
  expect(none.err).toContain(`Temporal has no schedule ${target}/hourly; it has `);
  expect(none.err).toContain(`${target}/nightly`);
  const nobody = await schedules('list', '--target', 'nobody');
  expect(nobody).toMatchObject({ code: 2, out: '' });
  expect(nobody.err).toContain('there is no target "nobody"; known targets: ');
});

describe('doctor', () => {
  type Found = { code: number | null; found: [string, string, string, string | undefined][] };

  /** What doctor tells of each schedule, once Temporal answers: on a busy machine it may honestly say that it has no answer. */
  async function doctor(more: Record<string, string> = {}): Promise<Found> {
    return await waitFor(
      async () => {
        const answer = await askDoctor(more);
        return answer.found.some(([check]) => check === 'schedules') ? undefined : answer;
      },
      { what: 'Temporal to answer doctor', timeoutMilliseconds: 90_000, everyMilliseconds: 1000 },
    );
  }

  async function askDoctor(more: Record<string, string>): Promise<Found> {
    const line = ['doctor', '--target', target, '--json'];
    const { code, out } = await runbook(line, { ...environment, ...more });
    const findings = (JSON.parse(out) as Finding[]).filter(
      ({ check }) => check === 'schedules' || check.includes(', schedule '),
    );
    const short = findings.map(
      ({ check, state, found, mend }): [string, string, string, string | undefined] => [
        check.replace(`target ${target}, schedule `, ''),
        state,
        found.replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME'),
        mend,
      ],
    );
    return { code, found: short };
  }

  test('tells for each schedule what is wrong with it, and how to mend that', async () => {
    const before = { changed: yearly, halted: yearly, resting: { ...yearly, paused: true } };
    write({ ...before, fine: yearly, gone: yearly });
    await apply();
    await handle(`runbook/${target}/halted`).pause('we move the bucket');
    await world.client.schedule.create({
      scheduleId: `runbook/${target}/taken`,
      spec: { cronExpressions: ['0 3 1 1 *'] },
      action: { type: 'startWorkflow', workflowType: 'other', taskQueue: 'other' },
    });
    await listed(`runbook/${target}/gone`);
    write({
      ...before,
      changed: { ...yearly, cron: '0 4 1 1 *' },
      fine: yearly,
      fresh: yearly,
      taken: yearly,
    });
    const { code, found } = await doctor();
    const run = 'Run: runbook schedules apply';
    expect(found).toEqual([
      ['changed', 'fail', 'differs from the profile in times', run],
      ['fine', 'pass', 'runs next at TIME; none of its runs has ended yet', undefined],
      ['fresh', 'fail', 'is in the profile, but not in Temporal', run],
      ['gone', 'fail', 'is in Temporal, but in no profile any more', `${run} (which removes it)`],
      ['halted', 'fail', 'is paused: we move the bucket', `Run: runbook schedules resume ${target}/halted`],
      ['resting', 'pass', 'paused, as the profile says; none of its runs has ended yet', undefined],
      [
        'taken',
        'fail',
        'Temporal has a schedule with its id that was not made by this command for this queue',
        'Delete that one in the Temporal UI, or rename yours; then: runbook schedules apply',
      ],
    ]);
    expect(code).toBe(1);
  });

  test('tells that nobody would carry out the runs of a schedule', async () => {
    write({ nightly: yearly });
    const alone = { RUNBOOK_TASK_QUEUE: unique('nobody') };
    const line = ['schedules', 'apply', '--target', target, '--yes'];
    expect(await runbook(line, { ...environment, ...alone })).toMatchObject({ code: 0 });
    expect((await doctor(alone)).found).toEqual([
      [
        'nightly',
        'fail',
        `no worker polls its queue ${alone.RUNBOOK_TASK_QUEUE}, so its runs wait`,
        'Start one: runbook worker',
      ],
    ]);
  });
});
