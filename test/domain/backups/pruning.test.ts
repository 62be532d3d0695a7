import { describe, expect, test } from '@jest/globals';
import type { Removal } from '../../../src/contracts/prune-backups.ts';
import { readBegun } from '../../../src/domain/backups/begun.ts';
import {
  describePlans,
  describeRemovals,
  isNothing,
  tableOfPlans,
  locationNames,
  planOf,
  type FoundBackups,
} from '../../../src/domain/backups/pruning.ts';

const none = { hourly: 0, daily: 0, weekly: 0, monthly: 0 };

function idOf(number: number): string {
  const time = new Date(Date.UTC(2026, 0, 1) + number * 3_600_000).toISOString();
  return `${time.slice(0, 10).replaceAll('-', '')}-${time.slice(11, 19).replaceAll(':', '')}-0a1b2c3d`;
}

function found(count: number, change: Partial<FoundBackups> = {}): FoundBackups {
  const backups = Array.from({ length: count }, (_, index) => ({
    backupId: idOf(index),
    complete: true,
    verified: false,
  }));
  return { location: 'near', at: 's3://b/', backups, orphans: [], uploads: 0, strange: [], ...change };
}

describe('a plan is bounded, and counts what it leaves out', () => {
  test.each([
    ['under', 500, 499, 0],
    ['exactly', 501, 500, 0],
    ['over', 502, 500, 1],
  ])('%s the most removals of one run', (_what, count, remove, later) => {
    const plan = planOf(found(count), none);
    expect([plan.kept, plan.remove.length, plan.later]).toEqual([1, remove, later]);
    // The oldest go first, so that a run which ends early has removed what is needed least.
    expect(plan.remove[0]).toBe(idOf(0));
    expect(plan.verdicts).toHaveLength(100);
    const { rows, notes } = tableOfPlans([plan], []);
    expect([rows.length, notes]).toEqual([
      100,
      ['near: s3://b/', `near: ${count - 100} older backups are not in the table`],
    ]);
  });

  test.each([
    [20, 0],
    [21, 1],
  ])('%i strange things: all counted', (count, more) => {
    const strange = Array.from({ length: count }, (_, index) => ({ what: `x${index}`, why: 'strange' }));
    const plan = planOf(found(1, { strange }), none);
    expect([plan.strange.length, plan.strangeCount]).toEqual([20, count]);
    const { notes } = tableOfPlans([plan], []);
    expect(notes.includes('near: 1 more to be looked at')).toBe(more === 1);
  });

  test('orphans beyond a hundred are left for a later run', () => {
    const orphans = Array.from({ length: 101 }, (_, index) => idOf(index)).toReversed();
    expect(planOf(found(0, { orphans }), none).orphans).toEqual(orphans.toReversed().slice(0, 100));
  });
});

test('a sentence says what stays and what goes in every location', () => {
  const one = planOf(found(3), none);
  const two = planOf(
    found(1, { location: 'far', orphans: [idOf(9)], uploads: 2, strange: [{ what: 'x', why: 'y' }] }),
    none,
  );
  expect(describePlans([one, two])).toBe('near: 1 stay, 2 go; far: 1 stay, 3 leftovers, 1 to be looked at');
  expect([isNothing([one]), isNothing([two]), isNothing([planOf(found(1), none)]), isNothing([])]).toEqual([
    false,
    false,
    true,
    true,
  ]);
  expect(tableOfPlans([two], ['near was not pruned'])).toEqual({
    title: 'Backups',
    head: ['location', 'backup', 'verdict', 'why'],
    rows: [
      ['far', idOf(0), 'keep', 'newest, newest complete'],
      ['far', idOf(9), 'remove', 'it was never finished, and its run has ended'],
      ['far', 'x', 'look at it', 'y'],
    ],
    notes: ['far: s3://b/', 'far: 2 interrupted uploads to be aborted', 'near was not pruned'],
  });
});

test('removals are summed, and what a lock holds back is not passed over', () => {
  const one: Removal = { backups: 1, objects: 4, bytes: 2048, locked: [], uploads: 0 };
  const two: Removal = { backups: 0, objects: 0, bytes: 0, locked: ['a', 'b'], uploads: 1 };
  expect(describeRemovals([one])).toBe('1 backup with 4 objects (2.0 KiB)');
  expect(describeRemovals([one, two])).toBe(
    '1 backup with 4 objects (2.0 KiB), 1 interrupted upload, 2 held back by a lock',
  );
  expect(describeRemovals([])).toBe('nothing');
  const late: Removal = { backups: 0, objects: 0, bytes: 0, locked: [], uploads: 0, gone: 1 };
  expect(describeRemovals([late])).toBe('nothing, 1 backup was gone already');
  expect(describeRemovals([one, late, late])).toBe(
    '1 backup with 4 objects (2.0 KiB), 2 backups were gone already',
  );
});

test('a policy without locations has one, which is called default', () => {
  expect(locationNames({ locations: [] })).toEqual(['default']);
});

describe('who made a backup', () => {
  const begun = {
    run: { workflowId: 'w', firstRunId: 'f', procedure: 'backup' },
    at: '2026-11-27T10:00:00Z',
    temporalNamespace: 'n',
    temporalCluster: 'c',
  };

  test('is read with the Temporal that knows it', () => {
    expect(readBegun(JSON.stringify(begun))).toEqual(begun);
  });

  test.each([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['without a run', JSON.stringify({ ...begun, run: undefined })],
    ['without a cluster', JSON.stringify({ ...begun, temporalCluster: undefined })],
    ['with an empty id', JSON.stringify({ ...begun, run: { ...begun.run, workflowId: '' } })],
    ['with an endless id', JSON.stringify({ ...begun, run: { ...begun.run, workflowId: 'w'.repeat(1001) } })],
  ])('is not known when the file is %s', (_what, json) => {
    expect(readBegun(json)).toBeUndefined();
  });
});
