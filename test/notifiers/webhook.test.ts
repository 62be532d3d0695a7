import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { waitFor } from '../../src/local/wait.ts';
import { NotifierError } from '../../src/notifiers/notifier.ts';
import { createWebhookNotifier, signatureOf, type WebhookConfig } from '../../src/notifiers/webhook.ts';
import { aNotification, Receiver, type Answer } from './support/receiver.ts';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await Receiver.start();
});
afterEach(async () => {
  await receiver.close();
});

const never = new AbortController().signal;

function send(change: Partial<WebhookConfig> = {}, notification = aNotification()): Promise<void> {
  return createWebhookNotifier('ops', receiver.config(change)).send(notification, never);
}

async function errorAfter(answer: Answer, change: Partial<WebhookConfig> = {}): Promise<NotifierError> {
  receiver.answers.push(answer);
  const error: unknown = await send(change).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NotifierError);
  return error as NotifierError;
}

test('a notification is posted as JSON, with its key, the time, and a signature over both time and body', async () => {
  const before = Math.floor(Date.now() / 1000);
  await send();
  const [{ method, path, headers, body }] = receiver.received as [(typeof receiver.received)[0]];
  expect([method, path]).toEqual(['POST', '/hook/path-secret?token=query-secret']);
  expect(headers['content-type']).toBe('application/json');
  expect(headers['idempotency-key']).toBe('first-run/gate-1/opened');
  const timestamp = String(headers['runbook-timestamp']);
  expect(Number(timestamp)).toBeGreaterThanOrEqual(before);
  const { secret } = receiver.config();
  const hex = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  expect(headers['runbook-signature']).toBe(`sha256=${hex}`);
  expect(receiver.taken).toEqual(['first-run/gate-1/opened']);
});

test('the signature is the one that openssl makes', () => {
  expect(signatureOf('0123456789abcdef', '1772334000', '{}')).toBe(
    'sha256=33d214b26f2b64490b67a2c364922854d39c31a4ec6a07e1d47a09ec5cc6e6ff',
  );
});

test('the receiver that the documentation shows knows a genuine request, and no other', async () => {
  const page = readFileSync(new URL('../../docs/notifications.md', import.meta.url), 'utf8');
  const shown = /^```js\n(.*?)^```$/ms.exec(page)?.[1] ?? '';
  await send();
  const [{ headers, body }] = receiver.received as [(typeof receiver.received)[0]];
  const old = String(Number(headers['runbook-timestamp']) - 301);
  const requests = [
    [headers, body],
    [headers, `${body} `],
    [{ ...headers, 'runbook-timestamp': old }, body],
    // Genuine once, and replayed later.
    [
      { 'runbook-timestamp': old, 'runbook-signature': signatureOf(receiver.config().secret, old, body) },
      body,
    ],
    [{}, body],
  ];
  const judge = `console.log(JSON.stringify(${JSON.stringify(requests)}.map((one) => isGenuine(...one))))`;
  const judged = execFileSync(process.execPath, ['--input-type=module', '--eval', `${shown}\n${judge}`], {
    encoding: 'utf8',
    env: { ...process.env, WEBHOOK_SECRET: receiver.config().secret },
  });
  expect(JSON.parse(judged)).toEqual([true, false, false, false, false]);
});

test('another secret signs otherwise, and the receiver refuses it', async () => {
  const error = await send({ secret: 'another secret, long enough' }).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ retryable: false });
  expect((error as Error).message).toBe('channel ops refused with 401; look at its address and secret');
  expect(receiver.taken).toEqual([]);
});

test('sent twice, it has the same key, the receiver takes it once, and both are done', async () => {
  await send();
  await send();
  expect(receiver.received.map(({ headers }) => headers['idempotency-key'])).toEqual([
    'first-run/gate-1/opened',
    'first-run/gate-1/opened',
  ]);
  expect(receiver.taken).toEqual(['first-run/gate-1/opened']);
});

test('a key that no header may hold is percent-encoded', async () => {
  await send({}, aNotification({ id: 'täst run\r\nX-Evil: 1/%20' }));
  expect(receiver.received[0]?.headers['idempotency-key']).toBe('t%C3%A4st%20run%0D%0AX-Evil:%201/%20');
  expect(receiver.received[0]?.headers['x-evil']).toBeUndefined();
});

test.each([200, 201, 202, 204, 299, 409])('the status %d means done', async (status) => {
  receiver.answers.push({ status });
  await expect(send()).resolves.toBeUndefined();
});

test.each([429, 500, 502, 503, 599])('the status %d is worth another try', async (status) => {
  const error = await errorAfter({ status });
  expect(error).toMatchObject({ retryable: true, message: `channel ops answered ${status}` });
  expect(error.retryAfterSeconds).toBeUndefined();
});

test.each([400, 401, 403, 404, 408, 410, 422])('the status %d is final', async (status) => {
  expect(await errorAfter({ status })).toMatchObject({ retryable: false });
});

test.each([300, 301, 302, 303, 307, 308])(
  'the redirect %d is not followed, and the sentence says so',
  async (status) => {
    const elsewhere = await Receiver.start();
    const error = await errorAfter({ status, headers: { location: elsewhere.url } });
    expect(error.retryable).toBe(false);
    expect(error.message).toContain('a redirect, which is not followed');
    expect(error.message).not.toContain('127.0.0.1');
    expect(elsewhere.received).toEqual([]);
    await elsewhere.close();
  },
);

describe('Retry-After', () => {
  const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toUTCString();

  test.each([
    ['0', 0],
    ['1', 1],
    ['59', 59],
    ['60', 60],
    ['61', 60],
    ['99999999999999999999', 60],
    ['soon', undefined],
    ['-1', 0],
    ['', undefined],
  ])('%j is taken as %p', async (value, expected) => {
    const error = await errorAfter({ status: 503, headers: { 'retry-after': value } });
    expect(error.retryAfterSeconds).toBe(expected);
  });

  test('may be a date: one in the past is now, one far away is at most a minute', async () => {
    const after = async (seconds: number): Promise<number | undefined> =>
      (await errorAfter({ status: 429, headers: { 'retry-after': inSeconds(seconds) } })).retryAfterSeconds;
    expect(await after(-100)).toBe(0);
    expect(await after(1000)).toBe(60);
    const soon = await after(30);
    expect(soon).toBeGreaterThan(20);
    expect(soon).toBeLessThanOrEqual(30);
  });
});

test('a receiver that hangs up, or is not there, is worth another try', async () => {
  const hungUp = await errorAfter('hang up');
  expect(hungUp).toMatchObject({ retryable: true });
  expect(hungUp.message).toMatch(/^channel ops cannot be reached \([A-Z_]+\)$/);
  const gone = createWebhookNotifier('ops', receiver.config({ url: 'http://127.0.0.1:1/secret' }));
  const error = await gone.send(aNotification(), never).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ retryable: true, message: 'channel ops cannot be reached (ECONNREFUSED)' });
});

test('a receiver that says nothing is given up after five seconds', async () => {
  const before = Date.now();
  const error = await errorAfter('silence');
  expect(error).toMatchObject({
    retryable: true,
    message: 'channel ops cannot be reached (no answer within 5 s)',
  });
  expect(Date.now() - before).toBeGreaterThanOrEqual(4900);
  expect(Date.now() - before).toBeLessThan(10_000);
}, 15_000);

test('the caller ends it at once, with its own reason', async () => {
  receiver.answers.push('silence');
  const controller = new AbortController();
  const end = createWebhookNotifier('ops', receiver.config()).send(aNotification(), controller.signal);
  const ended = end.catch((reason: unknown) => reason);
  await waitFor(() => Promise.resolve(receiver.received[0]), {
    what: 'the request to arrive',
    timeoutMilliseconds: 5000,
  });
  const reason = new Error('the activity was cancelled');
  controller.abort(reason);
  expect(await ended).toBe(reason);
});

test('an answer is not read: neither a large one nor one without end holds anything up', async () => {
  receiver.answers.push({ status: 200, body: 'x'.repeat(5_000_000) });
  await send();
  receiver.answers.push({ status: 200, headers: { 'content-length': '1000000' }, body: 'cut' });
  await send();
  await waitFor(() => Promise.resolve(receiver.connections === 0 ? true : undefined), {
    what: 'every connection to end',
    timeoutMilliseconds: 5000,
  });
});

test('no error tells of the address, the secret or the answer', async () => {
  const answers: Answer[] = [
    { status: 500, body: 'answer-secret' },
    { status: 403, body: 'answer-secret' },
    { status: 302, headers: { location: 'http://elsewhere.example/answer-secret' } },
    'hang up',
  ];
  for (const answer of answers) {
    const error = await errorAfter(answer);
    const everything = [error.message, error.stack, String(error.cause), JSON.stringify(error)].join('\n');
    for (const secret of [
      '127.0.0.1',
      'path-secret',
      'query-secret',
      'answer-secret',
      receiver.config().secret,
    ])
      expect(everything).not.toContain(secret);
  }
});
