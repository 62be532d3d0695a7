import type { KubernetesGateway } from '../clients/kubernetes/gateway.ts';
import type { Runs } from '../clients/temporal/runs.ts';
import type { ObjectStorage } from '../clients/object-storage.ts';
import type { Target } from '../contracts/target.ts';
import { createKubernetesActivities } from './kubernetes/index.ts';
import { createLockActivities } from './locks/index.ts';
import { createProbeActivities } from './probes/index.ts';
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
  runs: Runs;
}

/** All activities of one worker. Names are unique across the groups by a test. */
export function createActivities(dependencies: ActivityDependencies) {
  const { targetsFolder, defaultTarget, gatewayFor } = dependencies;
  return {
    ...createTargetActivities(dependencies),
    ...createKubernetesActivities({
      gatewayFor,
      loadTarget: (name) => loadTarget(targetsFolder, name, defaultTarget),
    }),
    ...createLockActivities(dependencies),
    ...createProbeActivities({ gatewayFor }),
    ...createReportActivities(dependencies),
  };
}

export type Activities = ReturnType<typeof createActivities>;
