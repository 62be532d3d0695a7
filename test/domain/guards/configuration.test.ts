import { describe, expect, test } from '@jest/globals';
import { checkConfiguration, type Lookup } from '../../../src/domain/guards/configuration.ts';

const lookup = (change: Partial<Lookup> = {}): Lookup => ({
  kind: 'ConfigMap',
  name: 'settings',
  keys: [],
  state: 'found',
  missingKeys: [],
  ...change,
});
const check = (...lookups: Lookup[]) => checkConfiguration('revision 2', lookups);

describe('the configuration of an earlier template', () => {
  test('that is all there lets the run go on', () => {
    const clear = {
      guard: 'configuration',
      verdict: 'clear',
      sentence: 'revision 2 has the configuration that it needs',
    };
    expect(check()).toEqual(clear);
    expect(check(lookup())).toEqual(clear);
  });

  test('that is gone stops the run, and everything that is gone is named', () => {
    expect(
      check(
        lookup({ state: 'missing' }),
        lookup({ name: 'flags', missingKeys: ['a', 'b'] }),
        lookup({ kind: 'ServiceAccount', name: 'web', state: 'missing' }),
        lookup({ kind: 'Secret', name: 'unread', state: 'forbidden' }),
      ),
    ).toEqual({
      guard: 'configuration',
      verdict: 'stops',
      sentence:
        'revision 2 needs what the namespace does not have: ConfigMap settings, ConfigMap flags (no key a, b), ServiceAccount web. Put it back, or choose another revision',
    });
  });

  test('that may not be read is unknown, which stops a run as well', () => {
    const claim = lookup({ kind: 'PersistentVolumeClaim', name: 'data', state: 'forbidden' });
    expect(check(lookup({ state: 'forbidden' }), claim)).toEqual({
      guard: 'configuration',
      verdict: 'unknown',
      sentence:
        'the worker may not read ConfigMap settings, PersistentVolumeClaim data; give it the permission to get configmaps, get persistentvolumeclaims',
    });
    expect(check(lookup({ state: 'forbidden' }), lookup({ state: 'missing' })).verdict).toBe('stops');
  });

  test('Secrets that may not be read are said not to be checked, and the run goes on', () => {
    const { verdict, sentence } = check(lookup({ kind: 'Secret', name: 'tls', state: 'forbidden' }));
    expect(verdict).toBe('clear');
    expect(sentence).toContain('not checked: Secret tls, the worker may not read Secrets');
  });

  test('a Secret that is gone stops; the keys of one that is there are said not to be checked', () => {
    expect(check(lookup({ kind: 'Secret', state: 'missing' })).verdict).toBe('stops');
    const { verdict, sentence } = check(lookup({ kind: 'Secret', name: 'tls', keys: ['a'] }));
    expect(verdict).toBe('clear');
    expect(sentence).toContain('keys not checked: Secret tls, values of Secrets are never read');
  });

  test('a missing Secret that only pulls images is a remark', () => {
    const { verdict, sentence } = check(
      lookup({ kind: 'Secret', name: 'pull', state: 'missing', pullsImages: true }),
    );
    expect(verdict).toBe('clear');
    expect(sentence).toContain('Secret pull for pulling images does not exist');
  });

  test.each([
    [10, 'ConfigMap c9.'],
    [11, 'ConfigMap c9 and 1 more.'],
  ])('with %d things missing ends with %s', (count, end) => {
    const missing = Array.from({ length: count }, (_, index) =>
      lookup({ name: `c${index}`, state: 'missing' }),
    );
    expect(check(...missing).sentence).toContain(end);
  });
});
