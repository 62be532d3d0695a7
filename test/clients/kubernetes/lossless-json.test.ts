import { describe, expect, test } from '@jest/globals';
import { parseLossless, stringifyLossless } from '../../../src/clients/kubernetes/lossless-json.ts';

function roundTrip(text: string): string {
  return stringifyLossless(parseLossless(text));
}

describe('lossless JSON', () => {
  test.each([
    ['the largest safe integer', '{"n":9007199254740991}'],
    ['the first integer that doubles cannot hold', '{"n":9007199254740993}'],
    ['the largest int64', '{"n":[9223372036854775807,-9223372036854775808]}'],
    ['an integer that is longer than int64', '{"n":123456789012345678901234567890}'],
    ['a key named __proto__', '{"data":{"__proto__":"x","a":"y"}}'],
    ['both at once', '{"__proto__":{"n":9007199254740993}}'],
    ['digits inside a text', '{"a":"[1234567890123456789]"}'],
  ])('keeps %s', (_what, text) => {
    expect(roundTrip(text)).toBe(text);
  });

  test('finds a long integer after white space', () => {
    expect(roundTrip('{"n":\n  9007199254740993}')).toBe('{"n":9007199254740993}');
  });

  test('leaves ordinary numbers as numbers, also beside a long one', () => {
    expect(parseLossless('[1, 1.5, 9007199254740993]')).toEqual([1, 1.5, JSON.rawJSON('9007199254740993')]);
  });

  test('does not let a parsed __proto__ change the prototype', () => {
    const value = parseLossless('{"__proto__":{"admin":true}}') as { admin?: boolean };
    expect(value.admin).toBeUndefined();
  });
});
