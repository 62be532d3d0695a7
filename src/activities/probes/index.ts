import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Written } from '../../contracts/plan.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { translate } from '../kubernetes/failures.ts';
import { proveHealthy } from './prove-healthy.ts';

/** What the probing activities need. */
export interface ProbeDependencies {
  gatewayFor: (target: Target) => KubernetesGateway;
}

/** Proofs from the service itself. Reading only. */
export function createProbeActivities({ gatewayFor }: ProbeDependencies) {
  return {
    proveHealthy: ({
      target,
      written,
      images,
      bakeSeconds,
    }: {
      target: Target;
      written: Written;
      images: Record<string, string>;
      bakeSeconds: number;
    }): Promise<Proof> =>
      translate(() =>
        withHeartbeat((signal, say) =>
          proveHealthy(gatewayFor(target), target, { ...written, images }, bakeSeconds, signal, say),
        ),
      ),
  };
}
