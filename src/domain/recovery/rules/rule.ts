import type { Dropped } from '../../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../../contracts/kubernetes.ts';

/** What a rule may go by beside the object itself. */
export interface RuleContext {
  purpose: 'recover' | 'drill';
  /** The namespace of the backup. */
  from: string;
  /** The namespace that its objects go to. */
  into: string;
  /** What the stored form leaves out and the index keeps. */
  dropped: Dropped;
  /** Whether a volume is there, or comes back too, and waits for the claim of this backup. */
  volumeKept: (name: string) => boolean;
  /** Whether an autoscaler of the backup or of the cluster decides over the replicas of this workload. */
  autoscaled: (workload: { kind: string; name: string }) => boolean;
  /** Of a drill: what the profile lets into it. */
  drill?: {
    allowEmptyClaims: boolean;
    customResources: readonly string[];
    pullSecrets: 'empty' | 'keep';
    dummies: Readonly<Record<string, Readonly<Record<string, string>>>>;
  };
}

/** One thing that is done to objects of some kinds before they are written. The page has a row for each. */
export interface Rule {
  /** What it is about, as the page writes it. */
  about: string;
  does: 'drops' | 'keeps' | 'sets' | 'leaves the object out' | 'takes it from the live object';
  because: string;
  /** In which case only; without it always. */
  when?: string;
  /** The object as it is written. */
  edit?: (object: KubernetesObject, context: RuleContext) => KubernetesObject;
  leavesOut?: (object: KubernetesObject, context: RuleContext) => boolean;
  /** What an update of an object that exists takes from it. */
  merge?: (wanted: KubernetesObject, live: KubernetesObject, context: RuleContext) => KubernetesObject;
}

/** The rules of some kinds, as `Kind.group`; without kinds they are for all. */
export interface KindRules {
  kinds?: readonly string[];
  rules: readonly Rule[];
}

/** Whether the object goes to another namespace than it came from. */
export function moves({ from, into }: RuleContext): boolean {
  return from !== into;
}
