import { afterAll, afterEach, beforeEach, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChannels, type Channels } from '../../../src/activities/notifications/channels.ts';
import { createNotificationActivities } from '../../../src/activities/notifications/index.ts';
import type { NotifyResult } from '../../../src/contracts/notification.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { aNotification, Receiver } from '../../notifiers/support/receiver.ts';
import { act, anEnvironment, failureOf, textOf } from '../support/run-activity.ts';

const folder = mkdtempSync(join(tmpdir(), 'runbook-notify-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

let ops: Receiver;
let chat: Receiver;
let printed: string[];
let channels: Channels;
beforeEach(async () => {
  ops = await Receiver.start();
  chat = await Receiver.start('the secret of the chat channel');
  writeFileSync(join(folder, 'ops.json'), JSON.stringify(ops.config()));
  writeFileSync(join(folder, 'chat.json'), JSON.stringify(chat.config()));
  printed = [];
  channels = createChannels(folder, (line) => printed.push(line));
});
afterEach(async () => {
  await ops.close();
  await chat.close();
});

function notify(names: string[], environment = anEnvironment()): Promise<NotifyResult> {
  const { notify: activity } = createNotificationActivities({ channels });
  return act(activity, { channels: names, notification: aNotification() }, environment);
}

test('every channel is told, each once, and named', async () => {
  expect(await notify(['ops', 'log', 'chat', 'ops'])).toEqual({ sent: ['ops', 'log', 'chat'], failed: [] });
  expect([ops.taken.length, chat.taken.length, printed.length]).toEqual([1, 1, 1]);
});

test('without channels nothing is done', async () => {
  expect(await notify([])).toEqual({ sent: [], failed: [] });
});

test('a channel that is unknown, faulty or refuses is named, and does not keep the others from hearing', async () => {
  writeFileSync(join(folder, 'bad.json'), '{}');
  ops.answers.push({ status: 403 });
  const { sent, failed } = await notify(['nobody', 'bad', 'ops', 'chat']);
  rmSync(join(folder, 'bad.json'));
  expect(sent).toEqual(['chat']);
  expect(failed).toEqual([
    { channel: 'nobody', sentence: 'there is no channel "nobody"; known channels: log, bad, chat, ops' },
    { channel: 'bad', sentence: 'channel file bad.json: kind: must be webhook' },
    { channel: 'ops', sentence: 'channel ops refused with 403; look at its address and secret' },
  ]);
});

test('a channel that asks to wait fails the attempt after all were told; the next one brings it home', async () => {
  ops.answers.push({ status: 503, headers: { 'retry-after': '7' } });
  chat.answers.push({ status: 429, headers: { 'retry-after': '900' } });
  const failure = await failureOf(notify(['ops', 'nobody', 'chat', 'log']));
  expect(failure).toMatchObject({ type: 'NotifierUnavailable', nonRetryable: false, nextRetryDelay: 60_000 });
  expect(failure.message).toMatch(
    /^channel ops answered 503; there is no channel "nobody".*; channel chat answered 429$/,
  );
  expect(printed).toHaveLength(1);

  expect((await notify(['ops', 'nobody', 'chat', 'log'])).sent).toEqual(['ops', 'chat', 'log']);
  for (const { received, taken } of [ops, chat]) {
    expect(received).toHaveLength(2);
    expect(received[0]?.headers['idempotency-key']).toBe(received[1]?.headers['idempotency-key']);
    expect(taken).toHaveLength(1);
  }
});

test('a channel that took it is told again by the next attempt, and knows it by its key', async () => {
  chat.answers.push('hang up');
  await failureOf(notify(['ops', 'chat']));
  expect(await notify(['ops', 'chat'])).toEqual({ sent: ['ops', 'chat'], failed: [] });
  expect(ops.received).toHaveLength(2);
  expect(ops.taken).toHaveLength(1);
});

test('no failure and no result tells of addresses or secrets', async () => {
  ops.answers.push('hang up', { status: 400 });
  const texts = [textOf(await failureOf(notify(['ops']))), JSON.stringify(await notify(['ops']))];
  for (const secret of ['127.0.0.1', 'path-secret', 'query-secret', ops.config().secret])
    expect(texts.join('\n')).not.toContain(secret);
});

test('a fault of a notifier is ours, and its text is not shown', async () => {
  channels = { ...channels, open: () => Promise.reject(new TypeError('canary')) };
  const failure = await failureOf(notify(['ops']));
  expect(failure).toMatchObject({ type: 'Internal', nonRetryable: true });
  expect(textOf(failure)).not.toContain('canary');
});

test('a cancelled attempt ends at once', async () => {
  ops.answers.push('silence');
  const environment = anEnvironment();
  const end = notify(['ops'], environment);
  const ended = expect(end).rejects.toThrow(/cancel/i);
  await waitFor(() => Promise.resolve(ops.received[0]), {
    what: 'the request',
    timeoutMilliseconds: 5000,
  });
  environment.cancel();
  await ended;
});
