import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { runCommand } from '../../src/local/command.ts';
import { runningStack } from '../../src/local/status.ts';
import { runbook } from '../support/command.ts';
import { unique } from '../support/stack.ts';

// Nothing listens on port 1.
const nowhere = { TEMPORAL_ADDRESS: '127.0.0.1:1' };

describe('the command line alone', () => {
  test('lists procedures as pure JSON and for people', async () => {
    const [json, text] = await Promise.all([
      runbook(['list', '--json'], nowhere),
      runbook(['list'], nowhere),
    ]);
    const shown = JSON.parse(json.out) as { name: string; workflowType: string }[];
    expect(Object.fromEntries(shown.map(({ name, workflowType }) => [name, workflowType]))).toEqual({
      'rolling-update': 'rollingUpdate',
      rollback: 'rollback',
      'restart-workload': 'restartWorkload',
      backup: 'backup',
      'verify-backup': 'verifyBackup',
      recover: 'recover',
      'drill-disaster-recovery': 'drillDisasterRecovery',
      'prune-backups': 'pruneBackups',
    });
    expect(json).toMatchObject({ code: 0 });
    expect(text.out).toMatch(/^rolling-update\b.*\n.*\n.*docs\/runbooks\/rolling-update\.md/);
  });

  test('works as npx runbook on a clone', async () => {
    const out = await runCommand('npx', ['--no-install', 'runbook', 'list'], {
      directory: join(import.meta.dirname, '../..'),
    });
    expect(out).toMatch(/rolling-update/);
  });

  test('explains itself', async () => {
    const [all, one] = await Promise.all([runbook(['--help']), runbook(['start', '--help'])]);
    expect(all).toMatchObject({ code: 0 });
    expect(all.out).toMatch(/\bdemo\b[^]*\bapprove\b/);
    expect(one.out).toMatch(/--input <json>/);
  });

  test.each([
    [['start', 'rolling-updat'], 'there is no procedure "rolling-updat"; known: rolling-update'],
    [['start', 'rolling-update', '--input', '{'], '--input is not JSON; an input that works: \'{"image":'],
    [['start', 'rolling-update', '--input', '[1]'], '--input must be one JSON object, for example'],
    [['start', 'rolling-update', '--input', '@/no/such/file'], 'a file that cannot be read'],
    [['start', 'rolling-update', '--set', 'image'], '--set takes key=value, not "image"'],
    [['start'], "missing required argument 'procedure'"],
    [['sart'], "unknown command 'sart'"],
    [['up', '--node', 'wooden'], 'Allowed choices are real, simulated'],
  ])('%j is refused as bad usage before anything is asked', async (line, sentence) => {
    const { code, out, err } = await runbook(line, nowhere);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(sentence);
    expect(err).not.toMatch(/\n\s+at /);
  });

  test('says which Temporal does not answer, within seconds', async () => {
    const before = Date.now();
    const { code, err } = await runbook(['show', 'any'], nowhere);
    expect(code).toBe(1);
    expect(err).toMatch(/^runbook: Temporal does not answer at 127\.0\.0\.1:1\. Set TEMPORAL_ADDRESS/);
    expect(Date.now() - before).toBeLessThan(20_000);
  });

  test('starts a stack in the background, prints its endpoints, and stops it', async () => {
    const name = unique('cli');
    const up = await runbook(['up', '--detach', '--json', '--node', 'simulated', '--name', name]);
    try {
      expect(up).toMatchObject({ code: 0 });
      const endpoints = JSON.parse(up.out) as { temporalUi: string; kubeconfig: string; node: string };
      expect(endpoints.node).toBe('simulated');
      expect((await fetch(endpoints.temporalUi)).status).toBe(200);
      expect(runningStack(name)).toMatchObject({ kubeconfig: endpoints.kubeconfig });
    } finally {
      const down = await runbook(['down', '--name', name, '--json']);
      expect(JSON.parse(down.out)).toMatchObject({ result: 'stopped' });
    }
    expect(runningStack(name)).toBeUndefined();
    const again = await runbook(['down', '--name', name]);
    expect(again.code).toBe(0);
    // What else runs here, such as the stack of these tests, is listed after it.
    expect(again.out).toMatch(/^no such stack runs(;|$)/m);
    expect(again.out).not.toContain(name);
  });
});
