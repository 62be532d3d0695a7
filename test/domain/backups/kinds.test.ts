import { describe, expect, test } from '@jest/globals';
import { isBuiltIn, kindsToRead, type ServedKind } from '../../../src/domain/backups/kinds.ts';

const all = ['create', 'get', 'list'];

function served(apiVersion: string, plural: string, verbs = all): ServedKind {
  return { apiVersion, kind: plural, plural, namespaced: true, verbs };
}

const names = (kinds: ServedKind[]): string[] =>
  kindsToRead(kinds).map((one) => `${one.apiVersion} ${one.plural}`);

describe('each kind is read once', () => {
  test('in the preferred version, which comes first', () => {
    const kinds = [served('autoscaling/v2', 'scalers'), served('autoscaling/v1', 'scalers')];
    expect(names(kinds)).toEqual(['autoscaling/v2 scalers']);
  });

  test('in another version when the preferred one does not have it', () => {
    const kinds = [
      served('batch/v1', 'jobs'),
      served('batch/v1beta1', 'cronjobs'),
      served('batch/v1beta1', 'jobs'),
    ];
    expect(names(kinds)).toEqual(['batch/v1 jobs', 'batch/v1beta1 cronjobs']);
  });

  test('in its own group and not in an older one that shows the same objects', () => {
    const kinds = [
      served('extensions/v1beta1', 'ingresses'),
      served('extensions/v1beta1', 'deployments'),
      served('networking.k8s.io/v1', 'ingresses'),
      served('apps/v1', 'deployments'),
      served('authorization.openshift.io/v1', 'roles'),
      served('rbac.authorization.k8s.io/v1', 'roles'),
    ];
    expect(names(kinds)).toEqual([
      'networking.k8s.io/v1 ingresses',
      'apps/v1 deployments',
      'rbac.authorization.k8s.io/v1 roles',
    ]);
  });

  test('in the older group when no other has it', () => {
    expect(names([served('extensions/v1beta1', 'ingresses')])).toEqual(['extensions/v1beta1 ingresses']);
  });

  test('kinds of two groups with the same plural are two', () => {
    expect(names([served('a.example/v1', 'things'), served('b.example/v1', 'things')])).toHaveLength(2);
  });
});

test.each([
  ['listed and created', all, 1],
  ['not listed', ['create', 'get'], 0],
  ['not created', ['get', 'list', 'watch'], 0],
  ['used in no way', [], 0],
])('a kind that can be %s counts as %j: %i', (_what, verbs, count) => {
  expect(kindsToRead([served('v1', 'things', verbs)])).toHaveLength(count);
});

test('a version in which it can be listed is taken before one in which it cannot', () => {
  const kinds = [served('x.example/v2', 'things', ['create']), served('x.example/v1', 'things')];
  expect(names(kinds)).toEqual(['x.example/v1 things']);
});

test.each([
  ['', true],
  ['apps', true],
  ['rbac.authorization.k8s.io', true],
  ['snapshot.storage.k8s.io', false],
  ['metrics.k8s.io', false],
  ['example.com', false],
])('the group %j is of Kubernetes itself: %p', (group, expected) => {
  expect(isBuiltIn(group)).toBe(expected);
});
