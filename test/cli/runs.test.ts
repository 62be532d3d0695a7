import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { RunDescription, RunReport } from '../../src/contracts/run.ts';
import { waitFor } from '../../src/local/wait.ts';
import { runbook, startRunbook, type Ended } from '../support/command.ts';
import { onRealNode, stack, unique } from '../support/stack.ts';
import { image, TestRun, World } from '../support/world.ts';

const whenReal = onRealNode ? test : test.skip;

describe('the command line with a worker', () => {
  let world: World;
  const folder = mkdtempSync(join(tmpdir(), 'runbook-cli-'));
  beforeAll(async () => {
    world = await World.create({ deploy: true });
  });
  afterAll(async () => {
    await world.close();
    rmSync(folder, { recursive: true });
  });

  const command = async (...line: string[]): Promise<Ended> =>
    await runbook(line, { RUNBOOK_TASK_QUEUE: world.queue });
  const runOf = (id: string): TestRun => new TestRun(world.client.workflow.getHandle(id));

  test('starts a run with an input from a file, and shows it at its gate and after its end', async () => {
    const id = unique('cli');
    const file = join(folder, 'input.json');
    writeFileSync(file, JSON.stringify({ image: image('1.7.5') }));
    const started = await command(
      'start',
      'rolling-update',
      ...['--input', `@${file}`, '--set', 'reason=an urgent fix 🚒', '--id', id, '--json'],
    );
    expect(started).toMatchObject({ code: 0 });
    expect(JSON.parse(started.out)).toMatchObject({ workflowId: id, procedure: 'rollingUpdate' });
    const gate = await runOf(id).gate();

    const [text, json, wrongPlan, shortPlan, noPlan, sameId] = await Promise.all([
      command('show', id),
      command('show', id, '--json'),
      command('approve', id, '--plan', '00000000'),
      command('approve', id, '--plan', '0'),
      command('approve', id),
      command('start', 'rolling-update', '--id', id),
    ]);
    expect(text.out).toMatch(/⏸ Approve the change/);
    expect(text.out).toContain(`npx runbook approve '${id}' --plan ${gate.planHash.slice(0, 12)}`);
    expect(text.out).toMatch(/update decide: \{"decision":"approve",.*\n.*signal approve: \{"gate":/);
    expect((JSON.parse(json.out) as RunDescription).waitingFor).toEqual(gate);
    expect(wrongPlan).toMatchObject({ code: 2 });
    expect(wrongPlan.err).toContain(`the run waits with plan ${gate.planHash}, not 00000000`);
    expect(shortPlan).toMatchObject({ code: 2 });
    expect(noPlan.err).toContain(`say which plan you approve: --plan ${gate.planHash.slice(0, 12)}`);
    expect(sameId).toMatchObject({ code: 2 });
    expect(sameId.err).toContain(`there is an open run "${id}" already`);
    for (const { err } of [wrongPlan, shortPlan, noPlan, sameId]) expect(err).not.toMatch(/\n\s+at /);

    const placeholder = await command('approve', id, '--plan', gate.planHash, '--as', 'your name', '--json');
    expect(placeholder).toMatchObject({ code: 1 });
    expect(JSON.parse(placeholder.out)).toMatchObject({ accepted: false });

    const rejected = await command('reject', id, '--reason', 'not today', '--json');
    expect(rejected).toMatchObject({ code: 0 });
    expect(JSON.parse(rejected.out)).toMatchObject({ accepted: true });
    await runOf(id).end();
    const [ended, report, late] = await Promise.all([
      command('show', id),
      command('show', id, '--json'),
      command('approve', id, '--yes'),
    ]);
    expect(ended.out).toMatch(/^rejected: .*Rejected by \S+: not today/);
    expect((JSON.parse(report.out) as RunReport).request).toMatchObject({ reason: 'an urgent fix 🚒' });
    expect(late).toMatchObject({ code: 2 });
    expect(late.err).toMatch(/the run has ended \(completed\); there is nothing to decide/);
  });

  test('waits for a dry run and for a run that fails, and ends as they did', async () => {
    const [dry, bad] = await Promise.all([
      command('start', 'rolling-update', '--set', `image=${image('1.7.5')}`, '--dry-run', '--wait', '--json'),
      command('start', 'rollingUpdate', '--input', '{"imgae":1}', '--wait'),
    ]);
    expect(dry).toMatchObject({ code: 0 });
    expect((JSON.parse(dry.out) as RunReport).outcome).toBe('planned');
    expect(bad).toMatchObject({ code: 1 });
    expect(bad.out).toMatch(/^failed: .*imgae/);
  });

  test('waiting for a run that is rejected ends with 3', async () => {
    const id = unique('cli');
    const waiting = startRunbook(
      ['start', 'rolling-update', '--set', `image=${image('1.7.5')}`, '--id', id, '--wait'],
      { RUNBOOK_TASK_QUEUE: world.queue },
    );
    await waitFor(() => Promise.resolve(/or signal approve/.test(waiting.printed()) || undefined), {
      what: 'the gate on the terminal',
      timeoutMilliseconds: 60_000,
    });
    await command('reject', id);
    expect(await waiting.ended).toMatchObject({ code: 3 });
  });

  test('Ctrl-C ends the waiting at once, not the run', async () => {
    const id = unique('cli');
    const waiting = startRunbook(
      ['start', 'rolling-update', '--set', `image=${image('1.7.5')}`, '--id', id, '--wait'],
      { RUNBOOK_TASK_QUEUE: world.queue },
    );
    const gate = await waitFor(
      async () => (/or signal approve/.test(waiting.printed()) ? await runOf(id).gate() : undefined),
      { what: 'the gate on the terminal', timeoutMilliseconds: 60_000 },
    );
    const before = Date.now();
    waiting.interrupt();
    const { code, err } = await waiting.ended;
    expect(Date.now() - before).toBeLessThan(3000);
    expect(code).toBe(130);
    expect(err).toContain(`the run goes on; see it: runbook show '${id}'`);
    expect((await runOf(id).describe()).waitingFor).toEqual(gate);
    expect(await command('reject', id)).toMatchObject({ code: 0 });
    await runOf(id).end();
  });

  whenReal('approves the plan that it names', async () => {
    const id = unique('cli');
    const waiting = startRunbook(
      ['start', 'rolling-update', '--set', `image=${image('1.7.5')}`, '--id', id, '--wait'],
      { RUNBOOK_TASK_QUEUE: world.queue },
    );
    const { planHash } = await waitFor(async () => await runOf(id).gate(), {
      what: 'the gate',
      timeoutMilliseconds: 60_000,
    });
    const approved = await command('approve', id, '--plan', planHash.slice(0, 12), '--as', 'Robin Doe');
    expect(approved).toMatchObject({ code: 0 });
    expect(approved.out).toBe('Approved; the run checks again and goes on.\n');
    const ended = await waiting.ended;
    expect(ended).toMatchObject({ code: 0 });
    expect(ended.out).toMatch(/^succeeded: .*\nThe service is healthy now/);
    expect(ended.err).toMatch(/✓ Approve the change: approved by Robin Doe/);
  });

  test('a run that does not exist is named', async () => {
    const answers = await Promise.all([
      command('show', 'no-such-run'),
      command('approve', 'no-such-run', '--yes'),
      command('reject', 'no-such-run'),
    ]);
    for (const { code, out, err } of answers) {
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(/there is no run "no-such-run"/);
    }
  });
});

describe('with nothing but local stacks', () => {
  const nothingSet = {
    TEMPORAL_ADDRESS: undefined,
    TEMPORAL_NAMESPACE: undefined,
    TEMPORAL_CONFIG_FILE: undefined,
  };

  test('a command takes the one that RUNBOOK_STACK names, and says so', async () => {
    const { name } = stack();
    const { code, err } = await runbook(['show', 'nobody'], { ...nothingSet, RUNBOOK_STACK: name });
    expect(err).toContain(`using the local stack "${name}"`);
    expect(code).toBe(2);
  });

  test('a command says which are up when it is given another name', async () => {
    const { code, err } = await runbook(['show', 'nobody'], { ...nothingSet, RUNBOOK_STACK: 'nobody' });
    expect(err).toMatch(/RUNBOOK_STACK: no local stack "nobody" is up; these are: .*/);
    expect(err).toContain(stack().name);
    expect(code).toBe(2);
  });
});
