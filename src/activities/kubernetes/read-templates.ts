import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Json } from '../../contracts/json.ts';
import type { ReplicaSetRef, Write } from '../../contracts/plan.ts';
import { differences, type Difference } from '../../domain/plan/paths.ts';
import { templateOf } from '../../domain/pod-template.ts';
import { failure } from '../failures.ts';

/** The template that a write replaces, the one that it puts in place, and how they differ. */
export interface Templates {
  from: Json;
  to: Json;
  differences: Difference[];
}

/**
 * Reads both templates of a write; undefined when it replaces none. Their content may hold passwords: it stays in
 * the activity that reads it.
 * @throws NotFound when a ReplicaSet that keeps one of them is gone.
 */
export async function readTemplates(
  gateway: KubernetesGateway,
  { pin, template }: Pick<Write, 'pin' | 'template'>,
  signal: AbortSignal,
): Promise<Templates | undefined> {
  if (template === undefined) return undefined;
  const read = async (ref: ReplicaSetRef): Promise<Json> => {
    const found = await readTemplate(gateway, pin.namespace, ref, signal);
    if (found !== undefined) return found;
    throw failure(
      'NotFound',
      `ReplicaSet ${ref.name}, which kept a template of ${pin.kind} ${pin.name}, is gone, so the template cannot be put in place`,
    );
  };
  const [from, to] = await Promise.all([read(template.from), read(template.to)]);
  return { from, to, differences: differences(from, to, 'spec/template') };
}

/** The template that a ReplicaSet keeps; undefined when it is gone. Listed by name: that needs no right to get. */
export async function readTemplate(
  gateway: KubernetesGateway,
  namespace: string,
  { name, uid }: ReplicaSetRef,
  signal: AbortSignal,
): Promise<Json | undefined> {
  const { items } = await gateway.list({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    namespace,
    fieldSelector: `metadata.name=${name}`,
    signal,
  });
  const replicaSet = items.find((item) => item.metadata.uid === uid);
  return replicaSet === undefined ? undefined : templateOf(replicaSet);
}
