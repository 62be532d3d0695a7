import type { Json } from '../../../contracts/json.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';
import { equalJson } from '../../plan/paths.ts';
import { putAt, valueOf } from '../edit.ts';

/** The items of the live list first, then those of the backup that are not in it. */
export function union(
  wanted: KubernetesObject,
  live: KubernetesObject,
  path: readonly string[],
): KubernetesObject {
  const there = listAt(live, path);
  const more = listAt(wanted, path).filter((item) => !there.some((one) => equalJson(one, item)));
  return there.length === 0 ? wanted : putAt(wanted, path, [...there, ...more]);
}

/** The live value where the backup has none. */
export function filledFrom(
  wanted: KubernetesObject,
  live: KubernetesObject,
  ...path: string[]
): KubernetesObject {
  const value = valueOf(live, ...path);
  return value === undefined || valueOf(wanted, ...path) !== undefined ? wanted : putAt(wanted, path, value);
}

function listAt(object: KubernetesObject, path: readonly string[]): Json[] {
  const value = valueOf(object, ...path);
  return Array.isArray(value) ? value : [];
}
