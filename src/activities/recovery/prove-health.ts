import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import type { Deployment } from '../../domain/deployment.ts';
import { combineProofs } from '../../domain/proofs.ts';
import { getOrNothing } from './live-objects.ts';
import { proveHealthy } from '../probes/prove-healthy.ts';

const name = 'every pod of the service answers its health endpoint';

/**
 * Asks every pod of the profile's Deployments for its health, over the bake time. Reads only, so it may run any number of
 * times. A profile without a Deployment that is there proves nothing.
 */
export async function proveRecoveredHealth(
  gateway: KubernetesGateway,
  target: Target,
  namespace: string,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Proof> {
  const there = { ...target, profile: { ...target.profile, namespace } };
  const proofs: Proof[] = [];
  for (const [workload, { kind }] of Object.entries(target.profile.workloads)) {
    if (kind !== 'Deployment') continue;
    const ref = { apiVersion: 'apps/v1', kind, namespace, name: workload };
    const live = (await getOrNothing(gateway, ref, signal)) as Deployment | undefined;
    if (live === undefined) {
      proofs.push({ name, verdict: 'fail', evidence: [`Deployment ${workload} is not there`] });
      continue;
    }
    const { uid = '', resourceVersion = '', generation = 0 } = live.metadata;
    const { containers, initContainers = [] } = live.spec.template.spec;
    const images = Object.fromEntries(
      [...initContainers, ...containers].flatMap(({ name: container, image }) =>
        image === undefined ? [] : [[container, image] as const],
      ),
    );
    const release = { ...ref, uid, resourceVersion, generation, images };
    const { bakeSeconds } = target.profile.proof;
    const sayOf = (sentence: string): void => {
      say(`${workload}: ${sentence}`);
    };
    proofs.push(await proveHealthy(gateway, there, release, bakeSeconds, signal, sayOf));
  }
  return combineProofs(name, proofs);
}
