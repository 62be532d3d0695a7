import { describe, expect, test } from '@jest/globals';
import { formatQuantity, parseQuantity } from '../../src/domain/quantity.ts';

describe('a Kubernetes quantity', () => {
  test.each([
    ['0', 0],
    ['1', 1],
    [4, 4],
    [0.5, 0.5],
    ['500m', 0.5],
    ['250u', 0.00025],
    ['1n', 1e-9],
    ['.5', 0.5],
    ['1.', 1],
    ['1.5Gi', 1.5 * 2 ** 30],
    ['1Ki', 1024],
    ['128Mi', 134217728],
    ['1k', 1000],
    ['2M', 2e6],
    ['1E', 1e18],
    ['1Ei', 2 ** 60],
    ['2e3', 2000],
    ['2E3', 2000],
    ['12e-1', 1.2],
    ['+1', 1],
    ['-1', -1],
    [1e21, 1e21],
  ])('%j is %d', (text, value) => {
    expect(parseQuantity(text)).toBeCloseTo(value, 12);
  });

  test.each<{ text: unknown }>([
    { text: '' },
    { text: ' 1' },
    { text: '1 ' },
    { text: '1Kib' },
    { text: 'Gi' },
    { text: '1KI' },
    { text: '1g' },
    { text: '.' },
    { text: 'e3' },
    { text: '1e' },
    { text: '--1' },
    { text: '1\n' },
    { text: 'NaN' },
    { text: NaN },
    { text: Infinity },
    { text: null },
    { text: undefined },
    { text: true },
    { text: {} },
    { text: [] },
    { text: { constructor: 1 } },
    { text: 'constructor' },
  ])('$text is none', ({ text }) => {
    expect(parseQuantity(text)).toBeUndefined();
  });

  test('a megabyte of digits is read at once', () => {
    const startedAt = performance.now();
    expect(parseQuantity(`${'1'.repeat(1_000_000)}x`)).toBeUndefined();
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

describe('a number for people', () => {
  test.each([
    [0, '0'],
    [0.1 * 3, '0.3'],
    [3, '3'],
    [1023, '1023'],
    [1024, '1Ki'],
    [1536 * 1024, '1536Ki'],
    [512 * 2 ** 20, '512Mi'],
    [2 ** 31, '2Gi'],
    [-1024, '-1024'],
  ])('%d is %s', (value, text) => {
    expect(formatQuantity(value)).toBe(text);
  });
});
