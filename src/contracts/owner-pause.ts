import type { WorkloadChange } from './plan.ts';

/** Who would revert a change of a workload. Plain Helm acts only when someone runs it. */
export type GitOpsOwner = 'flux-kustomization' | 'flux-helm' | 'argo-cd' | 'helm' | 'none';

/**
 * One write that keeps a controller away from a workload, in the shape that applies and undoes every other write
 * (`applyWrite`, `readForUndo`): the images are empty, since nothing rolls out by it.
 */
export interface OwnerPause extends WorkloadChange {
  owner: GitOpsOwner;
  /** What is written where, how far it reaches, and until when. */
  sentence: string;
  /** The kubectl command that takes the pause back, for people. */
  resumeCommand: string;
}

/** What can be done about the owner of a workload: a pause, nothing since none is needed, or nothing since it cannot. */
export type OwnerPausePlan =
  | { state: 'pause'; pause: OwnerPause }
  | { state: 'notNeeded'; owner: GitOpsOwner; sentence: string }
  | { state: 'cannot'; sentence: string };
