import type { Json } from '../../contracts/json.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { isJsonObject, valueOf } from './edit.ts';

/**
 * The claims that the pods of a StatefulSet use: those that it makes by itself, one for each template and pod, and
 * those that its pods name. A template that is filled from a snapshot or another claim does not count.
 */
export function claimsOf(statefulSet: KubernetesObject): string[] {
  const { name } = statefulSet.metadata;
  const replicas = number(valueOf(statefulSet, 'spec', 'replicas'), 1);
  const first = number(valueOf(statefulSet, 'spec', 'ordinals', 'start'), 0);
  const templates = objects(valueOf(statefulSet, 'spec', 'volumeClaimTemplates'))
    .filter((template) => !isFilled(template))
    .flatMap(({ metadata }) => (isJsonObject(metadata) ? text(metadata['name']) : []));
  const made = templates.flatMap((template) =>
    Array.from({ length: replicas }, (_, index) => `${template}-${name}-${first + index}`),
  );
  const used = objects(valueOf(statefulSet, 'spec', 'template', 'spec', 'volumes')).flatMap((volume) => {
    const claim = volume['persistentVolumeClaim'];
    return isJsonObject(claim) ? text(claim['claimName']) : [];
  });
  return [...new Set([...made, ...used])];
}

/** Whether a new claim of this kind is filled when it is made. */
export function isFilled(claim: KubernetesObject | Record<string, Json>): boolean {
  const spec = claim['spec'];
  if (typeof spec !== 'object' || spec === null) return false;
  return ['dataSource', 'dataSourceRef'].some((field) => {
    const source: unknown = Reflect.get(spec, field);
    return source !== undefined && source !== null;
  });
}

function objects(value: Json | undefined): Record<string, Json>[] {
  return (Array.isArray(value) ? value : []).filter(isJsonObject);
}

function text(value: Json | undefined): string[] {
  return typeof value === 'string' ? [value] : [];
}

function number(value: Json | undefined, otherwise: number): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : otherwise;
}
