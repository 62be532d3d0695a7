import { expect, test } from '@jest/globals';
import { defaultPayloadConverter } from '@temporalio/common';
import { saysOf, type PendingActivity } from '../../../src/cli/pending-work.ts';

function pending(change: PendingActivity, details?: unknown): PendingActivity {
  const payloads = details === undefined ? [] : [defaultPayloadConverter.toPayload(details)];
  return { activityType: { name: 'awaitGroup' }, attempt: 1, heartbeatDetails: { payloads }, ...change };
}

test.each([
  ['that says nothing', pending({}), []],
  ['that says what it waits for', pending({}, 'waits for: db-0'), [['awaitGroup', 'waits for: db-0']]],
  ['whose heartbeat is for its next attempt only', pending({}, { done: 7 }), []],
  ['of which nothing is known', {}, []],
  [
    'that failed before',
    pending({ attempt: 66, lastFailure: { message: 'EXEC pods shop/db-0 failed: 500' } }),
    [['awaitGroup', 'attempt 66, after: EXEC pods shop/db-0 failed: 500']],
  ],
  [
    'that failed before and says something',
    pending({ attempt: 2, lastFailure: { message: 'no answer' } }, '3 of 9'),
    [['awaitGroup', '3 of 9; attempt 2, after: no answer']],
  ],
  [
    'that failed with hostile text',
    pending({ attempt: 2, lastFailure: { message: `a\nb\u202e${'x'.repeat(1000)}` } }),
    [['awaitGroup', expect.stringMatching(/^attempt 2, after: a b x{270,280}…$/)]],
  ],
])('an activity %s', (_case, activity, expected) => {
  expect(saysOf(activity)).toEqual(expected);
});
