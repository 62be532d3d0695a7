import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { valueOf } from '../../domain/recovery/edit.ts';
import type { Surroundings } from '../../domain/recovery/wanted.ts';

/** Which workloads of a namespace have an autoscaler. One that nobody may read counts as none: then replicas are restored. */
export async function autoscaledIn(
  gateway: KubernetesGateway,
  namespace: string,
  signal: AbortSignal,
): Promise<Surroundings['autoscaled']> {
  const targets = new Set<string>();
  try {
    const query = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', namespace, signal };
    for (const autoscaler of (await gateway.list(query)).items) {
      const kind = valueOf(autoscaler, 'spec', 'scaleTargetRef', 'kind');
      const name = valueOf(autoscaler, 'spec', 'scaleTargetRef', 'name');
      if (typeof kind === 'string' && typeof name === 'string') targets.add(`${kind}/${name}`);
    }
  } catch (error) {
    if (!(error instanceof KubernetesError) || (error.status !== 403 && error.status !== 404)) throw error;
  }
  return ({ kind, name }) => targets.has(`${kind}/${name}`);
}
