import { describe, expect, test } from '@jest/globals';
import { waitFor } from '../../src/local/wait.ts';
import { tracesOf, type Traces } from '../local/traces.ts';
import { startRunbook, type Running } from '../support/command.ts';
import { onRealNode } from '../support/stack.ts';

const whenReal = onRealNode ? test : test.skip;

/** The demo's stack once it stands, by the folder that it prints. */
async function stackOf(demo: Running): Promise<Traces> {
  const directory = await waitFor(
    () => Promise.resolve(/kubeconfig\s+(\S+)\/kubeconfig$/m.exec(demo.printed())?.[1]),
    { what: 'the stack of the demo', timeoutMilliseconds: 90_000 },
  );
  const traces = tracesOf(directory);
  expect(traces.left()).not.toEqual([]);
  return traces;
}

async function playsBothRuns(line: string[]): Promise<string> {
  const demo = startRunbook(['demo', '--yes', ...line]);
  const traces = await stackOf(demo);
  const { code, out } = await demo.ended;
  const last = /^demo: 2 runs as expected in \d+ s$/;
  expect(out.trimEnd().split('\n').at(-1)).toMatch(last);
  expect(demo.printed().trimEnd().split('\n').at(-1)).toMatch(last);
  expect(code).toBe(0);
  expect(traces.left()).toEqual([]);
  expect(out).toMatch(/^succeeded: Rolled out/m);
  expect(out).toMatch(/^undone: The change failed and was undone\. NotReady: /m);
  return out;
}

/** What a person needs who wants to do it by hand. */
function expectDirections(out: string): void {
  expect(out).toMatch(/Open the Temporal UI: http:\/\/127\.0\.0\.1:\d+\n/);
  expect(out).toMatch(/More Actions → Send an Update, choose "decide"/);
  expect(out).toMatch(/update decide: \{"decision":"approve","gate":"gate-1","planHash":"[0-9a-f]{64}"/);
  expect(out).toMatch(/signal approve: \{"gate":"gate-1","planHash":"[0-9a-f]{64}"/);
}

describe('the demo', () => {
  whenReal('on a real node proves a good release, has a bad one undone, and leaves nothing', async () => {
    const out = await playsBothRuns([]);
    expectDirections(out);
    expect(out).not.toMatch(/simulated/);
    expect(out.match(/^The service is healthy now/gm)).toHaveLength(2);
  });

  test('on a simulated node says so, and accepts aloud what cannot be proven there', async () => {
    const out = await playsBothRuns(['--node', 'simulated']);
    expectDirections(out);
    expect(out).toMatch(/The node is \*simulated\*/);
    expect(out).toMatch(/^ {2}simulated: no process can answer for the health of these pods; accepting/m);
    expect(out.match(/^Whether the service is healthy now is unknown/gm)).toHaveLength(2);
  });

  test('waits at its gate without --yes, and Ctrl-C leaves nothing', async () => {
    const demo = startRunbook(['demo', '--node', 'simulated']);
    const traces = await stackOf(demo);
    await waitFor(() => Promise.resolve(/or signal approve: \{/.test(demo.printed()) || undefined), {
      what: 'the gate of the first run',
      timeoutMilliseconds: 60_000,
    });
    demo.interrupt();
    const { code, out } = await demo.ended;
    expect(code).not.toBe(0);
    expect(out).not.toMatch(/^demo:/m);
    expect(demo.printed()).toMatch(/stopped by SIGINT/);
    expect(traces.left()).toEqual([]);
  });

  test('Ctrl-C while the service is being deployed leaves nothing', async () => {
    const demo = startRunbook(['demo', '--node', 'simulated']);
    const traces = await stackOf(demo);
    demo.interrupt();
    expect((await demo.ended).code).not.toBe(0);
    expect(traces.left()).toEqual([]);
  });
});
