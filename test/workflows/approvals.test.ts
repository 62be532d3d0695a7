import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { WorkflowUpdateFailedError } from '@temporalio/client';
import { controls, type Decision, type Gate } from '../../src/contracts/run.ts';
import { signingCommand } from '../../src/domain/statement.ts';
import { GnuPg, hasGnuPg } from '../encryption/support/gnupg.ts';
import { waitFor } from '../../src/local/wait.ts';
import { createSleeper, sleeperProfile } from '../support/sleeper.ts';
import { World, type TestRun } from '../support/world.ts';

const input = { image: 'sleeper:2' };

let world: World;
beforeAll(async () => {
  world = await World.create({ namespace: true });
});
beforeEach(async () => {
  await createSleeper(world);
});
afterAll(async () => {
  await world.close();
});

function profile(change: Record<string, unknown>): void {
  world.writeProfile('alecs', { ...sleeperProfile(world.namespace), ...change });
}

function as(gate: Gate, approver: string, change: Partial<Decision> = {}): Decision {
  return { decision: 'approve', gate: gate.id, planHash: gate.planHash, approver, ...change };
}

async function refusal(run: TestRun, decision: unknown): Promise<string> {
  const error: unknown = await run.decide(decision).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof WorkflowUpdateFailedError)) throw new Error('the decision was not refused');
  return error.cause?.message ?? '';
}

const oncall = (...people: string[]): Record<string, unknown> =>
  Object.fromEntries(people.map((person) => [person, { roles: ['oncall'] }]));

describe('a gate with a policy', () => {
  const team = {
    approvers: oncall('ada', 'ben', 'cleo'),
    approvals: { rules: [{ need: [{ role: 'oncall', count: 2 }] }] },
  };

  test('needs as many different people as it says, and tells what is missing', async () => {
    profile(team);
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    expect(gate).toMatchObject({ needs: '2 approvals of role oncall', approvedBy: [], signed: false });
    expect(await refusal(run, as(gate, 'cleo'))).toContain('nobody approves what they asked for');
    expect(await refusal(run, as(gate, 'mallory'))).toContain('is not among the approvers of target alecs');
    expect(await run.decide(as(gate, 'ada'))).toBe(
      'Approved by ada; still needed: 1 approval of role oncall.',
    );
    expect((await run.describe()).waitingFor).toMatchObject({
      needs: '1 approval of role oncall',
      approvedBy: ['ada'],
    });
    expect(await refusal(run, as(gate, 'ada'))).toContain('ada has approved already');
    expect(await run.decide(as(gate, 'ben'))).toBe('Approved; the run checks again and goes on.');
    await run.handle.signal(controls.abort);
    const { report } = await run.end();
    expect(report.steps.find(({ name }) => name === 'Approve the change')).toMatchObject({
      note: 'approved by ada, ben',
    });
    await run.saveHistory('two-approvals');
  });

  test('needs one more when nobody said who asked', async () => {
    profile(team);
    const run = await world.start(input);
    const gate = await run.gate();
    expect(gate.needs).toBe('3 approvals of role oncall');
    await run.decide(as(gate, 'ada', { decision: 'reject', reason: 'not now' }));
    expect((await run.end()).report.outcome).toBe('rejected');
  });

  test('takes ten decisions at once as the two people that they are', async () => {
    profile(team);
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    const answers = await Promise.allSettled(
      Array.from({ length: 10 }, (_, index) => run.decide(as(gate, index % 2 === 0 ? 'ada' : 'ben'))),
    );
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    await run.handle.signal(controls.abort);
    const { report } = await run.end();
    expect(report.decisions.filter(({ accepted }) => accepted)).toHaveLength(2);
  });

  test('whose profile changes opens another gate, and what was approved before does not count', async () => {
    profile(team);
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const first = await run.gate();
    await run.decide(as(first, 'ada'));
    profile({ ...team, approvals: { rules: [{ need: [{ role: 'oncall', count: 1 }] }] } });
    expect(await refusal(run, as(first, 'ben'))).toContain('was changed since this plan was made');
    const second = await run.gate(first);
    expect(second).toMatchObject({ id: 'gate-2', needs: '1 approval of role oncall', approvedBy: [] });
    expect(second.question).toContain('The plan changed while gate-1 was open: the target profile changed.');
    expect(second.planHash).not.toBe(first.planHash);
    await run.decide(as(second, 'ben', { decision: 'reject' }));
    expect((await run.end()).report.outcome).toBe('rejected');
  });

  test('about a half-done change opens anew, too, when the profile changes', async () => {
    profile(team);
    const dead = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await dead.gate();
    for (const person of ['ada', 'ben']) await dead.decide(as(gate, person));
    await dead.gate(gate);
    await dead.handle.terminate('a test');
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const first = await run.gate();
    expect(first.question).toMatch(/^Half-done change/);
    await run.decide(as(first, 'ada'));
    profile({ ...team, gate: { deadlineSeconds: 500 } });
    expect(await refusal(run, as(first, 'ben'))).toContain('was changed since this plan was made');
    const second = await run.gate(first);
    expect(second).toMatchObject({ id: 'gate-2', planHash: first.planHash, approvedBy: [] });
    for (const person of ['ada', 'ben']) await run.decide(as(second, person));
    const third = await run.gate(second);
    await run.decide(as(third, 'ben', { decision: 'reject' }));
    expect((await run.end()).report.outcome).toBe('rejected');
    expect(await world.liveImage()).toBe('sleeper:1');
  });

  test('whose profile is deleted ends with nothing changed', async () => {
    profile(team);
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    world.removeProfile('alecs');
    expect(await refusal(run, as(gate, 'ben'))).toContain('no target');
    const { report } = await run.end();
    expect(report).toMatchObject({ outcome: 'failed' });
    expect(await world.liveImage()).toBe('sleeper:1');
  });

  test('that nobody could satisfy is refused when the run starts', async () => {
    profile({ approvers: oncall('ada') });
    const { report } = await (await world.start(input)).end();
    expect(report.error).toContain('too few approvers');
  });

  test('keeps what was approved when it continues as a new run for the same plan', async () => {
    profile(team);
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    await run.decide(as(gate, 'ada'));
    const before = await run.handle.describe();
    for (let count = 0; count < 520; count++) await run.handle.signal('junk', count);
    const now = await waitFor(
      async () => {
        const { runId } = await world.client.workflow.getHandle(run.handle.workflowId).describe();
        return runId === before.runId ? undefined : await run.gate();
      },
      { what: 'the next run of the chain', timeoutMilliseconds: 60_000 },
    );
    expect(now).toMatchObject({ id: gate.id, deadline: gate.deadline, approvedBy: ['ada'] });
    expect(await run.decide(as(now, 'ben'))).toContain('Approved; the run');
    await run.handle.signal(controls.abort);
    await run.end();
  });

  test('reminds before its deadline', async () => {
    profile({ gate: { deadlineSeconds: 3, reminderSeconds: 2 } });
    const run = await world.start(input);
    const { report } = await run.end();
    expect(report.outcome).toBe('timedOut');
    const { events } = await run.handle.fetchHistory();
    const told = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
      scheduled?.activityType?.name === 'notify'
        ? [JSON.parse(Buffer.from(scheduled.input?.payloads?.[0]?.data ?? []).toString()) as unknown]
        : [],
    );
    expect(told).toEqual([
      expect.objectContaining({ notification: expect.objectContaining({ event: 'gateOpened' }) }),
      expect.objectContaining({ notification: expect.objectContaining({ event: 'gateReminder' }) }),
      expect.objectContaining({ notification: expect.objectContaining({ event: 'runEnded' }) }),
    ]);
  });
});

(hasGnuPg ? describe : describe.skip)('a gate that takes signed decisions only', () => {
  let gpg: GnuPg;
  let keys: Record<'ada' | 'ben' | 'eve', string>;

  beforeAll(() => {
    gpg = new GnuPg();
    keys = { ada: gpg.makeKey('ada'), ben: gpg.makeKey('ben'), eve: gpg.makeKey('eve') };
  });
  afterAll(() => {
    gpg.close();
  });
  beforeEach(() => {
    mkdirSync(join(world.targetsFolder, 'keys'), { recursive: true });
    for (const name of ['ada', 'ben'] as const)
      writeFileSync(join(world.targetsFolder, 'keys', `${name}.asc`), gpg.publicKey(keys[name]));
    const approver = (name: 'ada' | 'ben'): unknown => ({
      roles: ['oncall'],
      fingerprint: keys[name],
      publicKey: `keys/${name}.asc`,
    });
    profile({
      approvers: { ada: approver('ada'), ben: approver('ben') },
      approvals: { identity: 'signed' },
    });
  });

  /** What a person does: copies the command from the run's details and pastes what it prints. */
  function sign(run: TestRun, gate: Gate, by: keyof typeof keys): string {
    const { workflowId } = run.handle;
    const { id, planHash, runId } = gate;
    const command = signingCommand({ workflowId, runId, gate: id, planHash, decision: 'approve' });
    return execFileSync(
      'sh',
      ['-c', command.replace('gpg ', `gpg --batch --quiet --local-user ${keys[by]} `)],
      { env: gpg.environment(), stdio: ['ignore', 'pipe', 'ignore'] },
    ).toString();
  }

  test('believes a signature that the real gpg made, and says so in the report', async () => {
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    expect(gate.signed).toBe(true);
    expect(await refusal(run, as(gate, 'ada'))).toContain('signature is missing');
    expect(await refusal(run, as(gate, 'ada', { signature: sign(run, gate, 'eve') }))).not.toContain(
      'Approved',
    );
    expect(await refusal(run, as(gate, 'ada', { signature: sign(run, gate, 'ben') }))).not.toContain(
      'Approved',
    );
    await run.decide(as(gate, 'ada', { signature: sign(run, gate, 'ada') }));
    await run.handle.signal(controls.abort);
    const { report } = await run.end();
    expect(report.decisions.filter(({ accepted }) => accepted)).toEqual([
      expect.objectContaining({
        decision: expect.objectContaining({ approver: 'ada' }),
        proof: expect.objectContaining({ identity: 'signed', fingerprint: keys.ada }),
      }),
    ]);
    await run.saveHistory('signed');
  });

  test('takes a signed signal, and is not harmed by a bad one', async () => {
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    await run.handle.signal(controls.approve, as(gate, 'ada', { signature: 'bm90IGEgc2lnbmF0dXJl' }));
    await run.handle.signal(controls.approve, as(gate, 'ben', { signature: sign(run, gate, 'ben') }));
    await waitFor(async () => ((await run.describe()).waitingFor === undefined ? true : undefined), {
      what: 'the gate to be answered',
      timeoutMilliseconds: 30_000,
    });
    await run.handle.signal(controls.abort);
    const { report } = await run.end();
    expect(report.decisions.map(({ accepted }) => accepted).sort()).toEqual([false, true]);
  });

  test('does not take what was signed for a run before a reset', async () => {
    const run = await world.start({ ...input, requestedBy: 'cleo' });
    const gate = await run.gate();
    const signature = sign(run, gate, 'ada');
    const { workflowExecution } = { workflowExecution: await run.handle.describe() };
    const events = (await run.handle.fetchHistory()).events ?? [];
    const first = events.find(
      ({ workflowTaskCompletedEventAttributes: completed }) => completed !== null && completed !== undefined,
    );
    await world.client.workflowService.resetWorkflowExecution({
      namespace: 'default',
      workflowExecution: { workflowId: run.handle.workflowId, runId: workflowExecution.runId },
      reason: 'a test',
      workflowTaskFinishEventId: first?.eventId ?? null,
      requestId: gate.runId,
    });
    const fresh = world.attach(run.handle.workflowId);
    const again = await waitFor(
      async () => {
        const open = (await fresh.describe()).waitingFor;
        return open?.runId === gate.runId ? undefined : open;
      },
      { what: 'the gate of the reset run', timeoutMilliseconds: 30_000 },
    );
    expect(await refusal(fresh, as(again, 'ada', { signature }))).not.toBe('');
    await fresh.decide(as(again, 'ada', { signature: sign(fresh, again, 'ada') }));
    await fresh.handle.signal(controls.abort);
    await fresh.end();
  });
});

describe('breaking the glass', () => {
  const team = {
    approvers: { ...oncall('ada', 'ben', 'cleo'), dora: { roles: ['lead'] }, dan: { roles: ['lead'] } },
    approvals: { breakGlass: ['lead'] },
  };
  const pause = async (): Promise<void> => {
    await world.kubectl('rollout', 'pause', 'deployment/alecs-server');
  };

  test('is not possible where the profile lets nobody do it, and the run says so', async () => {
    profile({ approvers: oncall('ada', 'ben') });
    await pause();
    const { report } = await (await world.start({ ...input, requestedBy: 'cleo', breakGlass: 'fire' })).end();
    expect(report).toMatchObject({ outcome: 'failed' });
    expect(report.error).toContain('nobody may override this');
    expect(await world.liveImage()).toBe('sleeper:1');
  });

  test('is not done unless the run was started to do it', async () => {
    profile(team);
    await pause();
    const { report } = await (await world.start({ ...input, requestedBy: 'cleo' })).end();
    expect(report.error).toContain('guard paused');
  });

  test('needs someone whose role may, tells everyone, and stands first in the report', async () => {
    profile(team);
    await pause();
    const run = await world.start({ ...input, requestedBy: 'cleo', breakGlass: 'the site burns' });
    const gate = await run.gate();
    expect(gate.question).toMatch(/^BREAK-GLASS \(the site burns\): to approve overrides guard paused/);
    expect(gate.needs).toBe('1 approval of role lead');
    expect(await refusal(run, as(gate, 'ada'))).toContain(
      'none of the roles that are still needed: 1 approval of role lead',
    );
    await run.decide(as(gate, 'dora'));
    await run.handle.signal(controls.abort);
    const { report } = await run.end();
    expect(report.headline[0]).toMatch(/^BREAK-GLASS by dora \(the site burns\): overrode guard paused\. /);
    expect(report.breakGlass).toEqual({ by: ['dora'], reason: 'the site burns', guards: ['paused'] });
    await run.saveHistory('break-glass');
  });

  describe('over a workload that Flux owns', () => {
    const reconcile = 'kustomize.toolkit.fluxcd.io/reconcile';
    const annotations = async (): Promise<Record<string, string>> => {
      const object = await world.kubectl('get', 'deployment', 'alecs-server', '-o', 'json');
      return (JSON.parse(object) as { metadata: { annotations: Record<string, string> } }).metadata
        .annotations;
    };

    beforeEach(async () => {
      profile(team);
      await world.kubectl('label', 'deployment', 'alecs-server', 'kustomize.toolkit.fluxcd.io/name=web');
    });

    test('resumes Flux before it asks again about a plan that changed, since people may think for days', async () => {
      const run = await world.start({ ...input, requestedBy: 'cleo', breakGlass: 'the site burns' });
      const gate = await run.gate();
      await world.kubectl('set', 'env', 'deployment/alecs-server', 'BY_HAND=1');
      await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:3');
      await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=30s');
      await run.decide(as(gate, 'dora'));
      const again = await run.gate(gate);
      expect(again.question).toMatch(/The plan changed since it was approved/);
      expect(await annotations()).not.toHaveProperty([reconcile]);
      await run.decide(as(again, 'dora'));
      const unknown = await run.gate(again);
      expect(await annotations()).toMatchObject({ [reconcile]: 'disabled' });
      await run.decide(as(unknown, 'ada'));
      const { report } = await run.end();
      expect(report.outcome).toBe('succeeded');
      expect(report.undo.map(({ name, state }) => `${name}: ${state}`)).toEqual(['Resume the owner: done']);
      expect(report.headline[2]).toContain(`kubectl --namespace ${world.namespace} annotate`);
    });

    test('has resumed Flux when people say no to a plan that changed', async () => {
      const run = await world.start({ ...input, requestedBy: 'cleo', breakGlass: 'the site burns' });
      const gate = await run.gate();
      await world.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:3');
      await world.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=30s');
      await run.decide(as(gate, 'dora'));
      await run.decide(as(await run.gate(gate), 'ben', { decision: 'reject' }));
      const { report } = await run.end();
      expect(report).toMatchObject({ outcome: 'rejected', error: 'Rejected by ben' });
      expect(report.headline[2]).not.toContain('annotate');
      expect(await annotations()).not.toHaveProperty([reconcile]);
    });

    /** To the question about the health of pods that are not there. */
    async function upToTheProof(): Promise<{ run: TestRun; gate: Gate }> {
      const run = await world.start({ ...input, requestedBy: 'cleo', breakGlass: 'the site burns' });
      const gate = await run.gate();
      expect(gate.question).toContain('overrides guard gitOps');
      await run.decide(as(gate, 'dora'));
      const unknown = await run.gate(gate);
      expect(await annotations()).toMatchObject({ [reconcile]: 'disabled' });
      expect(await world.liveImage()).toBe('sleeper:2');
      return { run, gate: unknown };
    }

    test('pauses Flux for this object, and after success says how to resume it', async () => {
      const { run, gate } = await upToTheProof();
      await run.decide(as(gate, 'ada'));
      const { report } = await run.end();
      expect(report.outcome).toBe('succeeded');
      expect(report.headline[2]).toContain(`kubectl --namespace ${world.namespace} annotate`);
      expect(await annotations()).toMatchObject({ [reconcile]: 'disabled' });
      await run.saveHistory('owner-paused');
    });

    test('resumes Flux when the change is undone', async () => {
      const { run, gate } = await upToTheProof();
      await run.decide(as(gate, 'ada', { decision: 'reject' }));
      const { report } = await run.end();
      expect(report.outcome).toBe('undone');
      expect(report.undo.map(({ name, state }) => `${name}: ${state}`)).toEqual([
        'Put the former state back: done',
        'Resume the owner: done',
      ]);
      expect(report.headline[2]).not.toContain('annotate');
      expect(await annotations()).not.toHaveProperty([reconcile]);
      expect(await world.liveImage()).toBe('sleeper:1');
      await run.saveHistory('owner-resumed');
    });
  });
});
