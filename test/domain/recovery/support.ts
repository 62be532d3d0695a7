import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import { prepare, type RuleContext } from '../../../src/domain/recovery/rules/index.ts';

/** An object of namespace `shop`, whatever its kind. */
export function anObject(
  kind: string,
  rest: Record<string, unknown> = {},
  metadata: Partial<KubernetesObject['metadata']> = {},
): KubernetesObject {
  const [name = '', ...group] = kind.split('.');
  return {
    apiVersion: group.length === 0 ? 'v1' : `${group.join('.')}/v1`,
    kind: name,
    metadata: { name: 'web', namespace: 'shop', ...metadata },
    ...rest,
  };
}

/** The same without a namespace. */
export function aClusterObject(
  kind: string,
  rest: Record<string, unknown> = {},
  metadata: Partial<KubernetesObject['metadata']> = {},
): KubernetesObject {
  const object = anObject(kind, rest, metadata);
  const { namespace: ignored, ...others } = object.metadata;
  return { ...object, metadata: others };
}

/** A recovery of `shop` into itself. */
export function aContext(change: Partial<RuleContext> = {}): RuleContext {
  return {
    purpose: 'recover',
    from: 'shop',
    into: 'shop',
    dropped: { metadata: {} },
    volumeKept: () => false,
    autoscaled: () => false,
    ...change,
  };
}

/** The object as rules leave it; fails when they leave it out. */
export function prepared(object: KubernetesObject, change: Partial<RuleContext> = {}): KubernetesObject {
  const result = prepare(object, aContext(change));
  if ('leftOut' in result) throw new Error(`left out: ${result.leftOut}`);
  return result.object;
}
