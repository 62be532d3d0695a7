import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { rollingUpdateExample, rollingUpdateRequestSchema } from '../../src/contracts/rolling-update.ts';
import { describeIssues, readRequest } from '../../src/domain/requests.ts';
import { hostileTexts, seeded } from '../support/builders.ts';
import { randomJson } from '../support/random-json.ts';

const schema = z.strictObject({ count: z.number().int().min(1).max(5), on: z.boolean().optional() });
const example = { count: 2 };

const message = (input: unknown): string => {
  const result = readRequest('tidyUp', schema, input, example);
  return result.ok ? 'accepted' : result.message;
};
const help = 'An input that works: {"count":2}';

describe('reading a request', () => {
  test('gives the request', () => {
    expect(readRequest('tidyUp', schema, { count: 5 }, example)).toEqual({ ok: true, request: { count: 5 } });
  });

  test('takes nothing for an empty object', () => {
    const optional = z.strictObject({ on: z.boolean().optional() });
    expect(readRequest('tidyUp', optional, undefined, {}).ok).toBe(true);
    expect(readRequest('tidyUp', optional, null, {}).ok).toBe(true);
  });

  test.each([
    ['text', 'count=2', 'a string'],
    ['a number', 2, 'a number'],
    ['a list', [{ count: 2 }], 'a list'],
    ['true', true, 'true or false'],
  ])('refuses %s', (_case, input, named) => {
    expect(message(input)).toBe(`tidyUp: the input must be one JSON object, not ${named}. ${help}`);
  });

  test('names every fault at once', () => {
    expect(message({ count: '2', on: 1, colour: 'red' })).toBe(
      'tidyUp: 3 faults in the input: count: must be a number, not a string; on: must be true or false, not a number; unknown field "colour". ' +
        help,
    );
  });

  test.each([
    [{}, 'count: must be a number; it is missing'],
    [{ count: null }, 'count: must be a number, not null'],
    [{ count: [2] }, 'count: must be a number, not a list'],
    [{ count: { a: 1 } }, 'count: must be a number, not an object'],
    [{ count: 0 }, 'count: must be at least 1'],
    [{ count: 6 }, 'count: must be at most 5'],
    [{ count: 1.5 }, 'count: must be a whole number'],
  ])('%j: %s', (input, fault) => {
    expect(message(input)).toContain(`one fault in the input: ${fault}. `);
  });

  test.each([
    [10, ''],
    [11, '; and 1 more'],
  ])('of %d unknown fields the tenth is the last that is named', (count, more) => {
    const extra = Object.fromEntries(Array.from({ length: count }, (_, index) => [`field${index}`, 1]));
    expect(message({ count: 2, ...extra })).toContain(`unknown field "field9"${more}. `);
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))('never echoes %j', (_name, text) => {
    const inputs = [
      text,
      { [text]: text },
      { image: text },
      { images: { [text]: text } },
      { image: 'a:1', target: text, reason: text, requestedBy: text, workload: text },
    ];
    for (const input of inputs) {
      const result = readRequest('rollingUpdate', rollingUpdateRequestSchema, input, rollingUpdateExample);
      expect(result.ok ? '' : result.message).not.toMatch(/[\p{Cc}\p{Cs}]/u);
      expect(result.ok ? '' : result.message).not.toContain('x'.repeat(100));
      expect(result.ok ? 0 : result.message.length).toBeLessThan(1500);
    }
  });

  test('a key __proto__ is an unknown field like any other', () => {
    expect(message(JSON.parse('{"count":2,"__proto__":{"on":true}}'))).toContain('unknown field "__proto__"');
  });

  test('nesting without end is no trouble', () => {
    const deep = JSON.parse('['.repeat(5000) + ']'.repeat(5000)) as unknown;
    expect(message({ count: deep })).toContain('count: must be a number, not a list');
    expect(message({ deep })).toContain('unknown field "deep"');
  });

  test('never throws, whatever the JSON', () => {
    const random = seeded(11);
    for (let round = 0; round < 1500; round++) {
      const junk = randomJson(random, 4);
      const fields = ['target', 'dryRun', 'reason', 'requestedBy', 'workload', 'image', 'images'];
      const field = fields[Math.floor(random() * fields.length)] ?? 'image';
      for (const input of [junk, { [field]: junk }, { image: 'a:1', [field]: junk }]) {
        const result = readRequest('rollingUpdate', rollingUpdateRequestSchema, input, rollingUpdateExample);
        if (!result.ok) expect(result.message).toContain('An input that works');
      }
    }
  });
});

describe('the faults of a schema', () => {
  const faults = (of: z.ZodType, input: unknown): string[] => {
    const parsed = of.safeParse(input);
    return parsed.success ? [] : describeIssues(parsed.error);
  };

  test.each<[string, z.ZodType, unknown, string]>([
    ['text too short', z.string().min(1), '', 'must be at least 1 character long'],
    ['text too long', z.string().max(2), 'abc', 'must be at most 2 characters long'],
    ['a list too long', z.array(z.number()).max(1), [1, 2], 'must be at most 1 item'],
    ['a choice', z.enum(['a', 'b']), 'c', 'must be one of a, b'],
    ['a record', z.record(z.string(), z.number()), 5, 'must be an object, not a number'],
    [
      'a name in a record',
      z.record(z.string().regex(/^a/, 'must begin with a'), z.number()),
      { b: 1 },
      'b: this name must begin with a',
    ],
    [
      'deep inside',
      z.object({ a: z.array(z.object({ b: z.string() })) }),
      { a: [{ b: 1 }] },
      'a.0.b: must be a string, not a number',
    ],
    ['a message of ours', z.string().regex(/x/, 'must hold an x'), 'y', 'must hold an x'],
  ])('%s', (_case, of, input, fault) => {
    expect(faults(of, input)).toEqual([fault]);
  });
});
