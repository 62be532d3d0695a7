import { describe, expect, test } from '@jest/globals';
import type { Json } from '../../../src/contracts/json.ts';
import { parseLossless } from '../../../src/clients/kubernetes/lossless-json.ts';
import { differences, equalJson, pointerTo, valueAt } from '../../../src/domain/plan/paths.ts';
import { seeded } from '../../support/builders.ts';
import { applyDifference, randomEdit, randomJson, sortNamedLists } from '../../support/random-json.ts';

const parse = (text: string): Json => JSON.parse(text) as Json;

describe('differences', () => {
  test.each<[string, Json, Json, object[]]>([
    ['none', { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, []],
    ['none when only the order of keys differs', { a: 1, b: 2 }, { b: 2, a: 1 }, []],
    ['a changed value', { a: { b: 1 } }, { a: { b: 2 } }, [{ path: 'a/b', before: 1, after: 2 }]],
    ['an added value', {}, { a: 1 }, [{ path: 'a', after: 1 }]],
    ['a removed value', { a: 1 }, {}, [{ path: 'a', before: 1 }]],
    ['null is a value', { a: null }, {}, [{ path: 'a', before: null }]],
    ['the value as a whole', 1, 'x', [{ path: '', before: 1, after: 'x' }]],
    ['another type', { a: [1] }, { a: { 0: 1 } }, [{ path: 'a', before: [1], after: { 0: 1 } }]],
    [
      'a list without names is one value',
      { a: [1, 2] },
      { a: [1, 3] },
      [{ path: 'a', before: [1, 2], after: [1, 3] }],
    ],
    [
      'a list whose names repeat is one value',
      {
        a: [
          { name: 'x', v: 1 },
          { name: 'x', v: 2 },
        ],
      },
      { a: [{ name: 'x', v: 1 }] },
      [
        {
          path: 'a',
          before: [
            { name: 'x', v: 1 },
            { name: 'x', v: 2 },
          ],
          after: [{ name: 'x', v: 1 }],
        },
      ],
    ],
    [
      'a list with names goes by them, whatever was inserted before',
      { containers: [{ name: 'app', image: '1' }] },
      { containers: [{ name: 'proxy' }, { name: 'app', image: '2' }] },
      [
        { path: 'containers[name=app]/image', before: '1', after: '2' },
        { path: 'containers[name=proxy]', after: { name: 'proxy' } },
      ],
    ],
    [
      'items that changed places are a difference: the order of init containers matters',
      { init: [{ name: 'a' }, { name: 'b' }] },
      { init: [{ name: 'b' }, { name: 'a' }] },
      [{ path: 'init', before: [{ name: 'a' }, { name: 'b' }], after: [{ name: 'b' }, { name: 'a' }] }],
    ],
    [
      'the first named item',
      { a: [] },
      { a: [{ name: 'x' }] },
      [{ path: 'a[name=x]', after: { name: 'x' } }],
    ],
  ])('%s', (_case, before, after, expected) => {
    expect(differences(before, after)).toEqual(expected);
  });

  test('a number that was kept as written is one value, not an object', () => {
    const before = parseLossless('{"a":9007199254740993}');
    const after = parseLossless('{"a":9007199254740995}');
    expect(differences(before, before)).toEqual([]);
    expect(differences(before, after).map(({ path }) => path)).toEqual(['a']);
  });

  test('a prefix names where the values come from', () => {
    expect(differences({ a: 1 }, { a: 2 }, 'spec')).toEqual([{ path: 'spec/a', before: 1, after: 2 }]);
    expect(differences(undefined, { a: 2 }, 'spec')).toEqual([{ path: 'spec', after: { a: 2 } }]);
  });

  test.each([
    'a/b',
    'a~b',
    'a[b',
    'a[name=b]',
    ']',
    '',
    '~0',
    '~2',
    '~3',
    '/',
    '__proto__',
    'constructor',
    'name',
  ])('the key %j is found again by its path', (key) => {
    const before = Object.fromEntries([[key, { [key]: 1 }]]) as Json;
    const after = Object.fromEntries([[key, Object.fromEntries([[key, 2]])]]) as Json;
    const paths = differences(before, after).map(({ path }) => path);
    for (const path of paths) expect(equalJson(valueAt(after, path), valueOrWhole(after, key))).toBe(true);
    expect(paths).toHaveLength(1);
  });

  test.each(['a/b', 'a~b', 'a[b', 'a]', '[name=b]', '', '__proto__', 'constructor'])(
    'the list item named %j is found again by its path',
    (name) => {
      const [difference] = differences({ list: [{ name, v: 1 }] }, { list: [{ name, v: 2 }] });
      const path = difference?.path ?? '';
      expect(
        valueAt(
          {
            list: [
              { name: 'other', v: 0 },
              { name, v: 2 },
            ],
          },
          path,
        ),
      ).toBe(2);
      expect(
        pointerTo(
          {
            list: [
              { name: 'other', v: 0 },
              { name, v: 2 },
            ],
          },
          path,
        ),
      ).toBe('/list/1/v');
    },
  );
});

describe('a keyed path', () => {
  const root = parse(
    '{"spec":{"containers":[{"name":"a"},{"name":"b","image":"x"}],"empty":[],"a/b":{"c~d":1}},"__proto__":{"x":1}}',
  );

  test.each([
    ['', ''],
    ['spec', '/spec'],
    ['spec/new', '/spec/new'],
    ['spec/containers[name=b]/image', '/spec/containers/1/image'],
    ['spec/containers[name=b]/new', '/spec/containers/1/new'],
    ['spec/containers[name=c]', '/spec/containers/-'],
    ['spec/empty[name=c]', '/spec/empty/-'],
    ['spec/a~1b/c~0d', '/spec/a~1b/c~0d'],
    ['__proto__/x', '/__proto__/x'],
  ])('%s is the pointer %s', (path, pointer) => {
    expect(pointerTo(root, path)).toBe(pointer);
  });

  test.each([
    'gone/image',
    'spec/containers[name=c]/image',
    'spec[name=a]',
    'spec/containers/image',
    'constructor/name',
  ])('%s has no pointer, since its parent is missing', (path) => {
    expect(pointerTo(root, path)).toBeUndefined();
    expect(valueAt(root, path)).toBeUndefined();
  });

  test('what every object inherits is not there', () => {
    expect(valueAt(root, 'constructor')).toBeUndefined();
    expect(valueAt(root, 'spec/containers/length')).toBeUndefined();
    expect(valueAt(root, '__proto__/x')).toBe(1);
    expect(valueAt(undefined, 'a')).toBeUndefined();
  });
});

describe('equality', () => {
  test.each<[string, string, boolean]>([
    ['{"a":1,"b":[2]}', '{"b":[2],"a":1}', true],
    ['[1,2]', '[2,1]', false],
    ['[1]', '[1,2]', false],
    ['{}', '[]', false],
    ['null', '{}', false],
    ['{"a":null}', '{}', false],
    ['1', '"1"', false],
    ['{"__proto__":{"a":1}}', '{}', false],
    ['{"__proto__":{"a":1}}', '{"__proto__":{"a":1}}', true],
    ['{"a":1}', '{"constructor":1}', false],
  ])('%s and %s: %s', (left, right, equal) => {
    expect(equalJson(parse(left), parse(right))).toBe(equal);
    expect(equalJson(parse(right), parse(left))).toBe(equal);
  });

  test('absent is not null', () => {
    expect(equalJson(undefined, null)).toBe(false);
    expect(equalJson(undefined, undefined)).toBe(true);
  });

  test('integers beyond 2^53 are compared digit by digit', () => {
    const [one, other] = [parseLossless('9007199254740993'), parseLossless('9007199254740995')];
    expect(equalJson(parseLossless('[9007199254740993]'), parseLossless('[9007199254740993]'))).toBe(true);
    expect(equalJson(one, other)).toBe(false);
    expect(equalJson(one, { rawJSON: '9007199254740993' })).toBe(false);
  });
});

describe('whatever the values', () => {
  const cases = Array.from({ length: 1500 }, (_, seed) => {
    const random = seeded(seed);
    const before = randomJson(random, 4);
    return { seed, before, after: randomEdit(random, before, 4) };
  });

  test('the differences, applied one by one as JSON Patch, turn one value into the other', () => {
    for (const { seed, before, after } of cases) {
      const applied = differences(before, after).reduce(applyDifference, before);
      // Only the place of an inserted named item is free.
      expect({ seed, value: sortNamedLists(applied) }).toEqual({ seed, value: sortNamedLists(after) });
    }
  });

  test('there are none exactly when the values are equal', () => {
    for (const { before, after } of cases) {
      expect(differences(before, after).length === 0).toBe(equalJson(before, after));
      expect(differences(before, structuredClone(before))).toEqual([]);
    }
  });

  test('each path finds its own two sides', () => {
    for (const { before, after } of cases) {
      for (const difference of differences(before, after)) {
        expect(equalJson(valueAt(before, difference.path), difference.before)).toBe(true);
        expect(equalJson(valueAt(after, difference.path), difference.after)).toBe(true);
      }
    }
  });

  test('the arguments are left as they are', () => {
    for (const { before, after } of cases.slice(0, 100)) {
      const [copyBefore, copyAfter] = [JSON.stringify(before), JSON.stringify(after)];
      differences(before, after);
      expect([JSON.stringify(before), JSON.stringify(after)]).toEqual([copyBefore, copyAfter]);
    }
  });
});

function valueOrWhole(root: Json, key: string): Json | undefined {
  const inner = (root as Record<string, Json>)[key] as Record<string, Json>;
  return inner[key];
}
