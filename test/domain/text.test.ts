import { describe, expect, test } from '@jest/globals';
import { excerpt, oneLine } from '../../src/domain/text.ts';

describe('text from elsewhere', () => {
  test.each([
    ['one line\nof two', 'one line of two'],
    ['a\u0000\u001b[2Jb', 'a [2Jb'],
    ['a\u2028b\u2029c', 'a b c'],
    ['shown\u202ein reverse', 'shown in reverse'],
    ['naïve 日本 🚀', 'naïve 日本 🚀'],
  ])('%j becomes one printable line', (text, line) => {
    expect(oneLine(text)).toBe(line);
  });

  test('half a surrogate pair becomes valid Unicode: a server refuses a failure message that is not', () => {
    expect(oneLine('a\ud800b').isWellFormed()).toBe(true);
    expect(excerpt(`${'x'.repeat(58)}🚀${'x'.repeat(10)}`).isWellFormed()).toBe(true);
  });

  test.each([
    ['under', 'x'.repeat(59), 59],
    ['exactly', 'x'.repeat(60), 60],
    ['over', 'x'.repeat(61), 60],
    ['a megabyte', 'x'.repeat(1_000_000), 60],
  ])('an excerpt of 60 characters, text %s', (_case, text, length) => {
    expect(excerpt(text)).toHaveLength(length);
    expect(excerpt(text).endsWith('…')).toBe(text.length > 60);
  });
});
