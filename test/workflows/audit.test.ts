import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { controls } from '../../src/contracts/run.ts';
import { compareWithCheckpoint, verifyChain } from '../../src/domain/audit.ts';
import { waitFor } from '../../src/local/wait.ts';
import { readAuditLog } from '../support/audit-log.ts';
import { createSleeper, sleeperProfile } from '../support/sleeper.ts';
import { decisionFor, World } from '../support/world.ts';

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

/** The log as an auditor reads it, once its chain holds. */
async function told(workflowId: string): Promise<string[]> {
  const entries = await readAuditLog('alecs', world.queue);
  expect(verifyChain('alecs', entries).findings).toEqual([]);
  return entries.flatMap(({ entry }) =>
    entry?.run.workflowId === workflowId
      ? [`${entry.kind}${entry.who === undefined ? '' : ` (${entry.who})`}: ${entry.sentence}`]
      : [],
  );
}

test('the audit log tells a run from its gate to its outcome, and the report holds its state', async () => {
  const run = await world.start({ image: 'sleeper:2' });
  const unknown = await run.gate(await run.approve());
  await run.decide(decisionFor(unknown, 'reject'));
  const { report } = await run.end();
  expect(report.outcome).toBe('undone');
  expect(await told(run.handle.workflowId)).toEqual([
    expect.stringMatching(/^gate: gate-1 opened at "Approve the change": Roll out these images\?/),
    'decision (Test Person): approve of gate-1, by update',
    expect.stringMatching(/^lock: takes the lock: /),
    'change: begins "Change the image" under the lock',
    expect.stringMatching(/^gate: gate-2 opened at "Verify health": The proof could not be obtained/),
    'decision (Test Person): reject of gate-2, by update',
    expect.stringMatching(/^undo: Put the former state back: done: /),
    expect.stringMatching(/^outcome: undone: The change failed and was undone/),
  ]);
  const { audit } = report;
  if (audit === undefined || !('checkpoint' in audit)) throw new Error('the report has no checkpoint');
  const chain = verifyChain('alecs', await readAuditLog('alecs', world.queue));
  expect(compareWithCheckpoint(chain, audit.checkpoint)).toMatchObject({ verdict: 'ok' });
  expect(chain.newest).toMatchObject({ sequence: audit.checkpoint.sequence, head: audit.checkpoint.head });
});

test('the audit log tells who sent a control, and why a guard ended a run', async () => {
  const aborted = await world.start({ image: 'sleeper:2' });
  await aborted.gate();
  await aborted.handle.signal(controls.abort, { by: 'Ada' });
  await aborted.end();
  expect(await told(aborted.handle.workflowId)).toContainEqual(
    expect.stringMatching(/^control \(Ada\): abort at .+: the run ends and undoes what it changed$/),
  );
  await world.kubectl('rollout', 'pause', 'deployment/alecs-server');
  const stopped = await world.start({ image: 'sleeper:2' });
  await stopped.end();
  expect(await told(stopped.handle.workflowId)).toContainEqual(
    expect.stringMatching(/^guard: guard paused: /),
  );
});

test('somebody who is not who they say stands in the audit log, without a name that is proven', async () => {
  const approver = (digit: string): unknown => ({
    roles: ['oncall'],
    fingerprint: digit.repeat(40),
    publicKey: `keys/${digit}.asc`,
  });
  world.writeProfile('alecs', {
    ...sleeperProfile(world.namespace),
    approvers: { ada: approver('A'), ben: approver('B') },
    approvals: { identity: 'signed' },
  });
  const run = await world.start({ image: 'sleeper:2', requestedBy: 'cleo' });
  const gate = await run.gate();
  const forged = { ...decisionFor(gate), approver: 'ada', reason: 'please', signature: 'bm8=' };
  await expect(run.decide(forged)).rejects.toThrow();
  await run.handle.signal(controls.abort);
  await run.end();
  expect(await told(run.handle.workflowId)).toContainEqual(
    expect.stringMatching(/^decision: refused, in the name of ada: approve of gate-1, by update: /),
  );
});

test('nothing is lost and nothing told twice when a run continues as a new one', async () => {
  const run = await world.start({ image: 'sleeper:2' });
  const gate = await run.gate();
  for (let count = 0; count < 520; count++) await run.handle.signal('junk', count);
  await waitFor(async () => ((await run.describe()).waitingFor?.runId === gate.runId ? undefined : true), {
    what: 'the next run of the chain',
    timeoutMilliseconds: 60_000,
  });
  await run.decide(decisionFor(await run.gate(), 'reject'));
  await run.end();
  const lines = await told(run.handle.workflowId);
  // Each of the two asked; people see that it is the same gate.
  expect(lines.map((line) => line.slice(0, line.indexOf(':')))).toEqual([
    'gate',
    'gate',
    'decision (Test Person)',
    'outcome',
  ]);
});
