import { describe, expect, test } from '@jest/globals';
import {
  dropAnnotations,
  dropAt,
  editAt,
  every,
  isOneOf,
  putAt,
  valueOf,
} from '../../../src/domain/recovery/edit.ts';
import { anObject } from './support.ts';

const object = anObject('Thing', { spec: { list: [{ a: 1 }, { a: 2, b: 3 }, 4], map: { x: 1, y: 2 } } });

describe('an edit', () => {
  test('changes one value and leaves the original as it was', () => {
    const before = JSON.stringify(object);
    expect(editAt(object, ['spec', 'map', 'x'], () => 9)['spec']).toEqual({
      list: [{ a: 1 }, { a: 2, b: 3 }, 4],
      map: { x: 9, y: 2 },
    });
    expect(JSON.stringify(object)).toBe(before);
  });

  test('reaches every item of a list and every member of an object', () => {
    expect(
      valueOf(
        editAt(object, ['spec', 'list', every, 'a'], () => 0),
        'spec',
        'list',
      ),
    ).toEqual([{ a: 0 }, { a: 0, b: 3 }, 4]);
    expect(valueOf(dropAt(object, ['spec', 'map', every]), 'spec', 'map')).toEqual({});
  });

  test('removes items of a list', () => {
    const result = editAt(object, ['spec', 'list', every], (item) => (item === 4 ? undefined : item));
    expect(valueOf(result, 'spec', 'list')).toHaveLength(2);
  });

  test.each([[['spec', 'missing', 'x']], [['spec', 'list', 'a']], [['kind', 'x']]])(
    'of what is not there changes nothing: %j',
    (path) => {
      expect(dropAt(object, path)).toEqual(object);
    },
  );

  test('keeps numbers as they were written, and keys that a prototype has', () => {
    const big = JSON.rawJSON('9007199254740993');
    const own = Object.fromEntries([['__proto__', 'kept']]);
    const result = dropAt(anObject('Thing', { spec: { big, own, gone: 1 } }), ['spec', 'gone']);
    expect(JSON.stringify(result['spec'])).toBe('{"big":9007199254740993,"own":{"__proto__":"kept"}}');
  });

  test('makes the objects on the way to a new value', () => {
    expect(putAt(anObject('Thing'), ['spec', 'a', 'b'], 1)['spec']).toEqual({ a: { b: 1 } });
  });

  test('of annotations leaves no empty map', () => {
    const annotated = anObject('Thing', {}, { annotations: { a: '1', b: '2' } });
    expect(dropAnnotations(annotated, (name) => name === 'a').metadata.annotations).toEqual({ b: '2' });
    expect(dropAnnotations(annotated, () => true).metadata).not.toHaveProperty('annotations');
    expect(
      dropAnnotations(anObject('Thing', {}, { annotations: {} }), () => false).metadata,
    ).not.toHaveProperty('annotations');
  });
});

test.each([
  ['a', true],
  ['c', false],
  [1, false],
  [undefined, false],
])('%j as one of the texts: %j', (value, expected) => {
  expect(isOneOf(value, 'a', 'b')).toBe(expected);
});
