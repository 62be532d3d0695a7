import type { Json, JsonObject } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';

/** Stands in a path for every item of a list or every member of an object. */
export const every = Symbol('every');

export type EditPath = readonly (string | typeof every)[];

/**
 * Puts `change(value)` in place of each value at `path`; undefined removes it. What is not on the path is shared with
 * `object`, which stays as it was: numbers kept as written survive, which no deep copy guarantees.
 */
export function editAt(
  object: KubernetesObject,
  path: EditPath,
  change: (value: Json) => Json | undefined,
): KubernetesObject {
  return edited(object as unknown as Json, path, change) as unknown as KubernetesObject;
}

/** Removes what lies at `path`. */
export function dropAt(object: KubernetesObject, path: EditPath): KubernetesObject {
  return editAt(object, path, () => undefined);
}

/** Puts `value` at a path of keys, and makes the objects on the way where they are missing. */
export function putAt(object: KubernetesObject, path: readonly string[], value: Json): KubernetesObject {
  return placed(object as unknown as Json, path, value) as unknown as KubernetesObject;
}

/** The value at a path of keys. */
export function valueOf(object: KubernetesObject, ...path: string[]): Json | undefined {
  let current: Json | undefined = object as unknown as Json;
  for (const key of path) current = isJsonObject(current) ? own(current, key) : undefined;
  return current;
}

/** Removes annotations; an empty map does not stay, since the server keeps none either. */
export function dropAnnotations(
  object: KubernetesObject,
  goes: (name: string) => boolean,
  map: 'annotations' | 'labels' = 'annotations',
): KubernetesObject {
  return editAt(object, ['metadata', map], (value) => withoutMembers(value, goes));
}

/** A map without some members; undefined when nothing is left of it. */
export function withoutMembers(value: Json, goes: (name: string) => boolean): Json | undefined {
  if (!isJsonObject(value)) return value;
  const left = Object.entries(value).filter(([name]) => !goes(name));
  if (left.length === Object.keys(value).length && left.length > 0) return value;
  return left.length === 0 ? undefined : Object.fromEntries(left);
}

/** True for `{…}`: not for lists, null and numbers that were kept as written. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !JSON.isRawJSON(value);
}

function edited(value: Json, path: EditPath, change: (value: Json) => Json | undefined): Json | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return change(value);
  if (Array.isArray(value)) {
    if (key !== every) return value;
    return value.flatMap((item) => {
      const result = edited(item, rest, change);
      return result === undefined ? [] : [result];
    });
  }
  if (!isJsonObject(value) || (key !== every && !Object.hasOwn(value, key))) return value;
  const members = Object.entries(value).flatMap(([name, member]): [string, Json][] => {
    if (key !== every && name !== key) return [[name, member]];
    const result = edited(member, rest, change);
    return result === undefined ? [] : [[name, result]];
  });
  return Object.fromEntries(members);
}

function placed(value: Json | undefined, path: readonly string[], wanted: Json): Json {
  const [key, ...rest] = path;
  if (key === undefined) return wanted;
  const members = isJsonObject(value) ? value : {};
  return Object.fromEntries([
    ...Object.entries(members).filter(([name]) => name !== key),
    [key, placed(own(members, key), rest, wanted)],
  ]);
}

function own(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Whether a value is one of some texts. */
export function isOneOf(value: Json | undefined, ...texts: string[]): boolean {
  return typeof value === 'string' && texts.includes(value);
}
