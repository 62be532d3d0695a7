import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { FreeLock, Holder, Leftover, LockPin, LockView, LockWait } from '../../contracts/lock.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { translate } from '../kubernetes/failures.ts';
import { awaitLock, type LockRequest } from './await-lock.ts';
import { lookAtLock } from './look-at-lock.ts';
import { recordLeftover, releaseLock, takeLock } from './write-lock.ts';

/** What the lock activities need. */
export interface LockDependencies {
  gatewayFor: (target: Target) => KubernetesGateway;
  runs: Runs;
}

/** The lock of a target: a Lease in its cluster. Each activity's idempotency stands in its file. */
export function createLockActivities({ gatewayFor, runs }: LockDependencies) {
  const act = <T>(
    target: Target,
    work: (gateway: KubernetesGateway, signal: AbortSignal, say: (sentence: string) => void) => Promise<T>,
  ): Promise<T> => translate(() => withHeartbeat((signal, say) => work(gatewayFor(target), signal, say)));

  return {
    lookAtLock: ({
      target,
      ...asking
    }: {
      target: Target;
      me: RunRef;
      root?: { workflowId: string; runId: string };
    }): Promise<LockView> =>
      act(target, (gateway, signal) => lookAtLock(gateway, runs, target, asking, signal)),

    awaitLock: (request: LockRequest): Promise<FreeLock | LockWait> =>
      act(request.target, (gateway, signal, say) => awaitLock(gateway, runs, request, say, signal)),

    takeLock: ({ target, me, pin }: { target: Target; me: RunRef; pin: LockPin }): Promise<Holder> =>
      act(target, (gateway, signal) => takeLock(gateway, runs, target, me, pin, signal)),

    recordLeftover: ({
      target,
      leftover,
      ...taking
    }: {
      target: Target;
      me: RunIdentity;
      since?: string;
      leftover: Leftover;
    }): Promise<void> =>
      act(target, (gateway, signal) => recordLeftover(gateway, target, taking, leftover, signal)),

    releaseLock: ({
      target,
      keepLeftover,
      ...taking
    }: {
      target: Target;
      me: RunIdentity;
      since?: string;
      keepLeftover: boolean;
    }): Promise<void> =>
      act(target, (gateway, signal) => releaseLock(gateway, target, taking, keepLeftover, signal)),
  };
}
