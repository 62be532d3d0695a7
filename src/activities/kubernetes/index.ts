import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { WorkloadPlan, Write, Written } from '../../contracts/plan.ts';
import type { RollingUpdateRequest } from '../../contracts/rolling-update.ts';
import type { RunRef } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { applyWrite } from './apply-write.ts';
import { translate } from './failures.ts';
import { followRollout } from './follow-rollout.ts';
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

    applyWrite: ({
      target,
      write,
      marker,
    }: {
      target: Target;
      write: Write;
      marker: string;
    }): Promise<Written> => act(target, (gateway, signal) => applyWrite(gateway, write, marker, signal)),

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

    readForUndo: ({ plan, run }: { plan: WorkloadPlan; run: RunRef }): Promise<UndoWrite> =>
      act(plan.target, (gateway, signal) => readForUndo(gateway, plan, run, signal)),

    compareTemplate: ({
      target,
      written,
      former,
    }: {
      target: Target;
      written: Written;
      former: WorkloadPlan['formerReplicaSet'] | null;
    }): Promise<{ compared: boolean; differences: string[] }> =>
      act(target, (gateway, signal) => compareTemplate(gateway, written, former, signal)),
  };
}
