import {
  CreateBucketCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { checkLocations } from '../../src/cli/doctor/storage.ts';
import { createS3Client } from '../../src/clients/object-storage.ts';
import { readConfig } from '../../src/config.ts';
import { targetProfileSchema } from '../../src/contracts/target.ts';
import { refuse, startScriptedStore, type ScriptedStore } from '../clients/support/scripted-store.ts';
import { runbook } from '../support/command.ts';
import { stack, unique } from '../support/stack.ts';
import { demoProfile } from '../support/world.ts';
import { kubeconfigFor } from './support/servers.ts';

const { endpoint, region, bucket: lockBucket } = stack().s3;
const s3 = createS3Client({ endpoint, region });
const plainBucket = unique('plain');
const versionedBucket = unique('versioned');
const keys = { signing: ['keys/a.asc'], online: 'keys/b.asc', escrow: 'keys/c.asc' };

beforeAll(async () => {
  for (const Bucket of [plainBucket, versionedBucket]) await s3.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket: versionedBucket, VersioningConfiguration }));
});

afterAll(() => {
  s3.destroy();
});

function profileWith(locations: Record<string, unknown>[] | undefined): unknown {
  const backup = locations === undefined ? {} : { backup: { keys, locations } };
  return { ...demoProfile('none'), ...backup };
}

/** What doctor says of one location, by the end of the check's name. */
async function look(
  location: Record<string, unknown>,
  config: Record<string, string> = {},
): Promise<Map<string, Finding>> {
  const place = {
    name: 'near',
    bucket: plainBucket,
    endpoint,
    region,
    prefix: unique('prefix'),
    ...location,
  };
  const profile = targetProfileSchema.parse(profileWith([place]));
  const { findings } = await checkLocations(readConfig(config), profile);
  const begin = 'target alecs, location near, ';
  expect(findings.filter(({ check }) => !check.startsWith(begin))).toEqual([]);
  return new Map(findings.map((finding) => [finding.check.slice(begin.length), finding]));
}

const states = (found: Map<string, Finding>): Record<string, string> =>
  Object.fromEntries([...found].map(([check, { state }]) => [check, state]));

const good = {
  bucket: 'pass',
  objects: 'pass',
  'write once': 'pass',
  'write once in pieces': 'pass',
  listing: 'pass',
  versioning: 'pass',
  'Object Lock': 'pass',
};

describe('a location that does everything passes every check, and nothing stays in it', () => {
  test.each([
    ['a plain bucket', () => plainBucket, /^off/, /^not configured, so backups can be deleted/],
    ['a bucket with versions', () => versionedBucket, /^on/, /^not configured/],
    ['a bucket with locks', () => lockBucket, /^on/, /^configured/],
  ])('%s', async (_name, bucket, versioning, lock) => {
    const prefix = unique('prefix');
    const found = await look({ bucket: bucket(), prefix });
    expect(states(found)).toEqual(good);
    expect(found.get('versioning')?.found).toMatch(versioning);
    expect(found.get('Object Lock')?.found).toMatch(lock);
    const { Versions, DeleteMarkers } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: bucket(), Prefix: prefix }),
    );
    expect([Versions ?? [], DeleteMarkers ?? []]).toEqual([[], []]);
  });
});

test('a retention in the profile needs a bucket with locks; the probe itself carries none', async () => {
  const objectLock = { mode: 'COMPLIANCE', days: 1 };
  const without = await look({ objectLock });
  expect(without.get('Object Lock')).toMatchObject({
    state: 'fail',
    mend: expect.stringContaining('Object Lock'),
  });
  expect(states(await look({ objectLock, bucket: lockBucket }))).toEqual(good);
});

test('a location that is told nothing before it overwrites is never fine', async () => {
  const found = await look({ writeOnce: 'none' });
  expect(found.get('write once')).toMatchObject({
    state: 'unknown',
    found: expect.stringContaining('writeOnce: none'),
  });
  expect(found.has('write once in pieces')).toBe(false);
});

describe('a bucket that cannot be used says why, and how to mend it', () => {
  test('because it is not there', async () => {
    const found = await look({ bucket: 'no-such-bucket' });
    expect(states(found)).toEqual({ bucket: 'fail' });
    expect(found.get('bucket')?.mend).toMatch(
      /^Correct bucket of location near in the profile, or make it: aws s3api create-bucket --bucket no-such-bucket --endpoint-url http/,
    );
  });

  test('because nothing answers there', async () => {
    const found = await look({ endpoint: 'http://127.0.0.1:1' });
    expect(found.get('bucket')).toMatchObject({
      state: 'fail',
      mend: 'Start the store, or correct endpoint of location near in the profile.',
    });
  });

  test('because there are no credentials of that name', async () => {
    const found = await look({ credentials: 'no-such-profile' });
    expect(found.get('bucket')?.mend).toMatch(/^Set profile no-such-profile of the AWS credentials file/);
  });
});

describe('a store that', () => {
  let store: ScriptedStore;
  beforeEach(async () => {
    store = await startScriptedStore();
  });
  afterEach(async () => {
    await store.close();
  });

  const lookThere = (location: Record<string, unknown> = {}): Promise<Map<string, Finding>> => {
    const former = store.misbehave;
    store.misbehave = (request, response) => {
      if (former(request, response)) return true;
      if (request.key === '' && request.method === 'HEAD') {
        response.writeHead(200).end();
        return true;
      }
      if (request.query.has('versioning') || request.query.has('object-lock'))
        return refuse(response, 501, 'NotImplemented');
      return false;
    };
    return look({ endpoint: store.endpoint, bucket: 'bucket', prefix: '', ...location });
  };

  test('ignores conditions lets backups be overwritten, in one piece and in several', async () => {
    store.condition = () => undefined;
    const found = await lookThere();
    expect(found.get('write once')).toMatchObject({
      state: 'unknown',
      found: expect.stringContaining('a backup can be overwritten'),
    });
    expect(found.get('write once in pieces')).toMatchObject({
      state: 'unknown',
      found: expect.stringContaining('above 8 MiB'),
    });
    expect(store.objects.size).toBe(0);
  });

  test('honours them for one piece alone is told apart', async () => {
    const ofOnePiece = store.condition;
    store.condition = (request, exists) =>
      request.method === 'POST' ? undefined : ofOnePiece(request, exists);
    expect(states(await lookThere())).toMatchObject({
      'write once': 'pass',
      'write once in pieces': 'unknown',
    });
  });

  test('lists late may overlook the newest backup', async () => {
    store.listed = () => [];
    expect((await lookThere()).get('listing')).toMatchObject({
      state: 'unknown',
      found: expect.stringContaining('may be overlooked'),
    });
  });

  test('may not be listed is no place for backups', async () => {
    store.misbehave = ({ method, key, query }, response) =>
      method === 'GET' && key === '' && query.has('list-type') && refuse(response, 403, 'AccessDenied');
    expect((await lookThere()).get('listing')).toMatchObject({
      state: 'fail',
      mend: expect.stringContaining('s3:ListBucket below backups/alecs/'),
    });
  });

  test('allows the folder of the target alone is unknown, not wrong', async () => {
    store.misbehave = ({ method }, response) => method === 'PUT' && refuse(response, 403, 'AccessDenied');
    expect((await lookThere()).get('objects')).toMatchObject({
      state: 'unknown',
      mend: 'Allow s3:PutObject below backups/.doctor/ as well as below backups/alecs/.',
    });
  });

  test("is asked in Google's way is sent its condition, and no upload in pieces", async () => {
    store.condition = ({ headers }, exists) =>
      headers['x-goog-if-generation-match'] === '0' && exists
        ? { status: 412, code: 'PreconditionFailed' }
        : undefined;
    const found = await lookThere({ writeOnce: 'gcsGeneration' });
    expect(found.get('write once')).toMatchObject({ state: 'pass' });
    expect(found.has('write once in pieces')).toBe(false);
    expect(store.seen.filter(({ method }) => method === 'POST')).toEqual([]);
  });
});

describe('a target without locations', () => {
  test("has the worker's bucket", async () => {
    const config = readConfig({
      RUNBOOK_STORAGE_BUCKET: plainBucket,
      RUNBOOK_STORAGE_ENDPOINT: endpoint,
      RUNBOOK_STORAGE_PREFIX: unique('prefix'),
    });
    const { findings } = await checkLocations(config, targetProfileSchema.parse(profileWith([])));
    expect(findings.map(({ check, state }) => [check, state])).toEqual(
      Object.entries(good).map(([check, state]) => [`target alecs, location default, ${check}`, state]),
    );
  });

  test('and without that bucket there is no place', async () => {
    const { findings } = await checkLocations(readConfig({}), targetProfileSchema.parse(profileWith([])));
    expect(findings).toMatchObject([{ check: 'target alecs, locations', state: 'fail' }]);
  });

  test('and without a section backup nothing is asked', async () => {
    const { findings } = await checkLocations(
      readConfig({}),
      targetProfileSchema.parse(profileWith(undefined)),
    );
    expect(findings).toEqual([]);
  });
});

test('runbook doctor looks at every location of every target, also when nothing else answers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'runbook-doctor-'));
  try {
    const places = ['near', 'far'].map((name) => ({
      name,
      bucket: plainBucket,
      endpoint,
      region,
      prefix: unique(name),
    }));
    writeFileSync(join(folder, 'alecs.yaml'), stringify(profileWith(places)));
    writeFileSync(join(folder, 'dead.kubeconfig'), stringify(kubeconfigFor(1)));
    const { code, out } = await runbook(['doctor', '--json'], {
      RUNBOOK_TARGETS: folder,
      RUNBOOK_KUBECONFIG: join(folder, 'dead.kubeconfig'),
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    });
    expect(code).toBe(1);
    const checks = (JSON.parse(out) as Finding[]).flatMap(({ check, state }) =>
      state === 'pass' ? [check] : [],
    );
    for (const { name } of places)
      expect(checks.filter((check) => check.startsWith(`target alecs, location ${name}, `))).toHaveLength(7);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
