import { describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/common';
import type { LogEntry } from '@temporalio/worker';
import { logLine } from '../../../src/worker-log.ts';

const at = { timestampNanos: 1_795_834_800_123_456_789n, level: 'WARN' as const };

function lineOf(entry: Pick<LogEntry, 'message' | 'meta'>): string {
  return logLine({ ...at, ...entry });
}

describe('a line of the log of a worker', () => {
  test('tells time, level, message, and what it is about; what every line would repeat is left out', () => {
    const meta = {
      namespace: 'default',
      taskQueue: 'runbooks',
      activityType: 'takeLock',
      attempt: 2,
      since: 3n,
    };
    expect(lineOf({ message: 'Activity failed', meta })).toBe(
      '2026-11-28T03:00:00.123Z WARN Activity failed activityType=takeLock attempt=2 since=3n',
    );
  });

  test('of a refusal it is one line, with its type and without a stack', () => {
    const error = ApplicationFailure.nonRetryable('run "x" holds the lock', 'LockHeld');
    expect(lineOf({ message: 'Activity failed', meta: { error } })).toBe(
      '2026-11-28T03:00:00.123Z WARN Activity failed error="LockHeld: run \\"x\\" holds the lock"',
    );
  });

  test('of an error that nobody foresaw it is followed by the stack', () => {
    const error = new TypeError('x is undefined');
    const [first, ...stack] = lineOf({ message: 'Activity failed', meta: { error } }).split('\n');
    expect(first).toBe('2026-11-28T03:00:00.123Z WARN Activity failed error="TypeError: x is undefined"');
    expect(stack.join('\n')).toContain('worker-log.test.ts');
  });

  test('text from elsewhere stays one line', () => {
    const meta = { workflowId: 'a\nERROR forged', note: 'b\u202ec', long: 'x'.repeat(5000) };
    const line = lineOf({ message: 'one\ntwo', meta });
    expect(line.split('\n')).toHaveLength(1);
    expect(line).toContain('one two workflowId="a ERROR forged" note="b c"');
    expect(line.length).toBeLessThan(2300);
  });
});
