import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash, randomBytes } from 'node:crypto';
import { openBackupStore, type BackupStore } from '../../src/clients/backup-storage.ts';
import type { BackupLocation } from '../../src/contracts/backup-policy.ts';
import {
  refuse,
  startScriptedStore,
  useStoreCredentials,
  type ScriptedStore,
} from './support/scripted-store.ts';

let store: ScriptedStore;
let backups: BackupStore;

useStoreCredentials();

beforeEach(async () => {
  store = await startScriptedStore();
  backups = open();
});

afterEach(async () => {
  backups.close();
  await store.close();
});

function open(change: Partial<BackupLocation> = {}, silence?: number): BackupStore {
  const place = { name: 'one', bucket: 'bucket', endpoint: store.endpoint, region: 'us-east-1', prefix: '' };
  return openBackupStore({ ...place, writeOnce: 'ifNoneMatch', ...change }, silence);
}

async function keysOf(prefix = ''): Promise<string[]> {
  const keys: string[] = [];
  for await (const one of backups.list(prefix)) if ('key' in one) keys.push(one.key);
  return keys;
}

/** The same third of all requests in each run of the test: decided by what they are, and how often they came. */
function failAThird(): void {
  const times = new Map<string, number>();
  store.misbehave = ({ method, key, query }, response) => {
    const what = `${method} ${key} ${query.get('partNumber') ?? ''}`;
    const time = (times.get(what) ?? 0) + 1;
    times.set(what, time);
    const die = createHash('sha256').update(`${what} ${time}`).digest()[0] ?? 0;
    return (
      die < 77 && refuse(response, die % 2 === 0 ? 500 : 503, die % 2 === 0 ? 'InternalError' : 'SlowDown')
    );
  };
}

/** As Temporal repeats an activity. */
async function repeated<T>(call: () => Promise<T>, tries = 5): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (tries === 1) throw error;
    return await repeated(call, tries - 1);
  }
}

test('thirty of a hundred requests failing: what was written lies there whole, and nothing else', async () => {
  failAThird();
  const bodies = new Map(Array.from({ length: 40 }, (_, index) => [`k/${index + 10}`, randomBytes(1000)]));
  bodies.set('k/large', randomBytes(20 * 1024 * 1024));
  for (const [key, body] of bodies)
    await repeated(() => backups.putOnce(key, body, 'application/octet-stream'));
  for (const [key, body] of bodies)
    expect(Buffer.compare((await repeated(() => backups.read(key)))!, body)).toBe(0);
  expect(await repeated(() => keysOf('k/'))).toEqual([...bodies.keys()].sort());
  expect(store.seen.length).toBeGreaterThan(bodies.size * 2 * 1.2);
}, 120_000);

test('a store that asks to slow down and does not stop asking is passed on as it says', async () => {
  store.misbehave = (_request, response) => refuse(response, 503, 'SlowDown');
  await expect(backups.putOnce('a', 'a', 'text/plain')).rejects.toMatchObject({
    name: 'SlowDown',
    $metadata: { httpStatusCode: 503 },
  });
  expect(store.seen).toHaveLength(4);
});

test('a large upload that fails for good is aborted', async () => {
  store.misbehave = ({ query }, response) =>
    query.get('partNumber') === '2' && refuse(response, 403, 'AccessDenied');
  await expect(
    backups.putOnce('a', randomBytes(20 * 1024 * 1024), 'application/octet-stream'),
  ).rejects.toMatchObject({ name: 'AccessDenied' });
  expect(store.uploads.size).toBe(0);
  expect(store.objects.size).toBe(0);
});

test('an answer that was lost after the write makes exists of written: the caller has to look', async () => {
  let lost = false;
  store.misbehave = ({ method, key, body }, response) => {
    if (method !== 'PUT' || lost) return false;
    lost = true;
    store.objects.set(key, body);
    response.socket?.destroy();
    return true;
  };
  expect(await backups.putOnce('a', 'mine', 'text/plain')).toBe('exists');
  expect(Buffer.from((await backups.read('a'))!).toString()).toBe('mine');
});

describe('with a second of silence allowed', () => {
  beforeEach(() => {
    backups.close();
    backups = open({ writeOnce: 'gcsGeneration' }, 1000);
  });

  test('a store that takes longer for a body, and takes it all the time, gets it whole', async () => {
    store.rest = 8;
    const body = randomBytes(16 * 1024 * 1024);
    const began = performance.now();
    expect(await backups.putOnce('a', body, 'application/octet-stream')).toBe('written');
    expect(performance.now() - began).toBeGreaterThan(1000);
    expect(Buffer.compare(store.objects.get('a')!, body)).toBe(0);
    expect(store.seen).toHaveLength(1);
  });

  test('a store that takes a request and says nothing is not waited for', async () => {
    store.misbehave = () => true;
    await expect(backups.read('a')).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('nor is one that stops in the middle of an object', async () => {
    store.misbehave = (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write(Buffer.alloc(500));
      return true;
    };
    await expect(backups.read('a')).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('a body that ends early is noticed', () => {
  test('when the connection breaks', async () => {
    store.misbehave = (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write(Buffer.alloc(500), () => response.socket?.destroy());
      return true;
    };
    await expect(backups.read('a')).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('when a listing breaks', async () => {
    store.misbehave = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/xml', 'transfer-encoding': 'chunked' });
      response.write('<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key>', () =>
        response.socket?.destroy(),
      );
      return true;
    };
    await expect(keysOf()).rejects.toThrow();
  });

  test('when a listing says that there is more and not where', async () => {
    store.misbehave = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/xml' });
      response.end('<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>');
      return true;
    };
    await expect(keysOf()).rejects.toMatchObject({ name: 'ListingCutOff' });
  });

  test('and one that is longer than allowed is not read to its end', async () => {
    store.misbehave = (_request, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked' });
      const more = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(64 * 1024)));
      };
      response.on('drain', more);
      more();
      return true;
    };
    await expect(backups.read('a', undefined, 1024 * 1024)).rejects.toMatchObject({ name: 'ObjectTooLarge' });
  });
});

test('a key outside of the prefix is not believed', async () => {
  backups.close();
  backups = open({ prefix: 'team' });
  store.misbehave = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      '<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>others/a</Key></Contents></ListBucketResult>',
    );
    return true;
  };
  await expect(keysOf()).rejects.toMatchObject({ name: 'ForeignKey' });
});

test('a listing that lags behind does not change what a write and a read say', async () => {
  store.listed = () => [];
  expect(await backups.putOnce('a', 'a', 'text/plain')).toBe('written');
  expect(await keysOf()).toEqual([]);
  expect(await backups.putOnce('a', 'b', 'text/plain')).toBe('exists');
  expect(Buffer.from((await backups.read('a'))!).toString()).toBe('a');
});

test('a store that knows no versions loses the object by a plain delete', async () => {
  store.objects.set('a', Buffer.from('a'));
  store.misbehave = ({ query }, response) => query.has('versions') && refuse(response, 501, 'NotImplemented');
  expect(await backups.remove('a')).toBe('removed');
  expect(await backups.remove('a')).toBe('absent');
  expect(store.objects.size).toBe(0);
});

test('a delete that is refused without a lock is an error, not a lock', async () => {
  store.objects.set('a', Buffer.from('a'));
  store.misbehave = ({ method, query }, response) => {
    if (query.has('versions')) return refuse(response, 501, 'NotImplemented');
    return method === 'DELETE' && refuse(response, 403, 'AccessDenied');
  };
  await expect(backups.remove('a')).rejects.toMatchObject({ name: 'AccessDenied' });
});

test('the profile of the credentials goes before the environment', async () => {
  backups.close();
  backups = open({ credentials: 'no-such-profile' });
  await expect(backups.read('a')).rejects.toMatchObject({ name: 'CredentialsProviderError' });
  expect(store.seen).toEqual([]);
});

describe("with Google's condition", () => {
  /** What its documents say of writes: the header counts for single puts, and must be a generation. */
  const google: ScriptedStore['condition'] = ({ method, headers, query }, exists) => {
    const condition = headers['x-goog-if-generation-match'];
    if (method === 'POST' || query.has('uploadId')) return { status: 400, code: 'InvalidArgument' };
    if (headers['if-none-match'] !== undefined) return { status: 400, code: 'InvalidArgument' };
    if (Object.keys(headers).some((name) => /^x-amz-(checksum|sdk-checksum|trailer)/.test(name)))
      return { status: 400, code: 'InvalidArgument' };
    if (condition === undefined) return undefined;
    if (condition !== '0') return { status: 400, code: 'InvalidArgument' };
    if (!/SignedHeaders=[^,]*x-goog-if-generation-match/.test(headers.authorization ?? ''))
      return { status: 403, code: 'SignatureDoesNotMatch' };
    return exists ? { status: 412, code: 'PreconditionFailed' } : undefined;
  };

  beforeEach(() => {
    backups.close();
    backups = open({ writeOnce: 'gcsGeneration' });
    store.condition = google;
  });

  test.each([
    ['small', 10],
    ['large', 20 * 1024 * 1024],
  ])('a %s object is written once, in one signed request', async (_name, bytes) => {
    const body = randomBytes(bytes);
    expect(await backups.putOnce('a', body, 'application/octet-stream')).toBe('written');
    expect(await backups.putOnce('a', 'other', 'text/plain')).toBe('exists');
    expect(store.seen.map(({ method }) => method)).toEqual(['PUT', 'PUT']);
    expect(Buffer.compare((await backups.read('a'))!, body)).toBe(0);
  });

  test.each([
    ['a multipart upload', { method: 'POST', headers: {}, query: new URLSearchParams('uploadId=1') }],
    ['the condition of S3', { method: 'PUT', headers: { 'if-none-match': '*' } }],
    ['a checksum header of S3', { method: 'PUT', headers: { 'x-amz-checksum-crc32': 'AAAAAA==' } }],
    ['a generation that is none', { method: 'PUT', headers: { 'x-goog-if-generation-match': '*' } }],
    ['a condition that is not signed', { method: 'PUT', headers: { 'x-goog-if-generation-match': '0' } }],
  ])('the stand-in refuses %s', (_name, request) => {
    const whole = { key: 'a', query: new URLSearchParams(), body: Buffer.alloc(0), ...request };
    expect(google(whole, false)?.status).toBeGreaterThanOrEqual(400);
  });

  test('versions are not asked for, which Google tells in another form', async () => {
    store.objects.set('a', Buffer.from('a'));
    expect(await backups.remove('a')).toBe('removed');
    expect(store.seen.some(({ query }) => query.has('versions'))).toBe(false);
  });
});
