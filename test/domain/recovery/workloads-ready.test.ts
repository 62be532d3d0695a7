import { expect, test } from '@jest/globals';
import { whyNotReady } from '../../../src/domain/recovery/workloads-ready.ts';

const pod = (containerStatuses: unknown[], conditions: unknown[] = []): never =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1' },
    status: { containerStatuses, conditions },
  }) as never;

test.each([
  [[{ name: 'web', ready: true, state: { running: {} } }], undefined],
  [[{ name: 'web', ready: false, state: { running: {} } }], 'pod web-1: container web runs and is not ready'],
  [
    [{ name: 'web', ready: false, state: { waiting: { reason: 'ImagePullBackOff' } } }],
    'pod web-1: container web waits: ImagePullBackOff',
  ],
  [[{ name: 'web', ready: false, state: { waiting: { reason: 'rm -rf /' } } }], undefined],
  [[], undefined],
])('what holds up a pod with %j', (statuses, sentence) => {
  expect(whyNotReady(pod(statuses))).toBe(sentence);
});

test('a pod that no node takes', () => {
  expect(whyNotReady(pod([], [{ type: 'PodScheduled', status: 'False' }]))).toBe(
    'pod web-1: no node takes it',
  );
});
