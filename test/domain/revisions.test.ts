import { describe, expect, test } from '@jest/globals';
import type { Deployment } from '../../src/domain/deployment.ts';
import {
  chooseRevision,
  describeRevisions,
  listRevisions,
  type Revision,
} from '../../src/domain/revisions.ts';
import type { ReplicaSet } from '../../src/domain/rollout-health.ts';
import { aDeployment, aReplicaSet, at } from '../support/builders.ts';

/** The ReplicaSet of a revision with what the table reads. */
function kept(revision: number, annotations: Record<string, string> = {}): ReplicaSet {
  const plain = aReplicaSet(String(revision));
  return {
    ...plain,
    metadata: {
      ...plain.metadata,
      creationTimestamp: at(revision),
      annotations: { ...plain.metadata.annotations, ...annotations },
    },
    spec: { template: { spec: { containers: [{ name: 'app', image: `web:${revision}` }] } } },
  };
}
const history = (...numbers: number[]): Revision[] =>
  listRevisions(
    numbers.map((number) => kept(number)),
    aDeployment(),
  );
const chosen = (revisions: Revision[], current: number, wanted?: number): unknown => {
  const choice = chooseRevision(revisions, current, wanted);
  return 'refusal' in choice ? choice.refusal : choice.number;
};

test('the revisions are those that the Deployment controls, newest first, by number and not by text', () => {
  const foreign = kept(4);
  foreign.metadata.ownerReferences = [];
  const unnumbered = kept(5);
  unnumbered.metadata.annotations = {};
  const odd = kept(6, { 'deployment.kubernetes.io/revision': '6,7' });
  const found = listRevisions([kept(2), foreign, kept(10), unnumbered, odd, kept(9)], aDeployment());
  expect(found.map(({ number }) => number)).toEqual([10, 9, 2]);
});

describe('the revision to go back to', () => {
  test.each([
    ['without a wish: the highest below the current one', history(1, 3, 5), 5, undefined, 3],
    [
      'after an undo the former one has the higher number and is gone from below',
      history(1, 4, 5),
      4,
      undefined,
      1,
    ],
    ['one that was asked for', history(1, 3, 5), 5, 1, 1],
    ['one above the current one, if the controller keeps it', history(1, 4, 5), 4, 5, 5],
    ['not the current one', history(1, 3, 5), 5, 5, 'revision 5 is the current one; there are 3, 1'],
    ['not one that is gone', history(1, 3, 5), 5, 2, 'revision 2 does not exist any more; there are 3, 1'],
    ['none earlier', history(5), 5, undefined, 'there is no revision before the current one, 5'],
    ['none but later ones', history(5, 6), 5, undefined, 'there is no revision before the current one, 5'],
    ['no other at all', history(5), 5, 5, 'revision 5 is the current one; there is no other one'],
    ['nothing at all', [], 5, 4, 'revision 4 does not exist any more; there is no other one'],
  ])('%s', (_case, revisions, current, wanted, expected) => {
    expect(chosen(revisions, current, wanted)).toBe(expected);
  });
});

describe('the table of revisions', () => {
  const show = (
    replicaSets: ReplicaSet[],
    current: number,
    wish: number,
    deployment = aDeployment(),
  ): string[] =>
    describeRevisions(listRevisions(replicaSets, deployment), { current, chosen: wish }, deployment);

  test('has images, cause, time and author of each, and marks the current and the chosen one', () => {
    const lines = show(
      [
        kept(1),
        kept(2, { 'kubernetes.io/change-cause': 'CVE fix', 'runbook/change': 'fix/42/first/Change' }),
        kept(3),
      ],
      3,
      1,
    );
    expect(lines).toEqual([
      `revision 3 (current): app web:3 | cause: not given | created ${at(3)} | by unknown`,
      `revision 2: app web:2 | cause: CVE fix | created ${at(2)} | by run fix/42`,
      `revision 1 (chosen): app web:1 | cause: not given | created ${at(1)} | by unknown`,
    ]);
  });

  test('names for the current revision who owns the pod template, and since when', () => {
    const owns: NonNullable<Deployment['metadata']['managedFields']>[number]['fieldsV1'] = {
      'f:spec': { 'f:template': {} },
    };
    const deployment = aDeployment({
      metadata: {
        managedFields: [
          { manager: 'kubectl-set', time: at(7), fieldsV1: owns },
          { manager: 'hpa', subresource: 'scale', fieldsV1: owns },
          { manager: 'kube-controller-manager', fieldsV1: { 'f:metadata': {} } },
          { fieldsV1: owns },
          {},
        ],
      },
    });
    const [current, earlier] = show([kept(2), kept(1)], 2, 1, deployment);
    expect(current).toContain(`by kubectl-set at ${at(7)}, unknown`);
    expect(earlier).toContain('by unknown');
  });

  test('takes an inherited annotation for no author: someone else made the later revision', () => {
    const marker = { 'runbook/change': 'run/first/Change' };
    const lines = show([kept(1), kept(2, marker), kept(3, marker)], 3, 1);
    expect(lines[0]).toContain('by unknown');
    expect(lines[1]).toContain('by run run');
  });

  test.each(['', 'x', 'a/b', '//'])('the annotation %j names no run', (marker) => {
    expect(show([kept(1, { 'runbook/change': marker })], 2, 1)[0]).toContain('by unknown');
  });

  test.each([
    [15, 15, undefined],
    [16, 16, '… and 1 older revision'],
    [40, 16, '… and 25 older revisions'],
  ])(
    'of %d revisions has %d lines, and never leaves out the current or the chosen one',
    (count, lines, last) => {
      const all = Array.from({ length: count }, (_, index) => kept(index + 1));
      const table = show(all, count, 1);
      expect(table).toHaveLength(lines);
      expect(table[0]).toContain(`revision ${count} (current)`);
      expect(table.some((line) => line.startsWith('revision 1 (chosen)'))).toBe(true);
      if (last !== undefined) expect(table.at(-1)).toBe(last);
    },
  );

  test('keeps text from elsewhere on one short line', () => {
    const [line = ''] = show([kept(1, { 'kubernetes.io/change-cause': `a\nb${'x'.repeat(1000)}` })], 2, 1);
    expect(line.length).toBeLessThan(400);
    expect(line).not.toContain('\n');
  });
});
