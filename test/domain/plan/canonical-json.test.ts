import { describe, expect, test } from '@jest/globals';
import { canonicalJson } from '../../../src/domain/plan/canonical-json.ts';
import { parseLossless } from '../../../src/clients/kubernetes/lossless-json.ts';
import { seeded } from '../../support/builders.ts';
import { randomJson, shuffleKeys } from '../../support/random-json.ts';

describe('canonical JSON by RFC 8785', () => {
  test('the example of section 3.2.2', () => {
    const input: unknown = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`);
    expect(canonicalJson(input)).toBe(
      String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
    );
  });

  test('keys are sorted by UTF-16 code units, as in section 3.2.3', () => {
    const input = { '\u20ac': 5, '\r': 1, '\ufb33': 7, '1': 2, '\ud83d\ude00': 6, '\u0080': 3, '\u00f6': 4 };
    expect(Object.values(JSON.parse(canonicalJson(input)) as object).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(canonicalJson(input)).toBe('{"\\r":1,"1":2,"\u0080":3,"ö":4,"€":5,"😀":6,"\ufb33":7}');
  });

  test.each([
    [0, '0'],
    [-0, '0'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [9007199254740992, '9007199254740992'],
    [295147905179352830000, '295147905179352830000'],
    [9.999999999999997e22, '9.999999999999997e+22'],
    [1e23, '1e+23'],
    [999999999999999900000, '999999999999999900000'],
    [1e21, '1e+21'],
    [9.999999999999997e-7, '9.999999999999997e-7'],
    [0.000001, '0.000001'],
    [333333333.33333325, '333333333.33333325'],
  ])('the number %d of appendix B', (value, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  test('an integer beyond 2^53 keeps its digits', () => {
    expect(canonicalJson(parseLossless('{"b":[9007199254740993],"a":-12345678901234567890}'))).toBe(
      '{"a":-12345678901234567890,"b":[9007199254740993]}',
    );
  });

  test('a frozen object with a key rawJSON is an object like any other', () => {
    expect(canonicalJson(Object.freeze({ rawJSON: '1', a: 2 }))).toBe('{"a":2,"rawJSON":"1"}');
  });

  test('keys that every object inherits are ordinary keys', () => {
    expect(canonicalJson(JSON.parse('{"constructor":1,"__proto__":{"b":1,"a":2}}'))).toBe(
      '{"__proto__":{"a":2,"b":1},"constructor":1}',
    );
  });

  test('absent members are left out, absent items are null', () => {
    expect(canonicalJson({ b: undefined, a: [undefined, null] })).toBe('{"a":[null,null]}');
  });

  test.each([
    ['NaN', NaN],
    ['Infinity', Infinity],
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a bigint', 1n],
    ['a date, which once counted as {}', new Date(0)],
    ['a map', new Map([[1, 2]])],
  ])('%s is refused', (_case, value) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
    expect(() => canonicalJson(typeof value === 'undefined' ? value : { a: [{ b: value }] })).toThrow(
      TypeError,
    );
  });

  test('does not depend on the order of keys, and says the same as the value', () => {
    const random = seeded(7);
    for (let round = 0; round < 500; round++) {
      const value = randomJson(random, 4);
      const text = canonicalJson(value);
      expect(canonicalJson(shuffleKeys(random, value))).toBe(text);
      expect(JSON.parse(text)).toEqual(value);
    }
  });
});
