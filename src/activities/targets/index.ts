import type { Target } from '../../contracts/target.ts';
import { withHeartbeat } from '../heartbeat.ts';
import { loadTarget } from './profiles.ts';

/** What the target activities need. */
export interface TargetDependencies {
  targetsFolder: string;
  defaultTarget: string | undefined;
  /** Whether the search attributes exist in the namespace; found out when the worker starts. */
  searchAttributes: boolean;
}

/** Reads target profiles. Reading only, so every activity here may run any number of times. */
export function createTargetActivities({
  targetsFolder,
  defaultTarget,
  searchAttributes,
}: TargetDependencies) {
  return {
    /** The profile of a target as it is now. @throws NotFound, InvalidProfile, InvalidRequest */
    resolveTarget: (request: { target?: string }): Promise<{ target: Target; searchAttributes: boolean }> =>
      withHeartbeat(async () => ({
        target: await loadTarget(targetsFolder, request.target, defaultTarget),
        searchAttributes,
      })),
  };
}
