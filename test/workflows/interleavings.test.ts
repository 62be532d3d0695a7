import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { controls, type Outcome, type RunDescription, type RunReport } from '../../src/contracts/run.ts';
import { runCommand } from '../../src/local/command.ts';
import { waitFor } from '../../src/local/wait.ts';
import { seeded } from '../support/builders.ts';
import { Sleeper } from '../support/sleepers.ts';
import { stack } from '../support/stack.ts';
import { decisionFor, World, type TestRun } from '../support/world.ts';

/** Each seed is one course of events; one that failed once stays here for ever. */
const seeds = Array.from({ length: 40 }, (_, index) => index + 1);
const atOnce = 5;

let world: World;
let histories: string;
beforeAll(async () => {
  world = await World.create({ namespace: true });
  histories = mkdtempSync(join(tmpdir(), 'runbook-histories-'));
});
afterAll(async () => {
  rmSync(histories, { recursive: true, force: true });
  await world.close();
});

/** Something that happens to a run; what it says stands in the trace of a seed that failed. */
type Happening = [name: string, act: (course: Course) => Promise<unknown>];

interface Course {
  run: TestRun;
  sleeper: Sleeper;
  seen: RunDescription;
  random: () => number;
}

function decide(
  course: Course,
  decision: 'approve' | 'reject',
  right: boolean,
  signal: boolean,
): Promise<unknown> {
  const { waitingFor } = course.seen;
  if (waitingFor === undefined && signal) return course.run.handle.signal(decision, { early: true });
  if (waitingFor === undefined) return Promise.resolve();
  const { decision: implied, ...body } = decisionFor(waitingFor, decision);
  if (!right) body.planHash = 'f'.repeat(64);
  return signal ? course.run.handle.signal(implied, body) : course.run.decide({ decision, ...body });
}

const happenings: Happening[] = [
  ['approve', (course) => decide(course, 'approve', true, false)],
  ['approve', (course) => decide(course, 'approve', true, false)],
  ['approve by signal', (course) => decide(course, 'approve', true, true)],
  ['approve by signal', (course) => decide(course, 'approve', true, true)],
  ['approve another plan', (course) => decide(course, 'approve', false, false)],
  ['approve another plan by signal', (course) => decide(course, 'approve', false, true)],
  ['reject', (course) => decide(course, 'reject', true, false)],
  ['reject by signal', (course) => decide(course, 'reject', true, true)],
  ['pause', ({ run }) => run.handle.signal(controls.pause, { by: 'Test Person' })],
  ['pause', ({ run }) => run.handle.signal(controls.pause)],
  ['resume', ({ run }) => run.handle.signal(controls.resume)],
  ['resume', ({ run }) => run.handle.signal(controls.resume, 'x')],
  ['abort', ({ run }) => run.handle.signal(controls.abort)],
  ['cancel', ({ run }) => run.handle.cancel()],
  ['junk', ({ run }) => run.handle.signal('nobodyKnowsThis', { deep: [null] })],
  ['junk to approve', ({ run }) => run.handle.signal(controls.approve, [7])],
  ['a write of someone else', ({ sleeper, random }) => sleeper.setEnvironment(`BY_HAND=${random()}`)],
  ['freeze', ({ sleeper }) => sleeper.freeze()],
  ['unfreeze', ({ sleeper }) => sleeper.unfreeze()],
];

/** What counts as another moment: the step, its state, the gate, a pause. */
function momentOf({ steps, waitingFor, paused, outcome }: RunDescription): string {
  const last = steps.at(-1);
  return JSON.stringify([steps.length, last?.state, waitingFor?.id, paused !== undefined, outcome]);
}

/** Happens up to eight times, at the next moment that the run shows or at the same one; then leads the run to its end. */
async function take(
  seed: number,
  trace: string[],
): Promise<{ run: TestRun; sleeper: Sleeper; report: RunReport }> {
  const random = seeded(seed);
  const sleeper = await Sleeper.create(world, { profile: { lock: { pauseSeconds: 20 } } });
  const run = await sleeper.start();
  for (let count = 1 + Math.floor(random() * 8); count > 0; count--) {
    const seen = await run.describe();
    if (seen.outcome !== undefined) break;
    const [name, act] = happenings[Math.floor(random() * happenings.length)] ?? [
      'nothing',
      () => Promise.resolve(),
    ];
    trace.push(`${name} at ${seen.steps.at(-1)?.name ?? 'start'}`);
    // A refused decision, or a message after the end: what matters is how the run ends.
    await act({ run, sleeper, seen, random }).catch((error: unknown) => trace.push(String(error)));
    const wait = random();
    if (wait < 0.3) continue;
    const before = momentOf(seen);
    // A run that waits for a person shows no other moment.
    await waitFor(
      async () => {
        const now = await run.describe();
        const rests =
          now.waitingFor !== undefined || now.paused !== undefined || now.steps.at(-1)?.state === 'waiting';
        return rests || momentOf(now) !== before ? true : undefined;
      },
      { what: 'another moment', timeoutMilliseconds: 20_000, everyMilliseconds: 20 },
    );
  }
  await leadToEnd(run, sleeper, random() < 0.7 ? 'approve' : 'reject', trace);
  return { run, sleeper, report: (await run.end()).report };
}

async function leadToEnd(
  run: TestRun,
  sleeper: Sleeper,
  decision: 'approve' | 'reject',
  trace: string[],
): Promise<void> {
  await sleeper.unfreeze();
  await waitFor(
    async () => {
      if ((await run.handle.describe()).status.name !== 'RUNNING') return true;
      const { paused, waitingFor } = await run.describe();
      if (paused !== undefined) await run.handle.signal(controls.resume);
      if (waitingFor === undefined) return undefined;
      trace.push(`led: ${decision} ${waitingFor.id}`);
      await run.decide(decisionFor(waitingFor, decision));
      return undefined;
    },
    { what: 'the end of the run', timeoutMilliseconds: 45_000 },
  );
}

/** What the cluster holds after a run that ended so. */
const after: Record<Outcome, { image: string; written: boolean } | undefined> = {
  succeeded: { image: 'sleeper:2', written: true },
  undone: { image: 'sleeper:1', written: true },
  aborted: { image: 'sleeper:1', written: false },
  rejected: { image: 'sleeper:1', written: false },
  timedOut: { image: 'sleeper:1', written: false },
  failed: { image: 'sleeper:1', written: false },
  planned: undefined,
  undoFailed: undefined,
};

async function check(seed: number): Promise<string | undefined> {
  const trace: string[] = [];
  try {
    const { run, sleeper, report } = await take(seed, trace);
    trace.push(`ended ${report.outcome}: ${report.error ?? ''}`);
    const marker = await sleeper.marker();
    expect({
      image: await sleeper.image(),
      written: marker.startsWith(run.handle.workflowId),
      lock: await sleeper.lock(),
      failedTasks: await run.failedTasks(),
    }).toEqual({ ...after[report.outcome], lock: {}, failedTasks: 0 });
    await keepHistory(run, seed);
    return undefined;
  } catch (error) {
    return `seed ${seed}: ${trace.join(' | ')}\n${error instanceof Error ? error.message : String(error)}`;
  }
}

async function keepHistory(run: TestRun, seed: number): Promise<void> {
  const { temporalAddress, kubectl } = stack();
  const line = ['workflow', 'show', '--workflow-id', run.handle.workflowId, '--output', 'json'];
  const program = join(dirname(kubectl), 'temporal');
  writeFileSync(
    join(histories, `seed-${seed}.json`),
    await runCommand(program, [...line, '--address', temporalAddress]),
  );
}

test('whatever happens to a run and whenever, it ends, the cluster is as its report says, and its lock is free', async () => {
  const faults: string[] = [];
  const left = [...seeds];
  const worker = async (): Promise<void> => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
      const fault = await check(seed);
      if (fault !== undefined) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  expect(faults).toEqual([]);
}, 300_000);

test('every such history replays', () => {
  const script = join(import.meta.dirname, '..', '..', 'scripts', 'replay.ts');
  const { stdout, status } = spawnSync(process.execPath, [script, histories], { encoding: 'utf8' });
  expect(stdout.split('\n').filter((line) => line.includes('"error"'))).toEqual([]);
  expect(stdout.split('\n').filter((line) => line.startsWith('{'))).toHaveLength(seeds.length);
  expect(status).toBe(0);
}, 120_000);
