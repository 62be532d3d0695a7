import { describe, expect, test } from '@jest/globals';
import { divide, mostTransfers } from '../../../src/domain/backups/transfers.ts';

const kind = (plural: string, estimate: number): { plural: string; estimate: number } => ({
  plural,
  estimate,
});

describe('kinds are divided among transfers', () => {
  test.each([
    ['nothing at all', 0, 1],
    ['under what is worth a transfer', 2499, 1],
    ['exactly that', 2500, 1],
    ['one object more', 2501, 2],
    ['what the most transfers are worth', 2500 * mostTransfers, mostTransfers],
    ['more than that', 2500 * mostTransfers + 1, mostTransfers],
    ['a hundred times more', 250_000 * mostTransfers, mostTransfers],
  ])('%s', (_, objects, transfers) => {
    const kinds = Array.from({ length: 40 }, (_one, index) =>
      kind(`kind${index}`, Math.floor(objects / 40) + (index < objects % 40 ? 1 : 0)),
    );
    const divided = divide(kinds);
    expect(divided).toHaveLength(transfers);
    expect(
      divided
        .flat()
        .map(({ plural }) => plural)
        .sort(),
    ).toEqual(kinds.map(({ plural }) => plural).sort());
  });

  test('a kind stays whole, however large', () => {
    expect(divide([kind('secrets', 100_000), kind('pods', 1)])).toEqual([
      [kind('secrets', 100_000)],
      [kind('pods', 1)],
    ]);
  });

  // Regression: three dozen small objects had three transfers, since there were ten thousand Secrets beside them.
  test('small kinds beside a large one share one transfer', () => {
    const small = [kind('pods', 20), kind('services', 10), kind('roles', 3)];
    expect(divide([...small, kind('secrets', 100_000)])).toEqual([[kind('secrets', 100_000)], small]);
  });

  test.each([
    ['under what is worth a transfer', 2499, 1],
    ['exactly that', 2500, 2],
    ['over it', 2501, 2],
  ])('one kind beside a small one: %s', (_, objects, transfers) => {
    expect(divide([kind('secrets', objects), kind('pods', 1)])).toHaveLength(transfers);
  });

  test('no transfer is empty, and none there are without kinds', () => {
    expect(divide([kind('secrets', 100_000)])).toEqual([[kind('secrets', 100_000)]]);
    expect(divide([])).toEqual([]);
  });

  test('the same kinds are always divided in the same way, and not changed', () => {
    const kinds = [kind('a', 3000), kind('b', 10), kind('c', 2000), kind('d', 10)];
    const before = structuredClone(kinds);
    expect(divide(kinds)).toEqual(divide(kinds));
    expect(kinds).toEqual(before);
  });
});
