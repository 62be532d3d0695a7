import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type {
  BackupRef,
  GroupOutcome,
  PlanRequest,
  RecoveryPlan,
  RestoreOptions,
  StoredDetails,
} from '../../contracts/recovery.ts';
import type { Proof } from '../../contracts/run.ts';
import type { Target } from '../../contracts/target.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { translate } from '../kubernetes/failures.ts';
import { awaitGroup, type Awaited, type AwaitRequest } from './await-group.ts';
import { chooseRecovery } from './choose.ts';
import { planRecovery } from './plan.ts';
import { proveContent } from './prove-content.ts';
import { proveRecoveredHealth } from './prove-health.ts';
import { proveLogs } from './prove-logs.ts';
import { proveWorkloads } from './prove-workloads.ts';
import { withProgress } from './progress.ts';
import { restoreGroup, type RestoreRequest } from './restore-group.ts';
import { readPlan } from './run-files.ts';
import { withSource, type RecoveryDependencies, type Source } from './source.ts';
import { tieOwners } from './tie-owners.ts';
import { verifyChosen } from './verify.ts';

/** A plan under which something is done or proven. */
interface UnderPlan {
  target: Target;
  backup: BackupRef;
  options: RestoreOptions;
  stored: StoredDetails;
}

/** Everything that a recovery does. All of it is tier secret: backups hold the values of Secrets. */
export function createRecoveryActivities(dependencies: RecoveryDependencies) {
  const { gatewayFor, loadTarget } = dependencies;
  const act = <T>(
    target: Target,
    backup: BackupRef,
    work: (
      gateway: KubernetesGateway,
      source: Source,
      signal: AbortSignal,
      say: (sentence: string) => void,
    ) => Promise<T>,
  ): Promise<T> =>
    translate(() =>
      withHeartbeat((signal, say) =>
        withSource(dependencies, target, backup, signal, (source) =>
          work(gatewayFor(target), source, signal, say),
        ),
      ),
    );

  return {
    /** Reading only. @throws NotFound, BackupRefused, StorageUnavailable */
    chooseRecovery: async ({
      target: name,
      ...asked
    }: {
      target: string | undefined;
      backup: string;
      location: string | undefined;
    }): Promise<{ target: Target; backup: BackupRef }> => {
      const target = await loadTarget(name);
      const backup = await translate(() =>
        withHeartbeat((signal) => chooseRecovery(dependencies, { target, ...asked }, signal)),
      );
      return { target, backup };
    },

    /** Reading only. @throws BackupRefused, StorageUnavailable */
    verifyRecovery: ({
      target,
      backup,
    }: Pick<UnderPlan, 'target' | 'backup'>): Promise<{ objects: number; bytes: number }> =>
      translate(() =>
        withHeartbeat((signal, say) => verifyChosen(dependencies, target, backup, signal, say)),
      ),

    /** Reads the profile anew, so that one edited while a run waits shows as another plan. Idempotency in its file. */
    planRecovery: async ({
      target: name,
      ...request
    }: PlanRequest & { target: string | undefined }): Promise<RecoveryPlan> => {
      const target = await loadTarget(name);
      return await act(target, request.backup, (gateway, source, signal, say) =>
        planRecovery(gateway, target, source, request, signal, say),
      );
    },

    /** Idempotency in its file. Its heartbeats carry how far it is, so they are its own. */
    restoreGroup: (request: RestoreRequest): Promise<GroupOutcome> =>
      translate(() =>
        withProgress((progress, signal) =>
          withSource(dependencies, request.target, request.backup, signal, (source) =>
            restoreGroup(gatewayFor(request.target), source, request, progress, signal),
          ),
        ),
      ),

    /** Idempotency in its file. */
    tieOwners: (request: UnderPlan & Pick<RestoreRequest, 'holder'>): Promise<GroupOutcome> =>
      act(request.target, request.backup, (gateway, source, signal) =>
        tieOwners(gateway, source, request, signal),
      ),

    /** Reading only. */
    awaitGroup: ({ target, backup, ...request }: UnderPlan & AwaitRequest): Promise<Awaited> =>
      act(target, backup, (gateway, source, signal, say) =>
        awaitGroup(gateway, source, request, signal, say),
      ),

    /** Reading only. */
    proveWorkloads: ({ target, backup, options, stored }: UnderPlan): Promise<Proof> =>
      act(target, backup, async (gateway, source, signal, say) => {
        const { startupAllowanceSeconds, unschedulableAfterSeconds } = target.profile.rollout;
        const allowanceSeconds = startupAllowanceSeconds + unschedulableAfterSeconds;
        const plan = await readPlan(source.store, stored, signal);
        const needed = options.purpose === 'drill';
        const asked = { namespace: options.into, allowanceSeconds, needed };
        return await proveWorkloads(gateway, plan, asked, signal, say);
      }),

    /** Reading only. */
    proveContent: ({ target, backup, options, stored }: UnderPlan): Promise<Proof> =>
      act(target, backup, async (gateway, source, signal, say) => {
        const plan = await readPlan(source.store, stored, signal);
        return await proveContent(gateway, source, { plan, backup, options }, signal, say);
      }),

    /** Reading only. */
    proveRecoveredHealth: ({ target, namespace }: { target: Target; namespace: string }): Promise<Proof> =>
      translate(() =>
        withHeartbeat((signal, say) =>
          proveRecoveredHealth(gatewayFor(target), target, namespace, signal, say),
        ),
      ),

    /** Reading only. `since`: ISO 8601. */
    proveLogs: ({ target, backup, options, since }: UnderPlan & { since: string }): Promise<Proof> =>
      act(target, backup, (gateway, source, signal) =>
        proveLogs(gateway, source, { namespace: options.into, since }, signal),
      ),
  };
}
