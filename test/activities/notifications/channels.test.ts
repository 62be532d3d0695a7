import { afterAll, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createChannels } from '../../../src/activities/notifications/channels.ts';
import { NotifierError } from '../../../src/notifiers/notifier.ts';
import { hostileTexts } from '../../support/builders.ts';

const folder = mkdtempSync(join(tmpdir(), 'runbook-channels-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const secret = 'canary-secret-16';
const good = { kind: 'webhook', url: 'https://ops.example/canary-path', secret };

/** A folder with these files. */
function channelsOf(files: Record<string, unknown>): string {
  const own = mkdtempSync(join(folder, 'own-'));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(own, name), typeof content === 'string' ? content : JSON.stringify(content));
  return own;
}

/** The sentence that opening ends with; never retryable, since only a person can mend it. */
async function faultOf(own: string | undefined, name: string): Promise<string> {
  const error: unknown = await createChannels(own)
    .open(name)
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NotifierError);
  expect((error as NotifierError).retryable).toBe(false);
  return (error as NotifierError).message;
}

test('without a folder there is the log, and nothing else', async () => {
  const channels = createChannels(undefined);
  expect(await channels.files()).toEqual([]);
  expect((await channels.open('log')).name).toBe('log');
  expect(await faultOf(undefined, 'ops')).toBe('there is no channel "ops"; known channels: log');
});

test('the log is the log, whatever a file says, and when the folder is gone', async () => {
  expect((await createChannels(channelsOf({ 'log.json': '{' })).open('log')).name).toBe('log');
  expect((await createChannels(join(folder, 'nowhere')).open('log')).name).toBe('log');
});

test('every file is a channel, beside the log; other files are none', async () => {
  const own = channelsOf({ 'ops.json': good, 'chat.json': good, 'README.md': 'x', '.json': 'x' });
  const channels = createChannels(own);
  expect(await channels.files()).toEqual(['chat', 'ops']);
  expect((await channels.open('chat')).name).toBe('chat');
  expect(await faultOf(own, 'pager')).toBe('there is no channel "pager"; known channels: log, chat, ops');
});

test('a mounted Secret, whose files are links into a hidden folder, is read', async () => {
  const own = channelsOf({});
  mkdirSync(join(own, '..2026_03_01'));
  writeFileSync(join(own, '..2026_03_01', 'ops.json'), JSON.stringify(good));
  symlinkSync('..2026_03_01', join(own, '..data'));
  symlinkSync('..data/ops.json', join(own, 'ops.json'));
  const channels = createChannels(own);
  expect(await channels.files()).toEqual(['ops']);
  expect((await channels.open('ops')).name).toBe('ops');
});

test('a file is read anew each time: a rotated Secret counts at once', async () => {
  const own = channelsOf({ 'ops.json': good });
  const channels = createChannels(own);
  await channels.open('ops');
  writeFileSync(join(own, 'ops.json'), '{');
  await expect(channels.open('ops')).rejects.toThrow('channel file ops.json is not valid JSON');
  rmSync(join(own, 'ops.json'));
  await expect(channels.open('ops')).rejects.toThrow('there is no channel "ops"');
});

test.each(['../ops', '..', '/etc/passwd', 'ops.json', '', ...hostileTexts])(
  'the name %.20j is no path',
  async (name) => {
    const message = await faultOf(channelsOf({ 'ops.json': good }), name);
    expect(message).toMatch(/^there is no channel "/);
    expect(message.length).toBeLessThan(200);
  },
);

test.each([
  ['Ops.json', 'Ops'],
  ['a b.json', 'a b'],
  [`${'x'.repeat(64)}.json`, 'x'.repeat(64)],
])('the file %j cannot be a channel', async (file, name) => {
  expect(await faultOf(channelsOf({ [file]: good }), name)).toMatch(/its name must be/);
});

test('a folder that cannot be read says what to do', async () => {
  expect(await faultOf(join(folder, 'nowhere'), 'ops')).toMatch(/set RUNBOOK_NOTIFIERS to a folder/);
  await expect(createChannels(join(folder, 'nowhere')).files()).rejects.toThrow(NotifierError);
});

test('a channel must be a file, and no large one', async () => {
  const own = channelsOf({
    'large.json': ' '.repeat(64 * 1024 + 1),
    'exact.json': JSON.stringify(good).padEnd(64 * 1024),
  });
  mkdirSync(join(own, 'dir.json'));
  symlinkSync('nowhere', join(own, 'dangling.json'));
  expect(await faultOf(own, 'large')).toMatch(/must be a file of at most 65536 bytes$/);
  expect(await faultOf(own, 'dir')).toMatch(/must be a file of at most 65536 bytes$/);
  expect(await faultOf(own, 'dangling')).toBe('channel file dangling.json cannot be read (ENOENT)');
  expect((await createChannels(own).open('exact')).name).toBe('exact');
});

describe('the file of a webhook', () => {
  const fault = (content: unknown): Promise<string> => faultOf(channelsOf({ 'ops.json': content }), 'ops');

  test.each([
    ['not JSON', `{"secret": "${secret}"`, 'channel file ops.json is not valid JSON'],
    ['empty', '', 'channel file ops.json is not valid JSON'],
    ['a list', [good], 'must be an object'],
    ['of another kind', { ...good, kind: secret }, 'kind: must be webhook'],
    ['without a kind', { url: good.url, secret }, 'kind: must be webhook'],
    ['with an unknown field', { ...good, retries: 3 }, 'unknown field "retries"'],
    ['without an address', { kind: 'webhook', secret }, 'url: must be a string; it is missing'],
    ['without a secret', { kind: 'webhook', url: good.url }, 'secret: must be a string; it is missing'],
    [
      'with a short secret',
      { ...good, secret: 'x'.repeat(15) },
      'secret: must be at least 16 characters long',
    ],
    [
      'with another type',
      { ...good, secret: 7, allowInsecure: 'yes' },
      'allowInsecure: must be true or false',
    ],
    ['with no address', { ...good, url: secret }, 'url: must be an https address'],
    [
      'with another protocol',
      { ...good, url: `ftp://ops.example/${secret}` },
      'url: must be an https address',
    ],
    [
      'with credentials',
      { ...good, url: `https://ops:${secret}@ops.example` },
      'url: must not hold credentials',
    ],
    ['with http', { ...good, url: `http://ops.example/${secret}` }, 'url: must be https'],
    ['with a name like loopback', { ...good, url: 'http://127.0.0.1.ops.example/' }, 'url: must be https'],
  ])('%s is refused by field, without a value', async (_what, content, expected) => {
    const message = await fault(content);
    expect(message).toMatch(/^channel file ops\.json/);
    expect(message).toContain(expected);
    expect(message).not.toContain('canary');
    expect(message).not.toContain('ops.example');
  });

  test('all faults are named at once', async () => {
    expect(await fault({ kind: 'webhook', url: 'x', secret: 'x', more: 1 })).toMatch(
      /secret: .*; unknown field .*; url: /,
    );
  });

  test.each([
    ['a secret of 16 characters', {}],
    ['http to this machine', { url: 'http://127.0.0.1:8080/x' }],
    ['http to this machine by name', { url: 'http://localhost:8080/x' }],
    ['http to this machine, version 6', { url: 'http://[::1]:8080/x' }],
    ['http when it says so', { url: 'http://ops.example/x', allowInsecure: true }],
  ])('%s is fine', async (_what, change) => {
    const own = channelsOf({ 'ops.json': { ...good, ...change } });
    expect((await createChannels(own).open('ops')).name).toBe('ops');
  });
});
