import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectRetentionCommand,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { openBackupStore, openBackupStores, type BackupStore } from '../../src/clients/backup-storage.ts';
import { createS3Client } from '../../src/clients/object-storage.ts';
import { backupPolicySchema, type BackupLocation } from '../../src/contracts/backup-policy.ts';
import { stack, unique } from '../support/stack.ts';

const { endpoint, region, bucket: lockBucket } = stack().s3;
const s3 = createS3Client({ endpoint, region });
const plainBucket = unique('plain');
const versionedBucket = unique('versioned');
const opened: BackupStore[] = [];

beforeAll(async () => {
  await s3.send(new CreateBucketCommand({ Bucket: plainBucket }));
  await s3.send(new CreateBucketCommand({ Bucket: versionedBucket }));
  await s3.send(
    new PutBucketVersioningCommand({
      Bucket: versionedBucket,
      VersioningConfiguration: { Status: 'Enabled' },
    }),
  );
});

afterAll(() => {
  for (const store of opened) store.close();
  s3.destroy();
});

function open(change: Partial<BackupLocation> = {}): BackupStore {
  const store = openBackupStore({
    name: 'one',
    bucket: plainBucket,
    endpoint,
    region,
    prefix: unique('prefix'),
    writeOnce: 'ifNoneMatch',
    ...change,
  });
  opened.push(store);
  return store;
}

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

/** More than one piece of a multipart upload. */
const large = (): Buffer => randomBytes(9 * 1024 * 1024);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe.each([
  ['a plain bucket', () => plainBucket],
  ['a bucket with versions', () => versionedBucket],
])('an object is written once, in %s', (_name, bucket) => {
  test('and never again, whatever the second body is', async () => {
    const store = open({ bucket: bucket() });
    expect(await store.putOnce('a/b', 'first', 'text/plain')).toBe('written');
    expect(await store.putOnce('a/b', 'second', 'text/plain')).toBe('exists');
    expect(text(await store.read('a/b'))).toBe('first');
  });

  test('by exactly one of twenty at the same time', async () => {
    const store = open({ bucket: bucket() });
    const bodies = Array.from({ length: 20 }, (_, index) => `body ${index}`);
    const outcomes = await Promise.all(bodies.map((body) => store.putOnce('race', body, 'text/plain')));
    expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1);
    expect(text(await store.read('race'))).toBe(bodies[outcomes.indexOf('written')]);
  });

  test('by exactly one of three large bodies at the same time', async () => {
    const store = open({ bucket: bucket() });
    const bodies = [large(), large(), large()];
    const outcomes = await Promise.all(
      bodies.map((body) => store.putOnce('race', body, 'application/octet-stream')),
    );
    expect(outcomes.filter((outcome) => outcome === 'written')).toHaveLength(1);
    const stored = await store.read('race');
    expect(Buffer.compare(stored!, bodies[outcomes.indexOf('written')]!)).toBe(0);
    expect(await all(store.openUploads(''))).toEqual([]);
  });
});

test('a body of exactly 8 MiB goes as one request, one byte more in pieces; both come back whole', async () => {
  const store = open();
  for (const bytes of [8 * 1024 * 1024, 8 * 1024 * 1024 + 1]) {
    const body = randomBytes(bytes);
    expect(await store.putOnce(`of-${bytes}`, body, 'application/octet-stream')).toBe('written');
    expect(Buffer.compare((await store.read(`of-${bytes}`))!, body)).toBe(0);
  }
});

test('a location without conditional writes looks before it writes, and reads back', async () => {
  const store = open({ writeOnce: 'none' });
  expect(store.writeOnce).toBe('none');
  expect(await store.putOnce('a', 'first', 'text/plain')).toBe('written');
  expect(await store.putOnce('a', 'second', 'text/plain')).toBe('exists');
  expect(text(await store.read('a'))).toBe('first');
  const body = large();
  expect(await store.putOnce('large', body, 'application/octet-stream')).toBe('written');
  expect(Buffer.compare((await store.read('large'))!, body)).toBe(0);
});

describe('reading', () => {
  test('what is not there is undefined', async () => {
    expect(await open().read('nothing')).toBeUndefined();
  });

  test('an empty object is empty, not missing', async () => {
    const store = open();
    await store.putOnce('empty', '', 'text/plain');
    expect(await store.read('empty')).toHaveLength(0);
  });

  test('an object of exactly the most bytes is read, a larger one is refused', async () => {
    const store = open();
    await store.putOnce('five', '12345', 'text/plain');
    expect(text(await store.read('five', undefined, 5))).toBe('12345');
    await expect(store.read('five', undefined, 4)).rejects.toMatchObject({ name: 'ObjectTooLarge' });
  });

  test('stops when it is told to', async () => {
    const store = open();
    await store.putOnce('a', 'a', 'text/plain');
    await expect(store.read('a', AbortSignal.abort())).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('listing', () => {
  test('shows folders and objects of one level, with sizes', async () => {
    const store = open();
    for (const key of ['t/one/manifest', 't/one/parts/1', 't/two/run', 't/file'])
      await store.putOnce(key, key, 'text/plain');
    const found = await all(store.list('t/', { delimiter: '/' }));
    expect(found.flatMap((one) => ('folder' in one ? [one.folder] : []))).toEqual(['t/one/', 't/two/']);
    const objects = found.flatMap((one) => ('key' in one ? [one] : []));
    expect(objects).toMatchObject([{ key: 't/file', bytes: 6 }]);
    expect(Math.abs(Date.now() - objects[0]!.storedAt.getTime())).toBeLessThan(60_000);
  });

  test('goes through every page, and begins where it is told', async () => {
    const store = open();
    const keys = Array.from({ length: 1005 }, (_, index) => `k/${String(index).padStart(4, '0')}`);
    for (let from = 0; from < keys.length; from += 50)
      await Promise.all(keys.slice(from, from + 50).map((key) => store.putOnce(key, '', 'text/plain')));
    const listed = await all(store.list('k/'));
    expect(listed.map((one) => ('key' in one ? one.key : ''))).toEqual(keys);
    const later = await all(store.list('k/', { startAfter: 'k/1002' }));
    expect(later.map((one) => ('key' in one ? one.key : ''))).toEqual(['k/1003', 'k/1004']);
  });

  test('locations with different prefixes in one bucket see nothing of each other', async () => {
    const [one, two] = [open({ prefix: 'team' }), open({ prefix: 'team-b' })];
    const key = unique('object');
    await one.putOnce(key, 'one', 'text/plain');
    expect(await two.read(key)).toBeUndefined();
    expect(await two.remove(key)).toBe('absent');
    const listed = await all(two.list(''));
    expect(listed.map((item) => ('key' in item ? item.key : ''))).not.toContain(key);
    expect(one.locationOf(key)).toBe(`s3://${plainBucket}/team/${key}`);
    expect(text(await one.read(key))).toBe('one');
  });
});

describe('removing', () => {
  test('an object, once; then it is absent', async () => {
    const store = open();
    await store.putOnce('a', 'a', 'text/plain');
    await store.putOnce('ab', 'stays', 'text/plain');
    expect(await store.remove('a')).toBe('removed');
    expect(await store.remove('a')).toBe('absent');
    expect(text(await store.read('ab'))).toBe('stays');
  });

  test('takes every version and delete marker along', async () => {
    const prefix = unique('prefix');
    const store = open({ bucket: versionedBucket, prefix });
    const place = { Bucket: versionedBucket, Key: `${prefix}/a` };
    for (const Body of ['1', '2']) await s3.send(new PutObjectCommand({ ...place, Body }));
    await s3.send(new DeleteObjectCommand(place));
    await s3.send(new PutObjectCommand({ ...place, Key: `${prefix}/ab`, Body: 'stays' }));
    expect(await store.remove('a')).toBe('removed');
    const left = await s3.send(new ListObjectVersionsCommand({ Bucket: versionedBucket, Prefix: prefix }));
    expect(left.Versions?.map(({ Key }) => Key)).toEqual([`${prefix}/ab`]);
    expect(left.DeleteMarkers ?? []).toEqual([]);
  });
});

describe('with Object Lock', () => {
  const days = 2;
  const locked = (prefix: string): BackupStore =>
    open({ bucket: lockBucket, prefix, objectLock: { mode: 'GOVERNANCE', days } });

  test.each([
    ['small', () => Buffer.from('small')],
    ['large', large],
  ])('a %s object keeps its retention, and is neither written again nor removed', async (_name, body) => {
    const prefix = unique('locked');
    const store = locked(prefix);
    expect(await store.putOnce('a', body(), 'application/octet-stream')).toBe('written');
    const place = { Bucket: lockBucket, Key: `${prefix}/a` };
    const { Retention } = await s3.send(new GetObjectRetentionCommand(place));
    expect(Retention?.Mode).toBe('GOVERNANCE');
    const left = Retention!.RetainUntilDate!.getTime() - Date.now();
    expect(Math.abs(left - days * 86_400_000)).toBeLessThan(120_000);
    expect(await store.putOnce('a', 'other', 'text/plain')).toBe('exists');
    expect(await store.remove('a')).toBe('locked');
    expect(await store.read('a')).toBeDefined();
    await release(prefix);
  });

  test('a locked object below a delete marker stays hidden', async () => {
    const prefix = unique('locked');
    const store = locked(prefix);
    await store.putOnce('a', 'a', 'text/plain');
    await s3.send(new DeleteObjectCommand({ Bucket: lockBucket, Key: `${prefix}/a` }));
    expect(await store.remove('a')).toBe('locked');
    expect(await store.read('a')).toBeUndefined();
    await release(prefix);
  });

  /** Takes away what the test has locked, as only someone with the right to bypass can. */
  async function release(prefix: string): Promise<void> {
    const { Versions = [], DeleteMarkers = [] } = await s3.send(
      new ListObjectVersionsCommand({ Bucket: lockBucket, Prefix: prefix }),
    );
    for (const { Key, VersionId } of [...Versions, ...DeleteMarkers])
      await s3.send(
        new DeleteObjectCommand({ Bucket: lockBucket, Key, VersionId, BypassGovernanceRetention: true }),
      );
  }
});

test('uploads that were interrupted are listed below a prefix, and aborted once or twice', async () => {
  const prefix = unique('prefix');
  const store = open({ prefix });
  const place = { Bucket: plainBucket, Key: `${prefix}/t/part` };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(place));
  await s3.send(
    new UploadPartCommand({ ...place, UploadId, PartNumber: 1, Body: randomBytes(5 * 1024 * 1024) }),
  );
  expect(await all(store.openUploads('other/'))).toEqual([]);
  const [upload, ...more] = await all(store.openUploads('t/'));
  expect(more).toEqual([]);
  expect(upload).toMatchObject({ key: 't/part', uploadId: UploadId });
  await store.abortUpload(upload!.key, upload!.uploadId);
  expect(await all(store.openUploads('t/'))).toEqual([]);
  await store.abortUpload(upload!.key, upload!.uploadId);
});

test('an upload that is told to stop leaves neither an object nor an open upload', async () => {
  const store = open();
  const controller = new AbortController();
  const writing = store.putOnce(
    'a',
    randomBytes(64 * 1024 * 1024),
    'application/octet-stream',
    controller.signal,
  );
  setImmediate(() => {
    controller.abort();
  });
  await expect(writing).rejects.toMatchObject({ name: 'AbortError' });
  expect(await store.read('a')).toBeUndefined();
});

describe('the locations of a profile', () => {
  const keys = { signing: ['a.asc'], online: 'b.asc', escrow: 'c.asc' };
  const workerBucket = { bucket: 'worker-bucket', region: 'us-east-1', prefix: 'deep/' };
  const openFrom = (
    locations: unknown,
    worker = workerBucket as typeof workerBucket | undefined,
  ): BackupStore[] => {
    const stores = openBackupStores(backupPolicySchema.parse({ keys, locations }), worker);
    opened.push(...stores);
    return stores;
  };

  test('are the ones it names, in its order, whatever the worker has', () => {
    const stores = openFrom([
      { name: 'near', bucket: 'near-bucket' },
      { name: 'far', bucket: 'far-bucket', prefix: 'p', writeOnce: 'none' },
    ]);
    expect(stores.map(({ name, writeOnce }) => [name, writeOnce])).toEqual([
      ['near', 'ifNoneMatch'],
      ['far', 'none'],
    ]);
    expect(stores.map((store) => store.locationOf('k'))).toEqual([
      's3://near-bucket/k',
      's3://far-bucket/p/k',
    ]);
  });

  test("are the worker's bucket, below its prefix, when it names none", () => {
    const [store, ...more] = openFrom([]);
    expect(more).toEqual([]);
    expect(store?.name).toBe('default');
    expect(store?.locationOf('k')).toBe('s3://worker-bucket/deep/k');
  });

  test('cannot have a retention with the condition of Google, which takes it in another way', () => {
    const place = { name: 'far', bucket: 'far-bucket', objectLock: { mode: 'COMPLIANCE', days: 1 } };
    const parse = (writeOnce: string): boolean =>
      backupPolicySchema.safeParse({ keys, locations: [{ ...place, writeOnce }] }).success;
    expect([parse('ifNoneMatch'), parse('none'), parse('gcsGeneration')]).toEqual([true, true, false]);
  });

  test('are none when there is no bucket at all', () => {
    expect(openBackupStores(backupPolicySchema.parse({ keys }), undefined)).toEqual([]);
  });
});
