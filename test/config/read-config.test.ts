import { expect, test } from '@jest/globals';
import { readConfig } from '../../src/config.ts';

/** The sentence that a faulty environment ends with. */
function fault(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('expected a fault, but the configuration was read');
}

test('an empty environment gives the defaults', () => {
  expect(readConfig({})).toEqual({
    targetsFolder: 'targets',
    taskQueue: 'runbooks',
    buildId: 'development',
    useWorkerVersioning: false,
  });
});

test('every variable is read', () => {
  expect(
    readConfig({
      RUNBOOK_TARGETS: '/profiles',
      RUNBOOK_DEFAULT_TARGET: 'shop',
      RUNBOOK_KUBECONFIG: '/kubeconfig',
      RUNBOOK_NOTIFIERS: '/notifiers',
      RUNBOOK_TASK_QUEUE: 'queue',
      RUNBOOK_METRICS_ADDRESS: '127.0.0.1:9464',
      RUNBOOK_BUILD_ID: '1.2.3-rc_1',
      RUNBOOK_WORKER_VERSIONING: 'on',
      RUNBOOK_STORAGE_BUCKET: 'evidence',
      RUNBOOK_STORAGE_ENDPOINT: 'http://127.0.0.1:9000',
      RUNBOOK_STORAGE_REGION: 'eu-central-1',
      RUNBOOK_STORAGE_PREFIX: 'shop/',
    }),
  ).toEqual({
    targetsFolder: '/profiles',
    defaultTarget: 'shop',
    kubeconfigPath: '/kubeconfig',
    notifiersFolder: '/notifiers',
    taskQueue: 'queue',
    metricsAddress: '127.0.0.1:9464',
    buildId: '1.2.3-rc_1',
    useWorkerVersioning: true,
    storage: {
      bucket: 'evidence',
      endpoint: 'http://127.0.0.1:9000',
      region: 'eu-central-1',
      prefix: 'shop/',
    },
  });
});

test('a bucket alone is enough for storage', () => {
  expect(readConfig({ RUNBOOK_STORAGE_BUCKET: 'evidence' }).storage).toEqual({
    bucket: 'evidence',
    region: 'us-east-1',
    prefix: '',
  });
});

test('an empty variable counts as not set', () => {
  expect(readConfig({ RUNBOOK_TARGETS: '', RUNBOOK_STORAGE_BUCKET: '' })).toEqual(readConfig({}));
});

test('variables of others are ignored, also those with odd names', () => {
  expect(readConfig({ PATH: '/bin', __proto__: 'x', constructor: 'x' })).toEqual(readConfig({}));
});

test('the configuration cannot be changed afterwards', () => {
  expect(Object.isFrozen(readConfig({}))).toBe(true);
});

test('every fault is named at once, by variable and without its value', () => {
  const canary = 'canary value!';
  const message = fault({
    RUNBOOK_TASK_QUEUE: canary.repeat(100),
    RUNBOOK_BUILD_ID: canary,
    RUNBOOK_WORKER_VERSIONING: canary,
    RUNBOOK_STORAGE_BUCKET: canary.repeat(10),
    RUNBOOK_STORAGE_ENDPOINT: `ftp://user:${canary}@host`,
    RUNBOOK_STORAGE_PREFIX: canary,
  });
  expect(message).toMatch(/^The configuration has 6 faults:/);
  for (const name of [
    'TASK_QUEUE',
    'BUILD_ID',
    'WORKER_VERSIONING',
    'STORAGE_BUCKET',
    'STORAGE_ENDPOINT',
    'STORAGE_PREFIX',
  ])
    expect(message).toContain(`  RUNBOOK_${name}: `);
  expect(message).not.toContain('canary');
  expect(message).not.toContain('ftp');
});

test('one fault is one fault, and says what is expected', () => {
  expect(fault({ RUNBOOK_WORKER_VERSIONING: 'yes' })).toBe(
    'The configuration has 1 fault:\n  RUNBOOK_WORKER_VERSIONING: must be one of on, off',
  );
});

test('storage settings without a bucket are a fault: reports would silently not be stored', () => {
  expect(fault({ RUNBOOK_STORAGE_ENDPOINT: 'http://127.0.0.1:9000' })).toBe(
    'The configuration has 1 fault:\n  RUNBOOK_STORAGE_BUCKET: is missing, although RUNBOOK_STORAGE_ENDPOINT is set',
  );
});

test.each(['127.0.0.1:9464', '0.0.0.0:1', '[::]:65535', '[::1]:9464'])(
  'metrics can be served at %s',
  (address) => {
    expect(readConfig({ RUNBOOK_METRICS_ADDRESS: address }).metricsAddress).toBe(address);
  },
);

test.each(['localhost:9464', '0.0.0.0', ':9464', '0.0.0.0:0', '0.0.0.0:65536', '256.0.0.1:9464', '::1:9464'])(
  'metrics cannot be served at %s: the server takes an IP address and a port',
  (address) => {
    expect(() => readConfig({ RUNBOOK_METRICS_ADDRESS: address })).toThrow(
      'RUNBOOK_METRICS_ADDRESS: must be an IP address and a port, such as 0.0.0.0:9464',
    );
  },
);

test('metrics are served nowhere unless an address is set', () => {
  expect(readConfig({})).not.toHaveProperty('metricsAddress');
});
