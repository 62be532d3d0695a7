import { describe, expect, test } from '@jest/globals';
import {
  controllerUid,
  desiredReplicas,
  matchesSelector,
  selectorText,
  surge,
} from '../../src/domain/deployment.ts';
import { aDeployment, aPod } from '../support/builders.ts';

describe('surge', () => {
  test.each([
    ['absent strategy: a quarter, rounded up', 3, undefined, 1],
    ['25% of 4 exactly', 4, '25%', 1],
    ['25% of 5', 5, '25%', 2],
    ['a percentage that binary fractions would round up wrongly', 100, '29%', 29],
    ['0%', 10, '0%', 0],
    ['100%', 3, '100%', 3],
    ['a number', 10, 2, 2],
    ['zero', 10, 0, 0],
    ['a number beyond the replicas: no more new pods start than are desired', 1, 3, 1],
    ['a percentage beyond the replicas', 2, '300%', 2],
    ['no replicas: nothing starts', 0, 1, 0],
  ])('%s', (_case, replicas, maxSurge, pods) => {
    const strategy = maxSurge === undefined ? {} : { strategy: { rollingUpdate: { maxSurge } } };
    expect(surge(aDeployment({ spec: { replicas, ...strategy } }))).toBe(pods);
  });

  test('Recreate stops the old pods first', () => {
    expect(surge(aDeployment({ spec: { strategy: { type: 'Recreate' } } }))).toBe(0);
  });

  test.each(['', '25', '-1%', 'many', '1.5%'])('%j is no percentage, so the surge is unknown', (maxSurge) => {
    expect(surge(aDeployment({ spec: { strategy: { rollingUpdate: { maxSurge } } } }))).toBeUndefined();
  });
});

test('a Deployment without replicas wants one, with zero none', () => {
  const absent = aDeployment();
  delete absent.spec.replicas;
  expect(desiredReplicas(absent)).toBe(1);
  expect(desiredReplicas(aDeployment({ spec: { replicas: 0 } }))).toBe(0);
});

test('the controlling owner counts, another owner does not', () => {
  expect(controllerUid(aPod())).toBe('replicaset-2');
  const owner = { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'node' };
  expect(controllerUid(aPod({ metadata: { ownerReferences: [owner] } }))).toBeUndefined();
  const orphan = aPod();
  delete orphan.metadata.ownerReferences;
  expect(controllerUid(orphan)).toBeUndefined();
});

test('a selector is written as the API server reads it', () => {
  expect(
    selectorText({
      matchLabels: { app: 'web', tier: 'front' },
      matchExpressions: [
        { key: 'a', operator: 'In', values: ['x', 'y'] },
        { key: 'b', operator: 'NotIn', values: ['z'] },
        { key: 'c', operator: 'Exists' },
        { key: 'd', operator: 'DoesNotExist' },
      ],
    }),
  ).toBe('app=web,tier=front,a in (x,y),b notin (z),c,!d');
  expect(selectorText({})).toBe('');
});

describe('a label selector', () => {
  const labels = { app: 'web' };

  test.each([
    ['the same label', { matchLabels: { app: 'web' } }, true],
    ['another value', { matchLabels: { app: 'api' } }, false],
    ['a label that is missing', { matchLabels: { tier: 'front' } }, false],
    ['an empty selector selects everything', {}, true],
    ['no selector selects nothing', undefined, false],
    ['In', { matchExpressions: [{ key: 'app', operator: 'In', values: ['api', 'web'] }] }, true],
    ['In, label missing', { matchExpressions: [{ key: 'tier', operator: 'In', values: ['x'] }] }, false],
    ['NotIn', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }, false],
    ['NotIn, label missing', { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['x'] }] }, true],
    ['Exists', { matchExpressions: [{ key: 'app', operator: 'Exists' }] }, true],
    ['DoesNotExist', { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] }, false],
    [
      'all of its parts',
      { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] },
      false,
    ],
  ])('%s', (_case, selector, matches) => {
    expect(matchesSelector(labels, selector)).toBe(matches);
  });

  test('a label called constructor is missing like any other, though every object inherits one', () => {
    expect(matchesSelector(labels, { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] })).toBe(
      false,
    );
    expect(
      matchesSelector(labels, { matchExpressions: [{ key: 'constructor', operator: 'DoesNotExist' }] }),
    ).toBe(true);
  });
});
