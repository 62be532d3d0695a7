import { describe, expect, test } from '@jest/globals';
import Ajv2020 from 'ajv/dist/2020.js';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { targetProfileSchema } from '../../src/contracts/target.ts';

const root = new URL('../../', import.meta.url);
const read = async (path: string): Promise<string> => await readFile(new URL(path, root), 'utf8');

const schema = JSON.parse(await read('schemas/target.schema.json')) as object;
const validate = new Ajv2020.default({
  allErrors: true,
  strict: true,
  strictRequired: false,
  strictTypes: false,
  formats: { uri: true },
}).compile(schema);
const alecs = parse(await read('targets/alecs.yaml')) as Record<string, unknown>;

test('the JSON Schema is what the code says; if not, run node scripts/write-schemas.ts', async () => {
  const script = new URL('scripts/write-schemas.ts', root).pathname;
  const { stderr } = await promisify(execFile)(process.execPath, [script, '--check']);
  expect(stderr).toBe('');
});

describe('an editor judges a profile as the worker does', () => {
  const health = { via: 'port-forward', path: '/health', port: 8080 };

  test.each<[string, unknown]>([
    ['the shipped profile', alecs],
    [
      'one without what has a default',
      { ...alecs, rollout: {}, proof: undefined, gate: undefined, gitOps: undefined },
    ],
    ['one by exec', { ...alecs, health: { via: 'exec', path: '/health', command: ['/bin/health'] } }],
    ['one by URL', { ...alecs, health: { via: 'url', path: '/health', url: 'https://shop.example' } }],
  ])('%s is right', (_case, profile) => {
    const plain: unknown = JSON.parse(JSON.stringify(profile));
    expect(validate(plain) ? [] : validate.errors).toEqual([]);
    expect(targetProfileSchema.safeParse(plain).success).toBe(true);
  });

  test.each<[string, unknown]>([
    ['nothing', null],
    ['no health', { ...alecs, health: undefined }],
    ['an unknown field', { ...alecs, healt: health }],
    ['an unknown field inside', { ...alecs, health: { ...health, paht: '/x' } }],
    [
      'a kind that no procedure changes',
      { ...alecs, workloads: { 'alecs-server': { kind: 'Job', container: 'a' } } },
    ],
    ['a schedule without its time', { ...alecs, schedules: { nightly: { procedure: 'rollback' } } }],
    [
      'a schedule with two kinds of times',
      { ...alecs, schedules: { nightly: { procedure: 'rollback', cron: '0 3 * * *', everySeconds: 60 } } },
    ],
    [
      'a schedule that names its target',
      {
        ...alecs,
        schedules: { nightly: { procedure: 'rollback', cron: '0 3 * * *', input: { target: 'x' } } },
      },
    ],
    ['a number as text', { ...alecs, health: { ...health, port: '8080' } }],
    ['a name in capitals', { ...alecs, target: 'Alecs' }],
    ['a workload name in capitals', { ...alecs, workloads: { Web: { kind: 'Deployment', container: 'a' } } }],
    ['a time below its least', { ...alecs, proof: { intervalSeconds: 0 } }],
    ['port-forward without a port', { ...alecs, health: { via: 'port-forward', path: '/health' } }],
    ['pod-address without a port', { ...alecs, health: { via: 'pod-address', path: '/health' } }],
    [
      'a workload whose own probe lacks its port',
      {
        ...alecs,
        workloads: {
          'alecs-server': {
            kind: 'Deployment',
            container: 'alecs',
            health: { via: 'port-forward', path: '/health' },
          },
        },
      },
    ],
    ['exec without a command', { ...alecs, health: { via: 'exec', path: '/health' } }],
    ['url without a URL', { ...alecs, health: { via: 'url', path: '/health' } }],
  ])('%s is not', (_case, profile) => {
    const plain: unknown = JSON.parse(JSON.stringify(profile));
    expect(validate(plain)).toBe(false);
    expect(targetProfileSchema.safeParse(plain).success).toBe(false);
  });
});
