import type { Json, JsonObject } from '../../src/contracts/json.ts';
import { pointerTo, type Difference } from '../../src/domain/plan/paths.ts';

const keys = [
  'name',
  'image',
  'images',
  'a/b',
  'a~b',
  'a[name=b]',
  '',
  '__proto__',
  'constructor',
  'rawJSON',
  '~1',
  ']',
];
const values: Json[] = [null, true, false, 0, -1.5, 1e21, '', 'text', '\ud800', 'x'.repeat(600)];

/** A random JSON value: keys that need escaping, lists with and without names, prototype keys. */
export function randomJson(random: () => number, depth = 3): Json {
  const kind = depth <= 0 ? 0 : Math.floor(random() * 4);
  const many = (): number[] => Array.from({ length: Math.floor(random() * 4) });
  if (kind === 1) return many().map(() => randomJson(random, depth - 1));
  if (kind === 2) return namedList(random, depth);
  if (kind === 3) return objectOf(many().map(() => [pick(random, keys), randomJson(random, depth - 1)]));
  return pick(random, values);
}

/** A list as Kubernetes has them: every item has a name of its own. */
function namedList(random: () => number, depth: number): Json[] {
  return ['', 'a', 'b/c', 'd]e', '[name=f]', '~2']
    .filter(() => random() < 0.5)
    .map((name) => ({ ...objectOf([['value', randomJson(random, depth - 1)]]), name }));
}

/** A copy in which some values are changed, removed or added, as somebody's edit would. */
export function randomEdit(random: () => number, value: Json, depth = 3): Json {
  if (random() < 0.15) return randomJson(random, depth);
  if (Array.isArray(value)) {
    return value
      .filter(() => random() > 0.15)
      .map((item) => keepName(item, randomEdit(random, item, depth - 1)));
  }
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(() => random() > 0.15);
  const added: [string, Json][] = random() < 0.3 ? [[pick(random, keys), randomJson(random, 1)]] : [];
  return objectOf([
    ...kept.map(([key, item]): [string, Json] => [key, randomEdit(random, item, depth - 1)]),
    ...added,
  ]);
}

/** The same value with the keys of every object in another order. */
export function shuffleKeys(random: () => number, value: Json): Json {
  if (Array.isArray(value)) return value.map((item) => shuffleKeys(random, item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]) => ({ key, item, place: random() }));
  entries.sort((left, right) => left.place - right.place);
  return objectOf(entries.map(({ key, item }): [string, Json] => [key, shuffleKeys(random, item)]));
}

/** Own members only, `__proto__` among them, as JSON.parse makes them. */
function objectOf(entries: [string, Json][]): JsonObject {
  return Object.fromEntries(entries);
}

function keepName(before: Json, after: Json): Json {
  const named = typeof before === 'object' && before !== null && !Array.isArray(before) && 'name' in before;
  if (!named || typeof after !== 'object' || after === null || Array.isArray(after)) return after;
  return { ...after, name: before.name as Json };
}

function pick<T>(random: () => number, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** One difference as one operation of a JSON Patch, done to a copy as RFC 6902 says. */
export function applyDifference(root: Json, { path, before, after }: Difference): Json {
  const pointer = pointerTo(root, path);
  if (pointer === undefined) throw new Error(`no pointer to ${path}`);
  if (pointer === '') return after ?? null;
  const copy = structuredClone(root);
  const tokens = pointer
    .slice(1)
    .split('/')
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
  const last = tokens.pop() ?? '';
  const parent = tokens.reduce<Json>((value, token) => (value as JsonObject)[token] as Json, copy);
  if (Array.isArray(parent)) {
    if (last === '-') parent.push(after as Json);
    else parent.splice(Number(last), 1, ...(after === undefined ? [] : [after]));
    return copy;
  }
  const object = parent as JsonObject;
  if (Object.hasOwn(object, last) !== (before !== undefined)) throw new Error(`${path} is not as it was`);
  if (after === undefined) Reflect.deleteProperty(object, last);
  else
    Object.defineProperty(object, last, {
      value: after,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  return copy;
}

/** The value with the items of every named list sorted by name. */
export function sortNamedLists(value: Json): Json {
  if (Array.isArray(value)) {
    const items = value.map(sortNamedLists);
    const names = items.map(nameOf);
    return names.every((name) => name !== undefined) && new Set(names).size === names.length
      ? items.sort((left, right) => ((nameOf(left) ?? '') < (nameOf(right) ?? '') ? -1 : 1))
      : items;
  }
  if (typeof value !== 'object' || value === null) return value;
  return objectOf(Object.entries(value).map(([key, item]): [string, Json] => [key, sortNamedLists(item)]));
}

function nameOf(value: Json): string | undefined {
  const named = typeof value === 'object' && value !== null && !Array.isArray(value);
  return named && typeof value.name === 'string' ? value.name : undefined;
}
