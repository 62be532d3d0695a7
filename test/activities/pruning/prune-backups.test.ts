import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPruningActivities } from '../../../src/activities/pruning/index.ts';
import { openBackupStores, type BackupStore } from '../../../src/clients/backup-storage.ts';
import { createS3Client } from '../../../src/clients/object-storage.ts';
import type { Runs, RunStatus } from '../../../src/clients/temporal/runs.ts';
import { backupFiles } from '../../../src/contracts/backup-manifest.ts';
import type { LocationPlan } from '../../../src/contracts/prune-backups.ts';
import { targetProfileSchema, type Target } from '../../../src/contracts/target.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { stack, unique } from '../../support/stack.ts';
import { idAt, StoredBackups } from '../../support/stored-backups.ts';
import { demoProfile } from '../../support/world.ts';
import { act, failureOf, textOf } from '../support/run-activity.ts';

const { endpoint, region, bucket: lockBucket } = stack().s3;
const s3 = createS3Client({ endpoint, region });
const plainBucket = unique('plain');
const versionedBucket = unique('versioned');

/** What Temporal says of the run that every backup of these tests was made by; undefined: it has forgotten it. */
let status: RunStatus | undefined;
const runs: Runs = {
  identity: () => Promise.resolve({ temporalNamespace: 'test', temporalCluster: 'test' }),
  describe: () => Promise.resolve(status),
  abort: () => Promise.resolve(),
};

let targetsFolder: string;
let backups: StoredBackups;
let target: Target;
let store: BackupStore;
let prefix: string;
const keep = { hourly: 2, daily: 0, weekly: 0, monthly: 0 };

beforeAll(async () => {
  for (const Bucket of [plainBucket, versionedBucket]) await s3.send(new CreateBucketCommand({ Bucket }));
  const VersioningConfiguration = { Status: 'Enabled' } as const;
  await s3.send(new PutBucketVersioningCommand({ Bucket: versionedBucket, VersioningConfiguration }));
});

afterAll(() => {
  s3.destroy();
});

beforeEach(async () => {
  targetsFolder = mkdtempSync(join(tmpdir(), 'runbook-targets-'));
  status = undefined;
  await useLocation({ bucket: plainBucket });
});

afterEach(() => {
  store.close();
  rmSync(targetsFolder, { recursive: true });
});

/** A target whose only location is that. */
async function useLocation(location: Record<string, unknown>): Promise<void> {
  backups = await StoredBackups.create(unique('target'));
  prefix = unique('prefix');
  const place = { name: 'near', endpoint, region, prefix, ...location };
  const backup = await backups.section(targetsFolder, { locations: [place], keep });
  const profile = targetProfileSchema.parse({ ...demoProfile('ns'), target: backups.target, backup });
  target = { profile, digest: 'digest' };
  [store] = openBackupStores(profile.backup!, undefined) as [BackupStore];
}

const activities = (): ReturnType<typeof createPruningActivities> =>
  createPruningActivities({ targetsFolder, runs });

async function plan(): Promise<LocationPlan> {
  return await act(activities().planPruning, { target, location: 'near' });
}

async function keysOf(below = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const one of store.list(`${backupFiles.folder(backups.target)}${below}`))
    if ('key' in one) keys.push(one.key);
  return keys;
}

/** Makes everything of a backup older than a day, as the store sees it: by the times of its files on disk. */
async function age(backupId: string, hours = 25): Promise<void> {
  const then = new Date(Date.now() - hours * 3_600_000);
  for (const key of await keysOf(`${backupId}/`))
    utimesSync(join(stack().directory, 'objects', plainBucket, prefix, key), then, then);
}

const ids = Array.from({ length: 5 }, (_, hour) => idAt(`2026-11-27T1${hour}:00:00Z`));
const [first, second, third, fourth, fifth] = ids as [string, string, string, string, string];

describe('a plan', () => {
  test('names what stays and what goes, with the reason', async () => {
    for (const id of ids) await backups.add(store, id);
    await backups.verify(store, first);
    const found = await plan();
    expect(found).toMatchObject({ location: 'near', kept: 3, remove: [second, third], later: 0 });
    expect(found.at).toBe(`s3://${plainBucket}/${prefix}/backups/${backups.target}/`);
    expect(found.verdicts).toEqual([
      { backupId: fifth, verdict: 'keep', why: 'newest, newest complete, hourly' },
      { backupId: fourth, verdict: 'keep', why: 'hourly' },
      {
        backupId: third,
        verdict: 'remove',
        why: 'a newer backup stands for its day, week, month; its hour lies too far back',
      },
      {
        backupId: second,
        verdict: 'remove',
        why: 'a newer backup stands for its day, week, month; its hour lies too far back',
      },
      { backupId: first, verdict: 'keep', why: 'newest verified' },
    ]);
    expect(found).toMatchObject({ orphans: [], uploads: 0, strange: [], strangeCount: 0 });
  });

  test('of nothing is nothing', async () => {
    expect(await plan()).toMatchObject({ kept: 0, remove: [], verdicts: [], orphans: [], strange: [] });
  });

  test('keeps the newest complete backup beside newer ones that lack something', async () => {
    await backups.add(store, first);
    for (const id of [second, third, fourth])
      await backups.add(store, id, { missing: [{ what: 'pods', why: 'forbidden' }] });
    expect(await plan()).toMatchObject({ kept: 3, remove: [second] });
  });

  test('neither removes nor counts a backup whose manifest nobody of the profile has signed', async () => {
    const stranger = await StoredBackups.create(backups.target);
    await stranger.add(store, fifth);
    for (const id of [first, second]) await backups.add(store, id);
    const found = await plan();
    expect(found.verdicts.map(({ backupId }) => backupId)).toEqual([second, first]);
    expect(found.strange).toEqual([
      { what: `${fifth}/`, why: expect.stringContaining('none of those that may') },
    ]);
  });

  test('neither removes nor counts a backup that its newest verification found damaged', async () => {
    for (const id of ids) await backups.add(store, id);
    await backups.verify(store, first, { at: '2026-11-27T12:00:00.000Z' });
    await backups.verify(store, first, {
      at: '2026-11-27T13:00:00.000Z',
      verdict: 'fail',
      findings: ['gone'],
    });
    const found = await plan();
    expect(found.remove).toEqual([second, third]);
    expect(found.strange).toEqual([{ what: `${first}/`, why: expect.stringContaining('found it damaged') }]);
  });

  test('does not believe a verification of another manifest, or by another key', async () => {
    for (const id of ids) await backups.add(store, id);
    await backups.verify(store, first, { manifestSha256: 'f'.repeat(64) });
    const stranger = await StoredBackups.create(backups.target);
    await stranger.verify(store, second);
    expect(await plan()).toMatchObject({ remove: [first, second, third], strange: [] });
  });

  test('shows what is none of its backups, and never removes it', async () => {
    await backups.add(store, first);
    const folder = backupFiles.folder(backups.target);
    await store.putOnce(`${folder}notes.txt`, 'text', 'text/plain');
    await store.putOnce(`${folder}important/data`, 'text', 'text/plain');
    await store.putOnce(`${folder}20261131-000000-0a1b2c3d/manifest.asc`, 'text', 'text/plain');
    const { strange, strangeCount, remove, orphans } = await plan();
    expect(strange.map(({ what }) => what)).toEqual(['20261131-000000-0a1b2c3d/', 'important/', 'notes.txt']);
    expect([strangeCount, remove, orphans]).toEqual([3, [], []]);
  });

  test('sees nothing of a target whose name begins alike', async () => {
    const longer = await StoredBackups.create(`${backups.target}-b`);
    await longer.add(store, first);
    expect(await plan()).toMatchObject({ kept: 0, strangeCount: 0 });
  });
});

describe('a backup without a manifest', () => {
  beforeEach(async () => {
    await backups.begin(store, first);
  });

  test('is left alone while a file of it is younger than a day', async () => {
    await age(first);
    await store.putOnce(backups.keyOf(first, 'parts/0003-late.tar.gz.gpg'), 'new', 'text/plain');
    expect(await plan()).toMatchObject({ orphans: [], strange: [] });
  });

  test('is an orphan when its files are old and its run has ended, or is forgotten', async () => {
    await age(first);
    expect(await plan()).toMatchObject({ orphans: [first], strange: [] });
    status = { running: false, firstRunId: 'first' };
    expect(await plan()).toMatchObject({ orphans: [first], strange: [] });
  });

  test('is left alone while its run goes on', async () => {
    await age(first);
    status = { running: true, firstRunId: 'first' };
    expect(await plan()).toMatchObject({ orphans: [], strange: [] });
  });

  test('is shown when another Temporal would have to know its run', async () => {
    await backups.begin(store, second, { temporalCluster: 'other' });
    for (const id of [first, second]) await age(id);
    expect(await plan()).toMatchObject({
      orphans: [first],
      strange: [{ what: `${second}/`, why: expect.stringContaining('does not know whether run') }],
    });
  });

  test('is shown when nothing says who made it', async () => {
    await store.remove(backups.keyOf(first, 'run.json'));
    await age(first);
    expect(await plan()).toMatchObject({
      orphans: [],
      strange: [{ what: `${first}/`, why: expect.stringContaining('no run.json') }],
    });
  });

  test('is removed, and judged anew right before', async () => {
    await age(first);
    await backups.add(store, second);
    const asked = { target, location: 'near', names: [first, second] };
    status = { running: true, firstRunId: 'first' };
    expect(await act(activities().pruneLeftovers, asked)).toMatchObject({ objects: 0 });
    expect(await keysOf(`${first}/`)).toHaveLength(3);
    status = undefined;
    expect(await act(activities().pruneLeftovers, asked)).toMatchObject({ objects: 3, locked: [] });
    expect(await keysOf(`${first}/`)).toEqual([]);
    expect(await keysOf(`${second}/`)).toHaveLength(4);
    expect(await act(activities().pruneLeftovers, asked)).toMatchObject({ objects: 0 });
  });
});

test('an upload is aborted when it was interrupted more than a day ago, and left alone before', async () => {
  const keys = ['parts/0001', 'parts/0002'].map((name) => backups.keyOf(first, name));
  for (const key of keys)
    await s3.send(new CreateMultipartUploadCommand({ Bucket: plainBucket, Key: `${prefix}/${key}` }));
  expect(await plan()).toMatchObject({ uploads: 0 });
  const [old, young] = await openUploads();
  ageUpload(old!.uploadId);
  expect(await plan()).toMatchObject({ uploads: 1 });
  const asked = { target, location: 'near', names: [] };
  expect(await act(activities().pruneLeftovers, asked)).toMatchObject({ uploads: 1, objects: 0 });
  expect(await openUploads()).toEqual([young]);
  expect(await act(activities().pruneLeftovers, asked)).toMatchObject({ uploads: 0 });
});

async function openUploads(): Promise<{ key: string; uploadId: string }[]> {
  const open: { key: string; uploadId: string }[] = [];
  for await (const upload of store.openUploads('')) open.push(upload);
  return open;
}

/** As with {@link age}: the store keeps an upload in a folder of its id. */
function ageUpload(uploadId: string): void {
  const uploads = join(stack().directory, 'objects', plainBucket, '.sgwtmp', 'multipart');
  const [folder] = readdirSync(uploads, { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith(uploadId),
  );
  const then = new Date(Date.now() - 25 * 3_600_000);
  utimesSync(join(uploads, folder!), then, then);
}

describe.each([
  ['a plain bucket', () => plainBucket],
  ['a bucket with versions', () => versionedBucket],
])('removing from %s', (_name, bucket) => {
  beforeEach(async () => {
    store.close();
    await useLocation({ bucket: bucket() });
    for (const id of ids) await backups.add(store, id);
    await backups.verify(store, second);
  });

  const remove = (...backupIds: string[]): Promise<unknown> =>
    act(activities().removeBackups, { target, location: 'near', backupIds });

  test('takes every file and version of exactly the backups that are named', async () => {
    const before = await keysOf();
    expect(await remove(first, second)).toMatchObject({ backups: 2, objects: 9, locked: [] });
    expect(await keysOf()).toEqual(before.filter((key) => !key.includes(first) && !key.includes(second)));
    for (const id of [first, second]) {
      const Prefix = `${prefix}/${backups.keyOf(id, '')}`;
      const { Versions, DeleteMarkers } = await s3.send(
        new ListObjectVersionsCommand({ Bucket: bucket(), Prefix }),
      );
      expect([Versions ?? [], DeleteMarkers ?? []]).toEqual([[], []]);
    }
  });

  test('a second time finds nothing, and says so', async () => {
    await remove(first);
    expect(await remove(first)).toEqual({
      ...{ backups: 0, objects: 0, bytes: 0, locked: [], uploads: 0 },
      gone: 1,
    });
  });

  test('takes nothing for a name that is no id', async () => {
    const before = await keysOf();
    expect(await remove('', '..', `../${backups.target}`, `${first}/parts`, 'important')).toMatchObject({
      objects: 0,
    });
    expect(await keysOf()).toEqual(before);
  });
});

describe('a lock', () => {
  beforeEach(async () => {
    store.close();
    await useLocation({ bucket: lockBucket, objectLock: { mode: 'GOVERNANCE', days: 1 } });
    for (const id of [first, second, third]) await backups.add(store, id);
  });

  afterEach(async () => {
    const { Versions = [] } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: lockBucket, Prefix: `${prefix}/` }),
    );
    for (const { Key, VersionId } of Versions) {
      const version = { Bucket: lockBucket, Key, VersionId };
      await s3.send(new DeleteObjectCommand({ ...version, BypassGovernanceRetention: true }));
    }
  });

  test('on the manifest keeps the whole backup, and is counted', async () => {
    expect(await plan()).toMatchObject({ remove: [first] });
    const asked = { target, location: 'near', backupIds: [first] };
    expect(await act(activities().removeBackups, asked)).toEqual({
      backups: 0,
      objects: 0,
      bytes: 0,
      locked: [first],
      uploads: 0,
    });
    expect(await keysOf(`${first}/`)).toHaveLength(4);
  });

  test('on a part keeps that part and who made it; no backup is left of it', async () => {
    for (const name of ['manifest.asc', 'parts/0001-secrets-1.tar.gz.gpg'])
      await release(backups.keyOf(first, name));
    const asked = { target, location: 'near', backupIds: [first] };
    expect(await act(activities().removeBackups, asked)).toMatchObject({ backups: 0, locked: [first] });
    expect(await keysOf(`${first}/`)).toEqual(
      ['parts/0002-configmaps-1.tar.gz.gpg', 'run.json'].map((name) => backups.keyOf(first, name)),
    );
    expect((await plan()).verdicts.map(({ backupId }) => backupId)).toEqual([third, second]);
  });

  /** Ends the retention of an object, as only someone with the right to bypass it can. */
  async function release(key: string): Promise<void> {
    await s3.send(
      new PutObjectRetentionCommand({
        Bucket: lockBucket,
        Key: `${prefix}/${key}`,
        BypassGovernanceRetention: true,
        Retention: { Mode: 'GOVERNANCE', RetainUntilDate: new Date(Date.now() + 1000) },
      }),
    );
    await waitFor(async () => ((await isLocked(key)) ? undefined : true), {
      what: `the retention of ${key} to end`,
      timeoutMilliseconds: 10_000,
    });
  }

  async function isLocked(key: string): Promise<boolean> {
    const command = new GetObjectRetentionCommand({ Bucket: lockBucket, Key: `${prefix}/${key}` });
    const { Retention } = await s3.send(command);
    return (Retention?.RetainUntilDate?.getTime() ?? 0) > Date.now();
  }
});

test('a store that is down is tried again, one that refuses is not; neither failure shows a request', async () => {
  const other = (change: Record<string, unknown>): Target => ({
    ...target,
    profile: targetProfileSchema.parse({
      ...target.profile,
      backup: {
        ...target.profile.backup,
        locations: [{ ...target.profile.backup?.locations[0], ...change }],
      },
    }),
  });
  const cases = [
    { change: { endpoint: 'http://127.0.0.1:1' }, type: 'StorageUnavailable', nonRetryable: false },
    { change: { bucket: 'no-such-bucket' }, type: 'StorageRefused', nonRetryable: true },
  ];
  for (const { change, ...expected } of cases) {
    const failure = await failureOf(
      act(activities().planPruning, { target: other(change), location: 'near' }),
    );
    expect(failure).toMatchObject(expected);
    expect(textOf(failure)).not.toMatch(/AKIA|Signature|authorization/i);
  }
});

test('a location that the profile does not have, and a profile without backups, are said', async () => {
  const wrong = await failureOf(act(activities().planPruning, { target, location: 'far' }));
  expect([wrong.type, wrong.message]).toEqual(['InvalidRequest', expect.stringContaining('it has near')]);
  const { backup: _backup, ...profile } = target.profile;
  const without = await failureOf(
    act(activities().planPruning, { target: { ...target, profile }, location: 'near' }),
  );
  expect([without.type, without.message]).toEqual([
    'InvalidProfile',
    expect.stringContaining('no section backup'),
  ]);
});
