import { describe, expect, test } from '@jest/globals';
import type { DrillResult } from '../../src/contracts/drill.ts';
import { mostShown, readResult, trendPicture, trendRows } from '../../src/domain/drill-trend.ts';

const result: DrillResult = {
  version: 'drill/1',
  target: 'alecs',
  id: '0123abcd',
  startedAt: '2026-03-01T05:00:00.000Z',
  verdict: 'pass',
  backupId: '20260301-040000-0123abcd',
  recoverySeconds: 90,
  rtoSeconds: 900,
  dataLossSeconds: 1800,
  rpoSeconds: 3600,
  objects: 12,
  findings: [],
};

describe('a former result', () => {
  test('is read back as it was written', () => {
    expect(readResult(JSON.stringify(result))).toEqual(result);
    expect(readResult(JSON.stringify({ ...result, recoverySeconds: null }))?.recoverySeconds).toBeNull();
  });

  test.each([
    '',
    '[]',
    'null',
    '{',
    JSON.stringify({ ...result, version: 'drill/2' }),
    JSON.stringify({ ...result, recoverySeconds: '90' }),
    JSON.stringify({ ...result, recoverySeconds: -1 }),
    JSON.stringify({ ...result, startedAt: '<script>' }),
    JSON.stringify({ ...result, id: '../../x' }),
    JSON.stringify({ ...result, verdict: 'maybe' }),
  ])('that is none is passed over: %s', (text) => {
    expect(readResult(text)).toBeUndefined();
  });
});

test('a row says what was measured, and unknown for what was not', () => {
  expect(trendRows([result, { ...result, verdict: 'fail', recoverySeconds: null }])).toEqual([
    ['2026-03-01 05:00', 'pass', '90 s of 900 s', '1800 s of 3600 s', '12', '20260301-040000-0123abcd'],
    ['2026-03-01 05:00', 'fail', 'unknown', '1800 s of 3600 s', '12', '20260301-040000-0123abcd'],
  ]);
});

describe('the picture', () => {
  const bars = (svg: string): string[] => svg.match(/<rect x=[^>]*fill="#[0-9a-f]{6}"/g) ?? [];

  test('has a bar for each drill and objective, red where the limit was passed, grey where nothing is known', () => {
    const svg = trendPicture('alecs', [
      { ...result, recoverySeconds: 900 },
      { ...result, recoverySeconds: 901 },
      { ...result, recoverySeconds: null },
    ]);
    const colours = bars(svg).map((bar) => bar.slice(-8, -1));
    expect(colours).toEqual(['#2e7d32', '#c62828', '#757575', '#2e7d32', '#2e7d32', '#2e7d32']);
  });

  test('has the last twelve only', () => {
    const many = Array.from({ length: mostShown + 1 }, () => result);
    expect(bars(trendPicture('alecs', many))).toHaveLength(2 * mostShown);
  });

  test('of nothing is a picture, too', () => {
    expect(trendPicture('alecs', [])).toMatch(/^<svg .*<\/svg>\n$/s);
  });

  test('holds hostile text as text', () => {
    const svg = trendPicture('</title><script>alert("1")</script>', [
      { ...result, startedAt: '"><script>\u202e&\'' },
    ]);
    expect(svg).not.toContain('<script');
    expect(svg).not.toContain('\u202e');
    expect(svg).toContain('&#60;script&#62;');
  });
});
