import type { Json } from './json.ts';
import type { JsonPatchOperation, ObjectRef, Pin } from './kubernetes.ts';
import type { Target } from './target.ts';

/** One value that a run would change. `path` is keyed by list keys, e.g. `spec/template/spec/containers[name=alecs]/image`. */
export interface Change extends ObjectRef {
  uid: string | null;
  path: string;
  /** Absent: the value does not exist before. */
  before?: Json;
  /** Absent: the value does not exist after. */
  after?: Json;
  /** `after` is made anew by every run, such as a time: shown, but no part of the plan's hash. */
  generated?: true;
}

/** A ReplicaSet that keeps a pod template, by name and uid. */
export interface ReplicaSetRef {
  name: string;
  uid: string;
}

/** One write, ready to send: only the pin's resourceVersion and the run's marker are added when it is sent. */
export interface Write {
  pin: Pin;
  operations: JsonPatchOperation[];
  /**
   * Also puts the pod template of the ReplicaSet `to` in place of the one of `from`. The writing activity reads both
   * itself, so that values of the template (environment variables may hold passwords) never enter a history.
   */
  template?: { from: ReplicaSetRef; to: ReplicaSetRef };
  /** Whether the object has annotations already; without them the marker needs its parent first. */
  hasAnnotations: boolean;
  /** Marker that the object carried before this write; absent when it carried none. */
  formerMarker?: string;
  /** What the object holds once the write took effect, by keyed path; an absent value does not exist then. */
  expected: { path: string; value?: Json }[];
}

/** An object as the API server answered a write. */
export interface Written extends Pin {
  generation: number;
}

/** What a guard found. `unknown` stops a run just as `stops` does: a guard that cannot be evaluated is no guard. */
export interface GuardFinding {
  guard: 'gitOps' | 'paused' | 'quota' | 'freeze' | 'configuration';
  verdict: 'clear' | 'stops' | 'unknown';
  sentence: string;
}

/** What a run would change, object by object. Only `changes` (with version and profile digest) enter `hash`. */
export interface Plan {
  /** SHA-256 over the canonical form, hexadecimal. A decision names it. */
  hash: string;
  /** The profile that the plan was made under; everything after the plan goes by this one. */
  target: Target;
  changes: Change[];
  /** Objects that would be written; given by plans whose `changes` may name kinds with their number instead. */
  objects?: number;
  findings: GuardFinding[];
  /** At most 50 lines for people. */
  summary: string[];
}

/** What a plan does to the pod template of one workload, and what undo needs to put back. */
export interface WorkloadChange {
  changes: Change[];
  write: Write;
  /** Image per container that the rollout must reach. */
  images: Record<string, string>;
  /** Image per container that undo must reach again. */
  formerImages: Record<string, string>;
  /** The ReplicaSet that holds the former template; absent when the cluster keeps none. */
  formerReplicaSet?: ReplicaSetRef;
}

/** A plan that changes the pod template of one workload. */
export interface WorkloadPlan extends Plan, WorkloadChange {}

/** A plan that restarts workloads together, wave after wave. */
export interface RestartPlan extends Plan {
  waves: WorkloadChange[][];
  /** The hash that a plan of each wave alone has: waves are checked again one by one. */
  waveHashes: string[];
}
