import { describe, expect, test } from '@jest/globals';
import { referencesOf, type ReferringPodSpec } from '../../src/domain/template-references.ts';

const containers = [{}];

/** As text, so that a table stays readable: `Secret tls (a, b)`. */
function named(spec: Partial<ReferringPodSpec>): string[] {
  return referencesOf({ containers, ...spec }).map(
    ({ kind, name, keys, pullsImages }) =>
      `${kind} ${name}${keys.length > 0 ? ` (${keys.join(', ')})` : ''}${pullsImages === true ? ' pulls' : ''}`,
  );
}

describe('what a template cannot do without', () => {
  test.each<[string, Partial<ReferringPodSpec>, string[]]>([
    ['nothing', {}, []],
    [
      'one key as a variable',
      { containers: [{ env: [{ valueFrom: { configMapKeyRef: { name: 'a', key: 'k' } } }] }] },
      ['ConfigMap a (k)'],
    ],
    [
      'one key of a Secret, in an init container',
      { initContainers: [{ env: [{ valueFrom: { secretKeyRef: { name: 'a', key: 'k' } } }, {}] }] },
      ['Secret a (k)'],
    ],
    [
      'all of them as variables',
      { containers: [{ envFrom: [{ configMapRef: { name: 'a' } }, { secretRef: { name: 'b' } }] }] },
      ['ConfigMap a', 'Secret b'],
    ],
    [
      'volumes, whole and some keys',
      {
        volumes: [
          { configMap: { name: 'a' } },
          { secret: { secretName: 'b', items: [{ key: 'y' }, { key: 'x' }] } },
          { persistentVolumeClaim: { claimName: 'c' } },
          {},
        ],
      },
      ['ConfigMap a', 'PersistentVolumeClaim c', 'Secret b (x, y)'],
    ],
    [
      'projected volumes',
      {
        volumes: [
          {
            projected: {
              sources: [{ configMap: { name: 'a', items: [{ key: 'k' }] } }, { secret: { name: 'b' } }, {}],
            },
          },
        ],
      },
      ['ConfigMap a (k)', 'Secret b'],
    ],
    ['its own service account', { serviceAccountName: 'web' }, ['ServiceAccount web']],
    ['the default service account always is there', { serviceAccountName: 'default' }, []],
    ['Secrets that pull images', { imagePullSecrets: [{ name: 'r' }, {}] }, ['Secret r pulls']],
  ])('%s', (_case, spec, expected) => {
    expect(named(spec)).toEqual(expected);
  });

  test('what is called optional may be missing, wherever it stands', () => {
    const one = { name: 'a', key: 'k', optional: true };
    expect(
      named({
        containers: [
          {
            env: [{ valueFrom: { configMapKeyRef: one } }, { valueFrom: { secretKeyRef: one } }],
            envFrom: [{ configMapRef: one }, { secretRef: one }],
          },
        ],
        volumes: [
          { configMap: one },
          { secret: { secretName: 'a', optional: true } },
          { projected: { sources: [{ configMap: one, secret: one }] } },
        ],
      }),
    ).toEqual([]);
  });

  test('an object is named once with all its keys; needed and pulling is needed', () => {
    const key = (name: string) => ({ valueFrom: { secretKeyRef: { name: 'a', key: name } } });
    expect(
      named({
        containers: [
          { env: [key('y'), key('x')] },
          { env: [key('y')], envFrom: [{ secretRef: { name: 'a' } }] },
        ],
        imagePullSecrets: [{ name: 'a' }],
      }),
    ).toEqual(['Secret a (x, y)']);
  });

  test('names like those of prototypes are names', () => {
    expect(
      named({ volumes: [{ configMap: { name: 'constructor', items: [{ key: '__proto__' }] } }] }),
    ).toEqual(['ConfigMap constructor (__proto__)']);
  });
});
