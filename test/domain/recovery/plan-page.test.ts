import { describe, expect, test } from '@jest/globals';
import type { ObjectVerdict } from '../../../src/contracts/recovery.ts';
import {
  canonicalLine,
  canonicalPlanText,
  nameOf,
  planPage,
  summariseRecovery,
} from '../../../src/domain/recovery/plan-page.ts';
import { hostileTexts } from '../../support/builders.ts';

const facts = {
  backupId: '20260301-030000-0a1b2c3d',
  manifestSha256: 'a'.repeat(64),
  from: 'shop',
  into: 'shop',
  profileDigest: 'b'.repeat(64),
};
const one = (change: Partial<ObjectVerdict> = {}): ObjectVerdict => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  namespace: 'shop',
  name: 'web',
  verdict: 'create',
  write: 'create',
  because: 'it is missing',
  uid: null,
  ...change,
});
const many = (
  count: number,
  change: (index: number) => Partial<ObjectVerdict> = () => ({}),
): ObjectVerdict[] =>
  Array.from({ length: count }, (_, index) => one({ name: `n${index}`, ...change(index) }));

describe('the summary of a plan', () => {
  test('counts first, then what is worst, kind by kind in the order of the restore', () => {
    expect(
      summariseRecovery(
        facts,
        [
          one({ verdict: 'unchanged', because: 'it is as in the backup' }),
          one({ kind: 'Service' }),
          ...many(5),
          one({ verdict: 'conflict', because: 'it differs, and onConflict is skip' }),
          one({ verdict: 'update', write: 'replace', because: 'refused' }),
          one({ verdict: 'update', write: 'update', because: 'it differs' }),
          one({ kind: 'StatefulSet', apiVersion: 'apps/v1', verdict: 'blocked', because: 'no data' }),
        ],
        ['a note'],
      ),
    ).toEqual([
      'backup 20260301-030000-0a1b2c3d into namespace shop: 11 objects: 1 blocked, 1 conflict, 2 update, 6 create, 1 unchanged',
      'blocked, will not be restored: 1 StatefulSet.apps (web): no data',
      'conflict, stays as it is: 1 ConfigMap (web): it differs, and onConflict is skip',
      'DELETED AND MADE ANEW: 1 ConfigMap (web): refused',
      'update: 1 ConfigMap (web): it differs',
      'create: 5 ConfigMap (n0, n1, n2 and 2 more): it is missing',
      'create: 1 Service (web): it is missing',
      'unchanged: 1 ConfigMap (web)',
      'a note',
    ]);
  });

  test('keeps a line for each, whatever the roles are called', () => {
    for (const name of hostileTexts) {
      const verdicts = [one({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', name })];
      for (const line of summariseRecovery(facts, verdicts, [])) expect(line).not.toMatch(/[\n\r\u2028]/);
      expect(nameOf(verdicts[0]!)).not.toMatch(/[\n\r\u2028]/);
    }
  });

  test('says into which other namespace', () => {
    expect(summariseRecovery({ ...facts, into: 'copy' }, [], [])).toEqual([
      'backup 20260301-030000-0a1b2c3d into namespace copy (from shop): 0 objects: no objects',
    ]);
  });

  test.each([
    [49, 50],
    [50, 50],
    [10_000, 50],
  ])('of %i groups has at most 50 lines', (groups, lines) => {
    const summary = summariseRecovery(
      facts,
      many(groups, (index) => ({ because: `reason ${index}` })),
      [],
    );
    expect(summary).toHaveLength(Math.min(lines, groups + 1));
    if (groups > 49) expect(summary.at(-1)).toBe(`… and ${groups - 48} more groups; the whole plan has them`);
  });

  test('keeps its notes whole when the groups are too many', () => {
    const summary = summariseRecovery(
      facts,
      many(100, (index) => ({ because: `reason ${index}` })),
      ['x', 'y'],
    );
    expect(summary).toHaveLength(50);
    expect(summary.slice(-2)).toEqual(['x', 'y']);
  });

  test('of 50,000 objects is made in the blink of an eye, and shows the worst', () => {
    const verdicts = [...many(50_000), one({ verdict: 'blocked', because: 'no data' })];
    expect(summariseRecovery(facts, verdicts, [])).toHaveLength(3);
    expect(summariseRecovery(facts, verdicts, [])[1]).toContain('blocked');
  });

  test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
    'has one line for hostile text %j',
    (_name, text) => {
      for (const line of summariseRecovery(facts, [one({ because: text, verdict: 'conflict' })], [text]))
        expect(line).not.toMatch(/[\n\r\u2028]/);
    },
  );
});

describe('the hash of a plan', () => {
  const text = (verdicts: ObjectVerdict[], change = {}): string =>
    canonicalPlanText({ ...facts, ...change }, verdicts.map(canonicalLine));
  const verdicts = [one(), one({ name: 'a' }), one({ kind: 'Secret' })];

  test('does not depend on the order of the objects', () => {
    expect(text([...verdicts].reverse())).toBe(text(verdicts));
  });

  test.each([
    ['another verdict', [one({ verdict: 'conflict' }), ...verdicts.slice(1)], {}],
    ['another object there', [one({ uid: 'u' }), ...verdicts.slice(1)], {}],
    ['another value', [one({ changes: [{ path: 'data/a', after: '1' }] }), ...verdicts.slice(1)], {}],
    ['one object fewer', verdicts.slice(1), {}],
    ['another backup', verdicts, { manifestSha256: 'c'.repeat(64) }],
    ['another namespace', verdicts, { into: 'other' }],
    ['another profile', verdicts, { profileDigest: 'd'.repeat(64) }],
  ])('differs with %s', (_case, others, change) => {
    expect(text(others, change)).not.toBe(text(verdicts));
  });
});

describe('the page of a plan', () => {
  const page = (verdicts: ObjectVerdict[]): string => [...planPage(facts, verdicts)].join('\n');

  test('has a chapter for each verdict, worst first, and every object with what would change', () => {
    const changes = [
      { path: 'data/a', before: 1, after: 'two' },
      { path: 'data/b', hidden: true as const },
      { path: 'data/c', after: null },
    ];
    const lines = page([
      one(),
      one({ verdict: 'update', write: 'update', because: 'it differs', changes }),
    ]).split('\n');
    expect(lines.slice(4)).toEqual([
      '2 objects: 1 update, 1 create.',
      '',
      '## update: 1',
      '',
      '- ConfigMap shop/web: it differs',
      '  - data/a: 1 → two',
      '  - data/b: differs \\(not shown\\)',
      '  - data/c: \\(none\\) → null',
      '',
      '## create: 1',
      '',
      '- ConfigMap shop/web: it is missing',
      '',
    ]);
  });

  test('names objects without a namespace by name alone', () => {
    const { namespace: ignored, ...cluster } = one({ kind: 'Namespace' });
    expect(page([cluster])).toContain('- Namespace web: ');
  });
});
