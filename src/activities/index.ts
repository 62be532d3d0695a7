import type { KubernetesGateway } from '../clients/kubernetes/gateway.ts';
import type { Runs } from '../clients/temporal/runs.ts';
import type { ObjectStorage, ObjectStorageOptions } from '../clients/object-storage.ts';
import type { Target } from '../contracts/target.ts';
import { createApprovalActivities } from './approvals/index.ts';
import { createAuditActivities } from './audit/index.ts';
import { createBackupActivities } from './backups/index.ts';
import { createDrillActivities } from './drill/index.ts';
import { createPruningActivities } from './pruning/index.ts';
import { createKubernetesActivities } from './kubernetes/index.ts';
import { createLockActivities } from './locks/index.ts';
import { createNotificationActivities, type NotificationDependencies } from './notifications/index.ts';
import { createProbeActivities } from './probes/index.ts';
import { createRecoveryActivities } from './recovery/index.ts';
import { createReportActivities } from './reports/index.ts';
import { createTargetActivities } from './targets/index.ts';
import { loadTarget } from './targets/profiles.ts';

/** Everything that activities reach the world by; built once, when the worker starts. */
export interface ActivityDependencies {
  targetsFolder: string;
  defaultTarget: string | undefined;
  searchAttributes: boolean;
  gatewayFor: (target: Target) => KubernetesGateway;
  storage: ObjectStorage | undefined;
  /** The bucket that storage stands for; backups open it in a way of their own. */
  bucket?: ObjectStorageOptions | undefined;
  runs: Runs;
  channels: NotificationDependencies['channels'];
}

/** All activities of one worker. Names are unique across the groups by a test. */
export function createActivities(dependencies: ActivityDependencies) {
  const { targetsFolder, defaultTarget, gatewayFor } = dependencies;
  const load = (name: string | undefined): Promise<Target> => loadTarget(targetsFolder, name, defaultTarget);
  return {
    ...createTargetActivities(dependencies),
    ...createKubernetesActivities({
      gatewayFor,
      loadTarget: load,
    }),
    ...createLockActivities(dependencies),
    ...createProbeActivities({ gatewayFor }),
    ...createReportActivities(dependencies),
    ...createApprovalActivities({ loadTarget: load, targetsFolder }),
    ...createAuditActivities(dependencies),
    ...createBackupActivities(dependencies),
    ...createRecoveryActivities({ ...dependencies, loadTarget: load }),
    ...createDrillActivities({ ...dependencies, loadTarget: load }),
    ...createPruningActivities(dependencies),
    ...createNotificationActivities(dependencies),
  };
}

export type Activities = ReturnType<typeof createActivities>;
