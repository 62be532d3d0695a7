import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../src/local/wait.ts';
import { runbook, type Ended } from '../support/command.ts';
import { createSleeper } from '../support/sleeper.ts';
import { unique } from '../support/stack.ts';
import { decisionFor, World } from '../support/world.ts';

describe('controls and locks on the command line', () => {
  let world: World;
  let lease: string;
  beforeAll(async () => {
    world = await World.create({ namespace: true });
    lease = `alecs.${world.namespace}`;
  });
  beforeEach(async () => {
    await createSleeper(world);
  });
  afterAll(async () => {
    await world.close();
  });

  const command = async (...line: string[]): Promise<Ended> =>
    await runbook(line, { RUNBOOK_TASK_QUEUE: world.queue, RUNBOOK_TARGETS: world.targetsFolder });
  const onLease = async (...line: string[]): Promise<string> =>
    await world.kubectl('-n', 'runbooks', ...line);

  test('pause, resume and abort say what the run made of them, and the report names who and why', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    await run.gate();
    const { workflowId } = run.handle;
    const paused = await command('pause', workflowId, '--by', 'Ada', '--reason', 'let me look');
    expect(paused).toMatchObject({ code: 0, out: 'the run pauses before its next step\n' });
    expect((await command('show', workflowId)).out).toMatch(/paused: since .* by Ada: let me look/);
    expect((await command('resume', workflowId)).out).toBe('the run goes on\n');
    expect((await command('resume', workflowId)).out).toBe('the run was not paused\n');
    const aborted = await command('abort', workflowId, '--by', 'Ada', '--reason', 'wrong day', '--json');
    expect(JSON.parse(aborted.out)).toMatchObject({ sent: 'abort' });
    const { report } = await run.end();
    expect(report.outcome).toBe('aborted');
    expect(report.error).toBe('aborted by Ada: wrong day');
    const late = await command('abort', workflowId);
    expect(late).toMatchObject({ code: 2 });
    expect(late.err).toMatch(/the run has ended/);
  });

  test('a frozen target stops a new run at its plan; an approved one goes on as soon as it is unfrozen', async () => {
    const waiting = await world.start({ image: 'sleeper:2' });
    const gate = await waiting.gate();
    const frozen = await command('freeze', '--target', 'alecs', '--by', 'Ada', '--reason', 'month end');
    expect(frozen.out).toMatch(/^alecs: frozen by Ada since .*: month end/);
    await waiting.decide(decisionFor(gate));
    const stopped = await (await world.start({ image: 'sleeper:3' })).end();
    expect(stopped.report.error).toMatch(/guard freeze: frozen by Ada/);
    await waitFor(
      async () => ((await waiting.describe()).lock?.startsWith('frozen by Ada') === true ? true : undefined),
      { what: 'the approved run to wait', timeoutMilliseconds: 20_000 },
    );
    expect((await command('unfreeze')).out).toMatch(/^alecs: not frozen any more \(was frozen by Ada/);
    await waiting.approve(gate);
    expect((await waiting.end()).report.outcome).toBe('succeeded');
    expect((await command('unfreeze', '--json')).out).toMatch(/was not frozen/);
  });

  test('all targets are frozen but those that cannot be, which are named', async () => {
    world.writeProfile('a-broken-one', { target: 'a-broken-one' });
    try {
      const frozen = await command('freeze', '--by', 'Ada');
      expect(frozen.code).toBe(1);
      expect(frozen.out).toMatch(
        /^a-broken-one: NOT done: target profile a-broken-one: .*\nalecs: frozen by Ada since .*\n$/,
      );
    } finally {
      world.removeProfile('a-broken-one');
    }
    expect(await command('unfreeze')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^alecs: not frozen any more/),
    });
  });

  test('unlock shows who holds a target, frees it only by force, and never from a run that goes on', async () => {
    const run = await world.start({ image: 'sleeper:2' });
    const held = await run.gate(await run.approve());
    const running = await command('unlock', '--target', 'alecs', '--force');
    expect(running).toMatchObject({ code: 2 });
    expect(running.err).toMatch(/holds the target .* goes on; end it instead: runbook abort/);
    await run.decide(decisionFor(held));
    await run.end();
    expect((await command('unlock', '--target', 'alecs')).out).toBe('alecs: nobody holds it\n');

    const foreign = {
      workflowId: unique('elsewhere'),
      firstRunId: 'first',
      procedure: 'rollback',
      since: '2026-01-01T00:00:00Z',
      temporalNamespace: 'default',
      temporalCluster: 'another',
    };
    await onLease('annotate', 'lease', lease, `runbook/holder=${JSON.stringify(foreign)}`);
    const refused = await (await world.start({ image: 'sleeper:4' })).approveAndEnd();
    expect(refused.report.error).toMatch(/in another Temporal .*runbook unlock/);
    const shown = await command('unlock', '--target', 'alecs');
    expect(shown).toMatchObject({ code: 2 });
    expect(shown.err).toMatch(new RegExp(`${foreign.workflowId}.*add --force`));
    const deaf = { RUNBOOK_TARGETS: world.targetsFolder, TEMPORAL_ADDRESS: '127.0.0.1:1' };
    const freed = await runbook(['unlock', '--target', 'alecs', '--force'], deaf);
    expect(freed.out).toMatch(/^alecs: freed/);

    await onLease('annotate', 'lease', lease, 'runbook/holder={not json', '--overwrite');
    const unreadable = await (await world.start({ image: 'sleeper:4' })).end();
    expect(unreadable.report.error).toMatch(/annotation runbook\/holder .* cannot be read/);
    expect((await command('unlock', '--target', 'alecs', '--force')).out).toMatch(/freed/);
    expect(await onLease('get', 'lease', lease, '-o', 'jsonpath={.metadata.annotations}')).not.toMatch(
      /holder/,
    );
  });

  test('a target that is not there is refused by name', async () => {
    for (const line of [['freeze'], ['unfreeze'], ['unlock']]) {
      const ended = await command(...line, '--target', 'nope');
      expect(ended.code).toBe(2);
      expect(ended.err).toMatch(/there is no target "nope"/);
    }
  });
});
