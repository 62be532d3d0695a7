import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { executableOf, identityOf, isRunning, type ProcessIdentity } from '../../src/local/identity.ts';
import { createRecord, endRecordedProcesses, readRecord, runningSupervisor } from '../../src/local/record.ts';

let directory = '';
let child: ChildProcess;
let identity: ProcessIdentity;
let executable = '';
// A supervisor that is no more: that pid was never given out with such a start time.
const dead: ProcessIdentity = { pid: process.pid, startTime: 'never' };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'runbooks-record-'));
  child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const found = identityOf(child.pid ?? 0);
  if (found === undefined) throw new Error('the process did not start');
  identity = found;
  executable = executableOf(identity.pid) ?? '';
});

afterEach(() => {
  child.kill('SIGKILL');
  rmSync(directory, { recursive: true });
});

test('a process that is recorded with pid, start time and program is ended', async () => {
  createRecord(directory, dead).add({ ...identity, name: 'sleeper', executable });
  expect(await endRecordedProcesses(directory)).toEqual(['sleeper']);
  expect(isRunning(identity)).toBe(false);
});

test.each([
  ['a process that got the pid of a recorded one', () => ({ ...identity, startTime: '1', executable })],
  ['a recorded process that runs another program', () => ({ ...identity, executable: '/usr/bin/other' })],
])('%s is left alone', async (_, recorded) => {
  createRecord(directory, dead).add({ ...recorded(), name: 'foreign' });
  expect(await endRecordedProcesses(directory)).toEqual([]);
  expect(isRunning(identity)).toBe(true);
});

test('a supervisor counts as running only while exactly that process runs', () => {
  createRecord(directory, identity);
  expect(runningSupervisor(directory)).toEqual(identity);
  createRecord(directory, dead);
  expect(runningSupervisor(directory)).toBeUndefined();
});

test('the record is whole after every change, and nothing is left beside it', () => {
  const record = createRecord(directory, dead);
  record.setNodeIndex(3);
  record.add({ ...identity, name: 'sleeper', executable });
  expect(readRecord(directory)).toEqual({
    supervisor: dead,
    nodeIndex: 3,
    processes: [{ ...identity, name: 'sleeper', executable }],
  });
  expect(readdirSync(directory)).toEqual(['processes.json']);
});
