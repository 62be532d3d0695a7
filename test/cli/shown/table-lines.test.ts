import { expect, test } from '@jest/globals';
import { tableLines } from '../../../src/cli/follow-run.ts';

test('a table of a report is shown in columns, with its notes, and steers no terminal', () => {
  const table = {
    title: 'Backups',
    head: ['backup', 'fate', 'why'],
    rows: [
      ['20260301-030000-0a1b2c3d', 'stays', 'newest'],
      ['20260228-030000-0a1b2c3d', 'goes', 'older\u001B[2J'],
    ],
    notes: ['1 more'],
  };
  expect(tableLines(table)).toEqual([
    'Backups:',
    'backup                    fate   why',
    '20260301-030000-0a1b2c3d  stays  newest',
    '20260228-030000-0a1b2c3d  goes   older\uFFFD[2J',
    '1 more',
  ]);
  expect(tableLines(undefined)).toEqual([]);
});
