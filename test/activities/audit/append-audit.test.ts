import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { createAuditActivities, type Appended } from '../../../src/activities/audit/index.ts';
import type { AppendRequest } from '../../../src/activities/audit/append.ts';
import {
  createObjectStorage,
  createS3Client,
  type ObjectStorage,
} from '../../../src/clients/object-storage.ts';
import type { AuditEvent, Checkpoint } from '../../../src/contracts/audit.ts';
import {
  auditFolder,
  bytesOf,
  compareWithCheckpoint,
  emptyLog,
  entryOf,
  keyOfEntry,
  readEntry,
  verifyChain,
  type ReadEntry,
} from '../../../src/domain/audit.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { stack, unique } from '../../support/stack.ts';
import { act, anEnvironment, failureOf, textOf } from '../support/run-activity.ts';

const prefix = unique('audit');
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
let storage: ObjectStorage;
let target: string;

beforeAll(() => {
  storage = open();
});
afterAll(() => {
  storage.close();
});
beforeEach(() => {
  target = unique('shop');
});

function open(change: Partial<Parameters<typeof createObjectStorage>[0]> = {}): ObjectStorage {
  const { bucket, endpoint, region } = stack().s3;
  return createObjectStorage({ bucket, endpoint, region, prefix, ...change });
}

/** The store with another behaviour of some methods. */
function storageWith(change: Partial<ObjectStorage>): ObjectStorage {
  return { ...storage, ...change };
}

/** What one worker does, with a memory of its own. */
function aWorker(where = storage): (request: AppendRequest) => Promise<Appended> {
  const { appendAudit } = createAuditActivities({
    storage: where,
    gatewayFor: () => {
      throw new Error('no cluster is needed');
    },
  });
  return (request) => act(appendAudit, request);
}

function events(run: string, count: number, from = 1): AuditEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${run}/${from + index}`,
    at: new Date().toISOString(),
    kind: 'change',
    sentence: `event ${from + index} of ${run}`,
  }));
}

function aRequest(run: string, some: AuditEvent[], after?: Checkpoint): AppendRequest {
  const ref = { workflowId: run, firstRunId: run, procedure: 'rollingUpdate' };
  return { target, run: ref, events: some, ...(after === undefined ? {} : { after }) };
}

async function keys(): Promise<string[]> {
  const found: string[] = [];
  for await (const key of storage.list(auditFolder(target))) found.push(key);
  return found;
}

/** The whole log; fails the test when it is not whole. */
async function log(): Promise<ReadEntry[]> {
  const entries: ReadEntry[] = [];
  for (const key of await keys()) {
    const { bytes } = (await storage.read(key))!;
    entries.push(readEntry(target, { key, bytes }, sha256));
  }
  expect(verifyChain(target, entries).findings).toEqual([]);
  return entries;
}

async function ids(): Promise<(string | undefined)[]> {
  return (await log()).map(({ entry }) => entry?.id);
}

const idsOf = (some: AuditEvent[]): string[] => some.map(({ id }) => id);

describe('one worker', () => {
  test('writes events in their order, and says where the log stands', async () => {
    const some = events('a', 3);
    const { state, checkpoint } = await aWorker()(aRequest('a', some));
    expect(await ids()).toEqual(idsOf(some));
    expect(await keys()).toEqual([1, 2, 3].map((number) => keyOfEntry(target, number)));
    expect(state).toBe('kept');
    const report = verifyChain(target, await log());
    expect(checkpoint).toEqual(report.newest);
    expect((await log())[1]?.entry).toMatchObject({ procedure: 'rollingUpdate', sentence: 'event 2 of a' });
  });

  test('goes on where it was, and where another one is meanwhile', async () => {
    const [one, other] = [aWorker(), aWorker()];
    const first = await one(aRequest('a', events('a', 2)));
    await other(aRequest('b', events('b', 2)));
    const last = await one(aRequest('a', events('a', 2, 3), first.checkpoint));
    expect(await ids()).toEqual(['a/1', 'a/2', 'b/1', 'b/2', 'a/3', 'a/4']);
    expect(last.checkpoint?.sequence).toBe(6);
  });

  test('without events writes nothing', async () => {
    expect(await aWorker()(aRequest('a', []))).toEqual({ state: 'kept' });
    expect(await keys()).toEqual([]);
    const { checkpoint } = await aWorker()(aRequest('a', events('a', 1)));
    expect(await aWorker()(aRequest('b', []))).toEqual({ state: 'kept', checkpoint });
  });

  test('without a bucket says so', async () => {
    const { appendAudit } = createAuditActivities({
      storage: undefined,
      gatewayFor: () => undefined as never,
    });
    expect(await act(appendAudit, aRequest('a', events('a', 1)))).toEqual({ state: 'notConfigured' });
  });

  test('finds the end of a log of more than one page', async () => {
    let head = emptyLog(target);
    const files = events('old', 1003).map((event) => {
      const entry = entryOf(event, head, aRequest('old', []).run, sha256);
      head = { target, sequence: entry.sequence, head: sha256(bytesOf(entry)) };
      return { key: keyOfEntry(target, entry.sequence), bytes: bytesOf(entry) };
    });
    for (let from = 0; from < files.length; from += 50)
      await Promise.all(
        files.slice(from, from + 50).map(({ key, bytes }) => storage.putOnce(key, bytes, 'application/json')),
      );
    const { checkpoint } = await aWorker()(aRequest('a', events('a', 1)));
    expect(checkpoint?.sequence).toBe(1004);
  });
});

describe('exactly once', () => {
  const some = (): AuditEvent[] => events('a', 5);

  test('an attempt that is repeated writes nothing, with and without a hint, on any worker', async () => {
    const worker = aWorker();
    const { checkpoint } = await worker(aRequest('z', events('z', 2)));
    const [first, hinted] = [some(), aRequest('b', events('b', 5), checkpoint)];
    for (const by of [worker, worker, aWorker()]) {
      await by(aRequest('a', first));
      await by(hinted);
    }
    expect(await ids()).toEqual(['z/1', 'z/2', ...idsOf(first), ...idsOf(hinted.events)]);
  });

  test.each([0, 1, 2, 3, 4])(
    'killed right after write %i, the next attempt writes only what is missing, also after others',
    async (after) => {
      let puts = 0;
      const dying = storageWith({
        putOnce: async (...put) => {
          const result = await storage.putOnce(...put);
          if (puts++ === after) throw Object.assign(new Error(), { name: 'TimeoutError' });
          return result;
        },
      });
      const request = aRequest('a', some());
      const failure = await failureOf(aWorker(dying)(request));
      expect(failure).toMatchObject({ type: 'StorageUnavailable', nonRetryable: false });
      const others = events('b', 3);
      await aWorker()(aRequest('b', others));
      await aWorker()(request);
      expect((await ids()).sort()).toEqual([...idsOf(request.events), ...idsOf(others)].sort());
    },
  );

  test('an attempt that wakes up after the next one has done everything writes nothing', async () => {
    let wake: () => void = () => undefined;
    const asleep = new Promise<void>((resolve) => {
      wake = resolve;
    });
    let puts = 0;
    const slow = storageWith({
      putOnce: async (...put) => {
        if (puts++ === 2) await asleep;
        return await storage.putOnce(...put);
      },
    });
    const request = aRequest('a', some());
    const zombie = aWorker(slow)(request);
    const others = events('b', 3);
    // The zombie has written two by the time that the second one is there.
    await waitFor(async () => ((await keys()).length === 2 ? true : undefined), {
      what: 'the zombie to write two entries',
      timeoutMilliseconds: 20_000,
    });
    await aWorker()(aRequest('b', others));
    await aWorker()(request);
    wake();
    await zombie;
    expect((await ids()).sort()).toEqual([...idsOf(request.events), ...idsOf(others)].sort());
  });

  test('an attempt that only begins after the next one has done everything writes nothing', async () => {
    const request = aRequest('a', some());
    await aWorker()(request);
    await aWorker()(aRequest('b', events('b', 3)));
    await aWorker()(request);
    expect(await ids()).toHaveLength(8);
  });

  test('a call that says more than an earlier one that was given up writes only the rest', async () => {
    const all = some();
    await aWorker()(aRequest('a', all.slice(0, 3)));
    await aWorker()(aRequest('a', all));
    expect(await ids()).toEqual(idsOf(all));
  });

  test('of old entries only the newest is read, when it was stored before the events', async () => {
    await aWorker()(aRequest('old', events('old', 40)));
    const reads: string[] = [];
    const old = storageWith({
      read: async (key, signal) => {
        reads.push(key);
        const object = await storage.read(key, signal);
        return object && { ...object, storedAt: new Date(Date.now() - 6 * 60_000) };
      },
    });
    await aWorker(old)(aRequest('a', events('a', 1)));
    expect(await ids()).toHaveLength(41);
    expect(reads.length).toBeLessThan(40);
    expect(reads[0]).toBe(keyOfEntry(target, 40));
  });

  test('ten workers at once, each with twenty events: the chain is whole, every id is there once', async () => {
    const requests = Array.from({ length: 10 }, (_, index) =>
      aRequest(`run-${index}`, events(`run-${index}`, 20)),
    );
    const ended = await Promise.all(requests.map((request) => aWorker()(request)));
    const written = await ids();
    expect(written).toHaveLength(200);
    expect(new Set(written)).toEqual(new Set(requests.flatMap((request) => idsOf(request.events))));
    for (const { events: own } of requests)
      expect(written.filter((id) => id?.startsWith(`${own[0]!.id.split('/')[0]!}/`))).toEqual(idsOf(own));
    const report = verifyChain(target, await log());
    for (const { checkpoint } of ended) expect(compareWithCheckpoint(report, checkpoint!).verdict).toBe('ok');
  });
});

describe('a log that does not fit is not continued', () => {
  async function replace(sequence: number, body: string): Promise<void> {
    await storage.put(keyOfEntry(target, sequence), body, 'application/json');
  }

  async function expectRefusal(request: AppendRequest, sentence: RegExp, worker = aWorker()): Promise<void> {
    const before = await keys();
    const failure = await failureOf(worker(request));
    expect(failure).toMatchObject({ type: 'AuditBroken', nonRetryable: true });
    expect(failure.message).toMatch(sentence);
    expect(failure.message).toContain(target);
    expect(await keys()).toEqual(before);
  }

  test.each([' ', 'no JSON', '{}', '{"version":"audit/1"}'])('when the newest entry is %j', async (body) => {
    await aWorker()(aRequest('a', events('a', 3)));
    await replace(3, body);
    await expectRefusal(aRequest('b', events('b', 1)), /^entry 3 of the audit log .* so nothing was written/);
  });

  test('when an entry was altered that this worker, or the run, has seen', async () => {
    const worker = aWorker();
    const { checkpoint } = await worker(aRequest('a', events('a', 3)));
    const { bytes } = (await storage.read(keyOfEntry(target, 3)))!;
    await replace(3, Buffer.from(bytes).toString().replace('event 3', 'event 4'));
    const another = /entry 3 of the audit log .* is another one than the one that was written/;
    await expectRefusal(aRequest('b', events('b', 1)), another, worker);
    await expectRefusal(aRequest('a', events('a', 1, 4), checkpoint), another);
  });

  test('when a link is broken after what the run has seen', async () => {
    const first = await aWorker()(aRequest('a', events('a', 2)));
    await aWorker()(aRequest('b', events('b', 2)));
    const { bytes } = (await storage.read(keyOfEntry(target, 3)))!;
    await replace(3, Buffer.from(bytes).toString().replace('event 1', 'event 9'));
    const sentence = /entry 4 of the audit log .* was not written after the entry before it/;
    await expectRefusal(aRequest('a', events('a', 1, 3), first.checkpoint), sentence);
  });

  test.each([2, 3])('when entry %i of three is gone, and the run has seen what was there', async (gone) => {
    const { checkpoint } = await aWorker()(aRequest('a', events('a', gone - 1)));
    const whole = await aWorker()(aRequest('b', events('b', 4 - gone)));
    await storageWithout(gone);
    const seen = gone === 3 ? whole.checkpoint : checkpoint;
    await expectRefusal(
      aRequest('a', events('a', 1, gone), seen),
      new RegExp(`entry ${gone} of the audit log .* is missing`),
    );
  });

  /** Deletes by hand what no part of the product can delete. */
  async function storageWithout(sequence: number): Promise<void> {
    const { bucket, endpoint, region } = stack().s3;
    const client = createS3Client({ endpoint, region });
    await client.send(
      new DeleteObjectCommand({ Bucket: bucket, Key: `${prefix}/${keyOfEntry(target, sequence)}` }),
    );
    client.destroy();
  }

  test('when an event has the id of another one', async () => {
    const [event] = events('a', 1);
    await aWorker()(aRequest('a', [event!]));
    await expectRefusal(
      aRequest('a', [{ ...event!, sentence: 'other' }]),
      /has the id of an event of this run/,
    );
  });

  test('an event that nobody could read back is refused before it is written', async () => {
    const [event] = events('a', 1);
    const failure = await failureOf(aWorker()(aRequest('a', [{ ...event!, id: '' }])));
    expect(failure.type).toBe('Internal');
    expect(await keys()).toEqual([]);
  });
});

test('a store that is down, unknown or refusing is StorageUnavailable, and shows no request', async () => {
  for (const change of [{ endpoint: 'http://127.0.0.1:1' }, { bucket: 'no-such-bucket' }]) {
    const other = open(change);
    const failure = await failureOf(aWorker(other)(aRequest('a', events('a', 1))));
    other.close();
    expect(failure.type).toBe('StorageUnavailable');
    expect(failure.nonRetryable).toBe(false);
    expect(failure.message).toMatch(/^the audit log could not be read or written: [A-Za-z]+$/);
    expect(textOf(failure)).not.toContain(stack().s3.secretAccessKey);
  }
});

test('a cancelled activity ends as cancelled', async () => {
  const environment = anEnvironment();
  const hanging = storageWith({
    putOnce: (_key, _body, _type, signal) =>
      new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => {
          reject(Object.assign(new Error(), { name: 'AbortError' }));
        });
        environment.cancel();
      }),
  });
  const { appendAudit } = createAuditActivities({ storage: hanging, gatewayFor: () => undefined as never });
  await expect(act(appendAudit, aRequest('a', events('a', 1)), environment)).rejects.toThrow(/cancel/i);
});

describe('the store', () => {
  test('of many puts of one key at once exactly one writes', async () => {
    const key = `${target}/once`;
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, index) => storage.putOnce(key, String(index), 'text/plain')),
    );
    expect(results.filter((result) => result === 'written')).toHaveLength(1);
    expect(await storage.get(key)).toBe(String(results.indexOf('written')));
  });

  test('lists keys without the prefix, after a key, and none where there are none', async () => {
    for (const name of ['a', 'b', 'c']) await storage.put(`${target}/${name}`, name, 'text/plain');
    const listed = async (startAfter?: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const key of storage.list(`${target}/`, startAfter)) found.push(key);
      return found;
    };
    expect(await listed()).toEqual([`${target}/a`, `${target}/b`, `${target}/c`]);
    expect(await listed(`${target}/b`)).toEqual([`${target}/c`]);
    expect(await listed(`${target}/c`)).toEqual([]);
  });

  test('reads bytes as they are, and what is not there as nothing', async () => {
    await storage.put(`${target}/mark`, '\ufeffx', 'text/plain');
    expect(Buffer.from((await storage.read(`${target}/mark`))!.bytes).toString('hex')).toBe('efbbbf78');
    expect(await storage.read(`${target}/none`)).toBeUndefined();
  });
});
