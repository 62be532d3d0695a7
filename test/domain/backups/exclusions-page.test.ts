import { expect, test } from '@jest/globals';
import { renderExclusions } from '../../../src/domain/backups/exclusions-page.ts';
import { excludedKinds, excludedObjects } from '../../../src/domain/backups/exclusions.ts';

const rows = renderExclusions().split('\n').slice(2);

test('every exclusion is a row with its reason', () => {
  expect(rows).toHaveLength(excludedKinds.length + 1 + excludedObjects.length);
  for (const { reason } of [...excludedKinds, ...excludedObjects])
    expect(rows.some((row) => row.endsWith(`| ${reason} |`))).toBe(true);
});

test('no cell breaks its row', () => {
  for (const row of rows) expect(row.split('|')).toHaveLength(4);
});

test('kinds are named with their group', () => {
  expect(rows[0]).toMatch(/^\| `Event` of the core group \| /);
  expect(rows[1]).toMatch(/^\| Every kind of the group `events\.k8s\.io` \| /);
});
