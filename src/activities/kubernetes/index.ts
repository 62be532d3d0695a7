import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Pin } from '../../contracts/kubernetes.ts';
import type { OwnerPausePlan } from '../../contracts/owner-pause.ts';
import type {
  ReplicaSetRef,
  RestartPlan,
  WorkloadChange,
  WorkloadPlan,
  Write,
  Written,
} from '../../contracts/plan.ts';
import type { RestartWorkloadRequest } from '../../contracts/restart-workload.ts';
import type { RollbackRequest } from '../../contracts/rollback.ts';
import type { RollingUpdateRequest } from '../../contracts/rolling-update.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { checkHolder } from '../locks/lease.ts';
import { applyWrite } from './apply-write.ts';
import { translate } from './failures.ts';
import { followRollout } from './follow-rollout.ts';
import { planOwnerPause } from './pause-owner.ts';
import { planRestart } from './plan-restart.ts';
import { planRollback } from './plan-rollback.ts';
import { planRollingUpdate } from './plan-rolling-update.ts';
import { compareTemplate, readForUndo, type UndoWrite } from './read-for-undo.ts';

/** What the Kubernetes activities need. */
export interface KubernetesDependencies {
  /** The gateway of a target's cluster; one per context, kept. */
  gatewayFor: (target: Target) => KubernetesGateway;
  loadTarget: (name: string | undefined) => Promise<Target>;
}

/** Everything that a run does in the target's cluster. Each activity's idempotency stands in its file. */
export function createKubernetesActivities({ gatewayFor, loadTarget }: KubernetesDependencies) {
  const act = <T>(
    target: Target,
    work: (gateway: KubernetesGateway, signal: AbortSignal) => Promise<T>,
  ): Promise<T> => translate(() => withHeartbeat((signal) => work(gatewayFor(target), signal)));

  return {
    /** Reads the profile anew, so that one edited while a run waits shows as another plan. */
    async planRollingUpdate({ request }: { request: RollingUpdateRequest }): Promise<WorkloadPlan> {
      const target = await loadTarget(request.target);
      return await act(target, (gateway, signal) => planRollingUpdate(gateway, target, request, signal));
    },

    /** `approved`: the ReplicaSet that people agreed to go back to; without it the request decides. */
    async planRollback(asked: { request: RollbackRequest; approved?: ReplicaSetRef }): Promise<WorkloadPlan> {
      const target = await loadTarget(asked.request.target);
      return await act(target, (gateway, signal) => planRollback(gateway, target, asked, signal));
    },

    /** `restartedAt` comes from the run, so that each of its plans would write the same. */
    async planRestart({
      request,
      restartedAt,
    }: {
      request: RestartWorkloadRequest;
      restartedAt: string;
    }): Promise<RestartPlan> {
      const target = await loadTarget(request.target);
      return await act(target, (gateway, signal) =>
        planRestart(gateway, target, request, restartedAt, signal),
      );
    },

    /** `holder`: the run that must hold the target's lock for this write. @throws LockLost */
    applyWrite: ({
      target,
      write,
      marker,
      holder,
    }: {
      target: Target;
      write: Write;
      marker: string;
      holder: RunIdentity;
    }): Promise<Written> =>
      act(target, async (gateway, signal) => {
        await checkHolder(gateway, target, holder, signal);
        return await applyWrite(gateway, write, marker, signal);
      }),

    followRollout: ({
      target,
      written,
      images,
    }: {
      target: Target;
      written: Written;
      images: Record<string, string>;
    }): Promise<{ sentence: string }> =>
      act(target, (gateway, signal) => followRollout(gateway, target, written, images, signal)),

    readForUndo: ({
      target,
      change,
      owner,
    }: {
      target: Target;
      change: WorkloadChange;
      owner: RunRef;
    }): Promise<UndoWrite> => act(target, (gateway, signal) => readForUndo(gateway, change, owner, signal)),

    planOwnerPause: ({ target, pin }: { target: Target; pin: Pin }): Promise<OwnerPausePlan> =>
      act(target, (gateway, signal) => planOwnerPause(gateway, pin, signal)),

    compareTemplate: ({
      target,
      change,
      written,
    }: {
      target: Target;
      change: WorkloadChange;
      written: Written;
    }): Promise<{ compared: boolean; differences: string[] }> =>
      act(target, (gateway, signal) => compareTemplate(gateway, written, change.formerReplicaSet, signal)),
  };
}
