import type { GuardFinding } from '../../contracts/plan.ts';
import type { Deployment } from '../deployment.ts';

/** Stops when the workload is paused: Kubernetes would accept the change and roll nothing out. */
export function checkPaused(deployment: Deployment): GuardFinding {
  const name = `${deployment.kind} ${deployment.metadata.name}`;
  if (deployment.spec.paused !== true)
    return { guard: 'paused', verdict: 'clear', sentence: `${name} is not paused` };
  return {
    guard: 'paused',
    verdict: 'stops',
    sentence: `${name} is paused, so nothing would roll out. Find out who paused it, then kubectl rollout resume it`,
  };
}
