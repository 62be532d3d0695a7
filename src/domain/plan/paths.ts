import type { Json } from '../../contracts/json.ts';

/**
 * Paths keyed by list keys: `spec/template/spec/containers[name=alecs]/image`. They mean the same object
 * after someone inserted a sidecar, which an index does not. In keys `~0 ~1 ~2` stand for `~ / [`, and `~3`
 * is the empty key.
 */
type Segment = { key: string } | { name: string };

/** One value that differs between two objects. An absent side means that the value does not exist there. */
export interface Difference {
  path: string;
  before?: Json;
  after?: Json;
}

/**
 * Every difference between two JSON values, as deep as they go, keyed by list keys where a list has them.
 * Empty only when the values are equal: a list whose items changed places differs as a whole.
 */
export function differences(before: Json | undefined, after: Json | undefined, path = ''): Difference[] {
  if (equalJson(before, after)) return [];
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
    return keys.flatMap((key) => differences(own(before, key), own(after, key), join(path, escapeKey(key))));
  }
  if (isNamedList(before) && isNamedList(after) && sameOrder(before, after)) {
    const names = [...new Set([...before, ...after].map((item) => item.name))];
    return names.flatMap((name) =>
      differences(
        before.find((item) => item.name === name),
        after.find((item) => item.name === name),
        `${path}[name=${escapeKey(name)}]`,
      ),
    );
  }
  return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
}

/** The value at a keyed path, or undefined when it does not exist. */
export function valueAt(root: Json | undefined, path: string): Json | undefined {
  let current: Json | undefined = root;
  for (const segment of parse(path)) {
    current =
      'key' in segment
        ? isObject(current)
          ? own(current, segment.key)
          : undefined
        : findNamed(current, segment.name);
  }
  return current;
}

/** The keyed path as a JSON Pointer into `root`, or undefined when a part of it (all but the last) is missing. */
export function pointerTo(root: Json, path: string): string | undefined {
  const segments = parse(path);
  let current: Json | undefined = root;
  let pointer = '';
  for (const [position, segment] of segments.entries()) {
    const last = position === segments.length - 1;
    if ('key' in segment) {
      if (!isObject(current)) return undefined;
      pointer += `/${segment.key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
      current = own(current, segment.key);
    } else {
      const index: number = Array.isArray(current)
        ? current.findIndex((item) => isObject(item) && item.name === segment.name)
        : -1;
      if (index < 0) return last && Array.isArray(current) ? `${pointer}/-` : undefined;
      pointer += `/${index}`;
      current = (current as Json[])[index];
    }
  }
  return pointer;
}

/** Deep equality of JSON values; the order of keys does not matter, that of list items does. */
export function equalJson(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => equalJson(item, right[index]));
  }
  if (JSON.isRawJSON(left) || JSON.isRawJSON(right)) return JSON.stringify(left) === JSON.stringify(right);
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && equalJson(left[key], right[key]))
  );
}

function parse(path: string): Segment[] {
  return path.split('/').flatMap((part): Segment[] => {
    const [key = '', ...names] = part.split('[name=');
    const list = names.map((name) => ({ name: unescapeKey(name.slice(0, -1)) }));
    return key === '' ? list : [{ key: unescapeKey(key) }, ...list];
  });
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}/${key}`;
}

function escapeKey(key: string): string {
  return key === '' ? '~3' : key.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('[', '~2');
}

function unescapeKey(key: string): string {
  return key === '~3' ? '' : key.replaceAll('~2', '[').replaceAll('~1', '/').replaceAll('~0', '~');
}

function own(object: Record<string, Json>, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

function findNamed(value: Json | undefined, name: string): Json | undefined {
  return Array.isArray(value) ? value.find((item) => isObject(item) && item.name === name) : undefined;
}

/** A number that was kept as written is a value, not an object to look into. */
function isObject(value: Json | undefined): value is Record<string, Json> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

type Named = { name: string } & Record<string, Json>;

function isNamedList(value: Json | undefined): value is Named[] {
  if (!Array.isArray(value)) return false;
  const names = value.map((item) => (isObject(item) ? item.name : undefined));
  return names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
}

/** Whether the items that both lists have stand in the same order; environment and init containers depend on it. */
function sameOrder(before: Named[], after: Named[]): boolean {
  const common = (one: Named[], other: Named[]): string[] => {
    const names = new Set(other.map((item) => item.name));
    return one.map((item) => item.name).filter((name) => names.has(name));
  };
  return equalJson(common(before, after), common(after, before));
}
