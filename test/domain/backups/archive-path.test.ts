import { expect, test } from '@jest/globals';
import { archivePath } from '../../../src/domain/backups/archive-path.ts';

const pathOf = (name: string, kind: Partial<Parameters<typeof archivePath>[0]> = {}): string =>
  archivePath({ plural: 'configmaps', apiVersion: 'v1', namespaced: true, ...kind }, { metadata: { name } });

test.each([
  [{}, 'settings', 'configmaps/settings.json'],
  [{ plural: 'deployments', apiVersion: 'apps/v1' }, 'web', 'deployments.apps/web.json'],
  [
    { plural: 'clusterroles', apiVersion: 'rbac.authorization.k8s.io/v1', namespaced: false },
    'viewer',
    'cluster/clusterroles.rbac.authorization.k8s.io/viewer.json',
  ],
])('an object of %j called %s lies at %s', (kind, name, path) => {
  expect(pathOf(name, kind)).toBe(path);
});

test.each([
  'system:node',
  'Räume',
  '..',
  'a/../../b',
  '/etc/passwd',
  'C:\\x',
  'a\nb',
  '%2e%2e%2f',
  '-rf',
  'a b',
])('the name %j makes a plain file in its folder', (name) => {
  const path = pathOf(name);
  expect(path).toMatch(/^configmaps\/[A-Za-z0-9._~!*'()%-]+\.json$/);
  expect(path.split('/')).not.toContain('..');
  expect(decodeURIComponent(path.slice('configmaps/'.length, -'.json'.length))).toBe(name);
});

test.each([
  [199, 1],
  [200, 1],
  [201, 2],
  [253, 2],
  [401, 3],
])('a name of %i characters makes %i parts, none longer than a file system takes', (length, parts) => {
  const path = pathOf('a'.repeat(length)).split('/').slice(1);
  expect(path).toHaveLength(parts);
  for (const part of path) expect(part.length).toBeLessThanOrEqual(205);
  expect(path.join('').replaceAll('+', '')).toBe(`${'a'.repeat(length)}.json`);
});

test('long names that differ lie apart', () => {
  const names = ['a'.repeat(200), 'a'.repeat(201), `${'a'.repeat(200)}+`, `${'a'.repeat(200)}+/a`];
  expect(new Set(names.map((name) => pathOf(name))).size).toBe(names.length);
});
