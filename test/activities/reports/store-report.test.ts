import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createReportActivities } from '../../../src/activities/reports/index.ts';
import { createObjectStorage, type ObjectStorage } from '../../../src/clients/object-storage.ts';
import type { RunRecord } from '../../../src/contracts/run.ts';
import { aRecord, hostileTexts } from '../../support/builders.ts';
import { stack, unique } from '../../support/stack.ts';
import { act, anEnvironment, failureOf, textOf } from '../support/run-activity.ts';

let storage: ObjectStorage;
const prefix = unique('reports');
beforeAll(() => {
  storage = open();
});
afterAll(() => {
  storage.close();
});

function open(change: Partial<Parameters<typeof createObjectStorage>[0]> = {}): ObjectStorage {
  const { bucket, endpoint, region } = stack().s3;
  return createObjectStorage({ bucket, endpoint, region, prefix, ...change });
}

function storingIn(where: ObjectStorage | undefined) {
  const activities = createReportActivities({ storage: where });
  return (record: RunRecord) => activities.storeReport(record);
}

async function store(record: RunRecord, where: ObjectStorage | undefined = storage) {
  return await act(storingIn(where), record);
}

/** The two objects of a run. */
async function stored({ run, target }: RunRecord): Promise<{ json: string; page: string }> {
  const folder = `reports/${target ?? 'unknown-target'}/${run.firstRunId}`;
  return { json: await storage.get(`${folder}/report.json`), page: await storage.get(`${folder}/report.md`) };
}

/** The failure of storing in a store that this options describe. */
async function failureIn(change: Partial<Parameters<typeof createObjectStorage>[0]>) {
  const other = open(change);
  try {
    return await failureOf(store(record('run-lost'), other));
  } finally {
    other.close();
  }
}

function record(firstRunId: string, change: Partial<RunRecord> = {}): RunRecord {
  return aRecord({ run: { workflowId: 'web', firstRunId, procedure: 'rollingUpdate' }, ...change });
}

test('a report is stored as data and as a page, and its address and digest are returned', async () => {
  const one = record('run-1');
  const evidence = await store(one);
  const { json, page } = await stored(one);
  expect(JSON.parse(json)).toEqual(one);
  expect(page).toContain('Rolled out.');
  expect(evidence).toEqual({
    state: 'stored',
    location: `s3://${stack().s3.bucket}/${prefix}/reports/shop/run-1/report.json`,
    sha256: createHash('sha256').update(json).digest('hex'),
  });
});

test('stored twice, a report has the same address and the same bytes', async () => {
  const one = record('run-2');
  const first = await store(one);
  const before = await stored(one);
  expect(await store(one)).toEqual(first);
  expect(await stored(one)).toEqual(before);
});

test('a run that never found its target has a report, too', async () => {
  const { target: ignored, ...rest } = record('run-3', { outcome: 'failed' });
  expect(ignored).toBe('shop');
  expect(await store(rest)).toMatchObject({ state: 'stored' });
});

test('text from elsewhere stays data in the page and whole in the data', async () => {
  const texts = hostileTexts.filter((text) => text.isWellFormed() && text.length < 1000);
  const one = record('run-4', {
    reason: texts.join(' '),
    requestedBy: texts[2]!,
    error: texts[0]!,
    steps: texts.map((text) => ({
      name: text,
      state: 'failed',
      startedAt: '2026-03-01T03:00:00Z',
      note: text,
    })),
  });
  await store(one);
  const { json, page } = await stored(one);
  expect(JSON.parse(json)).toEqual(one);
  expect(page).not.toContain('<script>');
  expect(page).not.toContain('[link](http://evil.example)');
  for (const mark of ['\u0000', '\u001b', '\u202e']) expect(page).not.toContain(mark);
});

test('without a bucket the report stays in the result of the run', async () => {
  expect(await act(storingIn(undefined), record('run-5'))).toMatchObject({
    state: 'notConfigured',
  });
});

test('storage that is down, unknown or refusing is StorageUnavailable, repeated, and shows no request', async () => {
  const down = await failureIn({ endpoint: 'http://127.0.0.1:1' });
  const unknown = await failureIn({ bucket: 'no-such-bucket' });
  expect(down.message).toMatch(/^the report could not be stored: [A-Za-z]+$/);
  expect(unknown.message).toBe('the report could not be stored: NoSuchBucket');
  for (const failure of [down, unknown]) {
    expect(failure.type).toBe('StorageUnavailable');
    expect(failure.nonRetryable).toBe(false);
    expect(textOf(failure)).not.toContain(stack().s3.accessKeyId);
    expect(textOf(failure)).not.toContain(stack().s3.secretAccessKey);
    expect(textOf(failure)).not.toContain('Rolled out');
  }
});

test('storage that takes the connection and stays silent is given up, or at once on cancellation', async () => {
  const silent: Server = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  silent.on('connection', (socket) => socket.on('error', () => undefined));
  const failure = await failureIn({ endpoint, silenceMilliseconds: 200 });
  // The request and the whole call have the same time: either may notice first.
  expect(failure.message).toMatch(/^the report could not be stored: (ETIMEDOUT|TimeoutError)$/);

  const other = open({ endpoint });
  const environment = anEnvironment();
  const connected = once(silent, 'connection');
  const end = act(storingIn(other), record('run-6'), environment);
  const ended = failureOf(end);
  ended.catch(() => undefined);
  const [socket] = (await connected) as [{ destroy(): void }];
  environment.cancel();
  await expect(ended).rejects.toThrow(/cancel/i);
  socket.destroy();
  other.close();
  silent.close();
});
