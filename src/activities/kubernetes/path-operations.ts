import type { Json } from '../../contracts/json.ts';
import type { JsonPatchOperation } from '../../contracts/kubernetes.ts';
import { pointerTo, type Difference } from '../../domain/plan/paths.ts';

/**
 * The operations that turn `before` into `after` path by path, for an object that has all of these `before` values.
 * Whoever removed the parent of a value meanwhile removed the value for good: it is left out.
 */
export function pathOperations(root: Json, differences: Difference[]): JsonPatchOperation[] {
  return differences.flatMap((difference) => operation(root, difference)).sort(removalsLast);
}

function operation(root: Json, { path, before, after }: Difference): JsonPatchOperation[] {
  const pointer = pointerTo(root, path);
  if (pointer === undefined) return [];
  if (after === undefined) return [{ op: 'remove', path: pointer }];
  return [{ op: before === undefined ? 'add' : 'replace', path: pointer, value: after }];
}

/** Removing list items shifts those behind them: so at the end, and the last one first. */
function removalsLast(left: JsonPatchOperation, right: JsonPatchOperation): number {
  if (left.op === 'remove' && right.op === 'remove')
    return right.path.localeCompare(left.path, 'en', { numeric: true });
  return Number(left.op === 'remove') - Number(right.op === 'remove');
}
