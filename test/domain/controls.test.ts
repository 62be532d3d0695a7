import { describe, expect, test } from '@jest/globals';
import { readControl } from '../../src/domain/controls.ts';
import { hostileTexts } from '../support/builders.ts';

describe('what comes with pause, resume and abort', () => {
  test.each([
    undefined,
    null,
    7,
    true,
    'x',
    '',
    [],
    {},
    [{ by: 'Eve' }],
    { by: 5, reason: {} },
    { By: 'Eve' },
  ])('%j says nothing and is no error', (input) => {
    expect(readControl(input)).toEqual({});
  });

  test('a name and a reason are taken, and nothing else', () => {
    expect(readControl({ by: ' Ada ', reason: 'too slow\n', then: 'more' })).toEqual({
      by: 'Ada',
      reason: 'too slow',
    });
  });

  test.each(['', '   ', '\n\t', '\u202e', '\u0000'])('%j is no name', (text) => {
    expect(readControl({ by: text, reason: text })).toEqual({});
  });

  test.each([99, 100])('a name of %i characters is taken whole', (length) => {
    expect(readControl({ by: 'x'.repeat(length) }).by).toHaveLength(length);
  });

  test('a name has at most 100 characters, a reason 200; what is longer is cut and says so', () => {
    const { by, reason } = readControl({ by: 'x'.repeat(101), reason: 'y'.repeat(201) });
    expect(by).toBe(`${'x'.repeat(99)}…`);
    expect(reason).toBe(`${'y'.repeat(199)}…`);
  });

  test('a name that is cut in the middle of a character stays valid Unicode', () => {
    const { by = '' } = readControl({ by: `${'x'.repeat(98)}😀😀` });
    expect(by.isWellFormed()).toBe(true);
  });

  test.each(hostileTexts)('%#: any text becomes one line of valid Unicode', (text) => {
    const { by = '', reason = '' } = readControl({ by: text, reason: text });
    for (const line of [by, reason]) {
      expect(line).toMatch(/^\P{Cc}*$/u);
      expect(line).not.toMatch(/[\u2028\u2029\u202a-\u202e]/);
      expect(line.isWellFormed()).toBe(true);
      expect(line.length).toBeLessThanOrEqual(200);
    }
  });
});
