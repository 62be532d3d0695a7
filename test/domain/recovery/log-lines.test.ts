import { describe, expect, test } from '@jest/globals';
import { countErrors, errorMessageOf, mask, newErrors } from '../../../src/domain/recovery/log-lines.ts';
import { hostileTexts } from '../../support/builders.ts';

describe('an error line', () => {
  test.each([
    ['pino, error', '{"level":50,"msg":"cannot connect"}', 'cannot connect'],
    ['pino, fatal', '{"level":60,"msg":"out of memory"}', 'out of memory'],
    ['pino, just under', '{"level":49,"msg":"slow"}', undefined],
    ['pino, warning', '{"level":40,"msg":"slow"}', undefined],
    ['a word', '{"level":"error","message":"no"}', 'no'],
    ['another word', '{"severity":"CRITICAL","message":"no"}', 'no'],
    ['a word that is none', '{"level":"information","message":"error"}', undefined],
    ['no level', '{"msg":"error"}', undefined],
    ['an error object', '{"level":50,"err":{"message":"gone"}}', 'gone'],
    ['no message', '{"level":50}', '(no message)'],
    ['logfmt', 'time=now level=error msg="no route"', 'msg="no route"'],
    ['logfmt, info', 'level=info msg="ERROR: none"', undefined],
    ['a plain word', '2026-03-01 ERROR: no route', ': no route'],
    ['brackets', '[ERROR] no route', '] no route'],
    ['klog', 'E0301 12:00:00.123456       1 main.go:10] no route', '# main.go: # ] no route'],
    ['klog, info', 'I0301 12:00:00.123456       1 main.go:10] fine', undefined],
    ['a sentence about errors', 'finished without errors', undefined],
    ['broken JSON', '{"level":50,"msg":"cut o', undefined],
    ['nothing', '', undefined],
  ])('%s', (_case, line, expected) => {
    expect(errorMessageOf(line)).toBe(expected);
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    'of hostile text %j is short and one line',
    (_n, text) => {
      const message = errorMessageOf(JSON.stringify({ level: 50, msg: text })) ?? '';
      expect(message.length).toBeLessThanOrEqual(300);
      expect(message).not.toMatch(/[\n\r\u2028]/);
    },
  );
});

describe('a message is the same whatever', () => {
  test.each([
    ['the number', 'took 12 ms', 'took 3456 ms'],
    [
      'the id',
      'order 3f2504e0-4f89-41d3-9a0c-0305e82c3301 lost',
      'order 11111111-4f89-41d3-9a0c-0305e82c3301 lost',
    ],
    ['the address', 'connect ECONNREFUSED 10.0.0.1:6379', 'connect ECONNREFUSED 10.244.1.17:6380'],
    ['the time', 'at 2026-03-01T03:00:00Z failed', 'at 2026-04-02T03:10:00.123+02:00 failed'],
    ['the pod', 'web-7d4b9c6f5d-x2x9z is away', 'web-5c9d8b7f6b-k4m7z is away'],
    ['the digest', 'commit deadbeef12 missing', 'commit 0123abcdef missing'],
    ['the mail address', 'no user a@example.org', 'no user bob.b@example.com'],
  ])('%s', (_case, left, right) => {
    expect(mask(left)).toBe(mask(right));
    expect(mask(left)).toContain('#');
  });

  test('and another message stays another one', () => {
    expect(mask('cannot read 5 files')).not.toBe(mask('cannot write 5 files'));
  });

  test.each([
    'password=hunter2 refused',
    'token: abc refused',
    'Authorization: Bearer abc.def.ghi',
    'key sk_live_51H8abcdefghijklmnop refused',
    '{"secret":"hunter2"}',
  ])('no secret survives: %s', (line) => {
    expect(mask(line)).not.toMatch(/hunter2|abc|sk_live/);
  });
});

test('errors that the backup does not know are new, most frequent first', () => {
  const before = countErrors(['{"level":50,"msg":"took 5 ms"}']);
  const now = countErrors([
    '{"level":50,"msg":"took 7 ms"}',
    '{"level":50,"msg":"b"}',
    '{"level":50,"msg":"a"}',
    '{"level":50,"msg":"c 1"}',
    '{"level":50,"msg":"c 2"}',
    '{"level":30,"msg":"fine"}',
  ]);
  expect(newErrors(now, before)).toEqual([
    { message: 'c #', count: 2 },
    { message: 'a', count: 1 },
    { message: 'b', count: 1 },
  ]);
  expect(newErrors(before, before)).toEqual([]);
  expect(newErrors(new Map(), before)).toEqual([]);
});
