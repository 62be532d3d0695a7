import { expect, test } from '@jest/globals';
import { runHook } from '../../../../src/activities/backups/run-hook.ts';
import { KubernetesError } from '../../../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../../src/clients/kubernetes/gateway.ts';
import { messageOf } from '../../../../src/local/wait.ts';

const { signal } = new AbortController();
const hook = {
  name: 'quiesce',
  workload: 'db',
  container: 'db',
  command: ['pg_dmp'],
  timeoutSeconds: 5,
  onError: 'continue' as const,
};

/** A cluster with one ready pod, in which every command ends with that error. */
function clusterThatSays(error: KubernetesError): KubernetesGateway {
  const pod = {
    metadata: { name: 'db-0' },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  return {
    get: () => Promise.resolve({ spec: { selector: { matchLabels: { app: 'db' } } } }),
    list: () => Promise.resolve({ items: [pod] }),
    exec: () => Promise.reject(error),
  } as unknown as KubernetesGateway;
}

function run(details: { reason: string; status: number }): Promise<unknown> {
  const error = new KubernetesError({ operation: 'EXEC pods shop/db-0', retryable: true, ...details });
  return runHook(clusterThatSays(error), 'shop', hook, 'before', signal);
}

// Regression: the server answers 500, as to trouble of its own, and the hook was tried again for over an hour.
test('a program that does not exist is how the hook ended, and is not tried again', async () => {
  expect(await run({ reason: 'CommandNotRun', status: 500 })).toEqual({
    name: 'quiesce',
    when: 'before',
    ok: false,
    outcome: 'EXEC pods shop/db-0 failed: 500 CommandNotRun',
  });
});

test('an API server in trouble is tried again', async () => {
  const end = run({ reason: 'ServiceUnavailable', status: 503 });
  expect(await end.then(String, messageOf)).toBe('EXEC pods shop/db-0 failed: 503 ServiceUnavailable');
});
