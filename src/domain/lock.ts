import { z } from 'zod';
import type { Json } from '../contracts/json.ts';
import type { KubernetesObject } from '../contracts/kubernetes.ts';
import {
  lockAnnotations,
  type Freeze,
  type Holder,
  type HolderState,
  type Leftover,
  type LockPin,
} from '../contracts/lock.ts';
import { lockNamespace } from '../contracts/names.ts';
import type { WorkloadChange } from '../contracts/plan.ts';
import type { TargetProfile } from '../contracts/target.ts';
import { excerpt } from './text.ts';

const word = z.string().min(1).max(1000);
const holderSchema = z.object({
  workflowId: word,
  firstRunId: word,
  procedure: word,
  since: z.string().max(100),
  temporalNamespace: word,
  temporalCluster: z.string().max(1000),
});
const freezeSchema = z.object({
  by: z.string().max(1000),
  at: z.string().max(100),
  reason: z.string().max(1000).optional(),
});
const pinSchema = z.object({
  apiVersion: word,
  kind: word,
  namespace: word,
  name: word,
  uid: word,
  resourceVersion: word,
});
const leftoverSchema = z.object({
  run: z.object({ workflowId: word, firstRunId: word, procedure: word }),
  step: word,
  at: z.string().max(100),
  planHash: word,
  undo: z.array(
    z.looseObject({
      changes: z.array(z.looseObject({ path: z.string() })),
      write: z.looseObject({ pin: pinSchema }),
      formerImages: z.record(z.string(), z.string()),
    }),
  ),
});

/** What the Lease of a target says. `faults`: annotations that cannot be read; they stop a run. */
export interface LockContent {
  pin: LockPin;
  holder?: Holder;
  freeze?: Freeze;
  leftover?: Leftover;
  faults: string[];
}

/** Names the Lease of a target. The namespace is part of it: other workers may know another target by the same name. */
export function leaseName(profile: Pick<TargetProfile, 'target' | 'namespace'>): string {
  return `${profile.target}.${profile.namespace}`;
}

/** Reads a Lease; undefined: there is none yet. People can edit it, so nothing in it is taken for granted. */
export function readLease(lease: KubernetesObject | undefined): LockContent {
  if (lease === undefined) return { pin: null, faults: [] };
  const { uid = '', resourceVersion = '', annotations = {} } = lease.metadata;
  const faults: string[] = [];
  const parsed = <T>(key: keyof typeof lockAnnotations, schema: z.ZodType<T>): T | undefined => {
    const text = annotations[lockAnnotations[key]];
    if (text === undefined) return undefined;
    const result = schema.safeParse(parseJson(text));
    if (result.success) return result.data;
    faults.push(`annotation ${lockAnnotations[key]} of Lease ${lockNamespace}/${lease.metadata.name}`);
    return undefined;
  };
  const holder = parsed('holder', holderSchema);
  const leftover = parsed('leftover', leftoverSchema) as Leftover | undefined;
  const freeze = readFreeze(annotations[lockAnnotations.freeze]);
  return {
    pin: { uid, resourceVersion },
    faults,
    ...(holder === undefined ? {} : { holder }),
    ...(freeze === undefined ? {} : { freeze }),
    ...(leftover === undefined ? {} : { leftover }),
  };
}

/** A freeze that someone typed by hand counts, whatever it looks like: the switch must not fail open. */
function readFreeze(text: string | undefined): Freeze | undefined {
  if (text === undefined) return undefined;
  const result = freezeSchema.safeParse(parseJson(text));
  if (!result.success) return { by: 'someone, by hand', at: 'an unknown time', reason: excerpt(text, 200) };
  const { by, at, reason } = result.data;
  return { by, at, ...(reason === undefined ? {} : { reason }) };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What changes on a Lease; null removes, absent leaves as it is. */
export interface LockUpdate {
  holder?: Holder | null;
  freeze?: Freeze | null;
  leftover?: Leftover | null;
}

/** The Lease with `update` in it, ready to be created or put. Everything else on it stays. */
export function updatedLease(
  lease: KubernetesObject | undefined,
  name: string,
  update: LockUpdate,
  now: string,
): KubernetesObject {
  const annotations = { ...lease?.metadata.annotations };
  for (const key of ['holder', 'freeze', 'leftover'] as const) {
    const value = update[key];
    if (value === null) Reflect.deleteProperty(annotations, lockAnnotations[key]);
    else if (value !== undefined) annotations[lockAnnotations[key]] = JSON.stringify(value);
  }
  return {
    ...lease,
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...lease?.metadata, name, namespace: lockNamespace, annotations },
    spec: updatedSpec((lease?.spec ?? {}) as Record<string, Json>, update.holder, now),
  };
}

/** What `kubectl get lease` shows. The annotation decides; these follow it. */
function updatedSpec(
  spec: Record<string, Json>,
  holder: Holder | null | undefined,
  now: string,
): Record<string, Json> {
  // A MicroTime; Date prints milliseconds. Never the same twice: a write that changes nothing is none.
  const stamp = now.replace(/Z$/, '000Z');
  const renewTime = spec.renewTime === stamp ? now.replace(/Z$/, '001Z') : stamp;
  if (holder === undefined) return { ...spec, renewTime };
  const { holderIdentity: former, acquireTime: acquired, ...rest } = spec;
  if (holder === null) return { ...rest, renewTime };
  const identity = `${holder.workflowId}/${holder.firstRunId}`;
  const transitions = typeof rest.leaseTransitions === 'number' ? rest.leaseTransitions : 0;
  return {
    ...rest,
    holderIdentity: identity,
    acquireTime: former === identity && acquired !== undefined ? acquired : renewTime,
    renewTime,
    leaseTransitions: transitions + (former === identity ? 0 : 1),
  };
}

/** The run part of a holder: the same through reset and continue-as-new. */
export interface RunIdentity {
  workflowId: string;
  firstRunId: string;
}

/** Whether two names mean the same chain of runs. */
export function sameRun(left: RunIdentity | undefined, right: RunIdentity | undefined): boolean {
  return (
    left !== undefined &&
    right !== undefined &&
    left.workflowId === right.workflowId &&
    left.firstRunId === right.firstRunId
  );
}

/** What a run that wants the lock may do. */
export type LockVerdict =
  | { verdict: 'free' | 'inherited' | 'takeOver'; sentence: string }
  /** `until`: when time alone frees it, in milliseconds since the epoch. */
  | { verdict: 'wait' | 'held' | 'frozen'; sentence: string; until?: number }
  | { verdict: 'refuse'; sentence: string };

/** Everything that decides about a lock. */
export interface LockSituation {
  content: LockContent;
  me: RunIdentity;
  /** The run that started this one's chain of parents, when there is one. */
  root: RunIdentity | undefined;
  /** What Temporal says of the holder; asked only when there is one that is not `me`. */
  holder: { state: HolderState; closedAt?: number; firstSeenClosed?: number; step?: string } | undefined;
  repair: boolean;
  now: number;
  /** The longest heartbeat timeout of a writing activity: so long a worker of a closed run may still believe in it. */
  graceSeconds: number;
}

/** Clocks of Temporal and of workers may differ by this much. */
const clockSkewSeconds = 30;

/** Judges whether a run may take the lock now. A repair is not stopped by a freeze, but by a holder it is. */
export function judgeLock(situation: LockSituation): LockVerdict {
  const { content, me, root, holder: state, repair } = situation;
  const [fault] = content.faults;
  if (fault !== undefined)
    return {
      verdict: 'refuse',
      sentence: `${fault} cannot be read; look at it with kubectl, then remove it with: runbook unlock`,
    };
  const { holder } = content;
  // Who holds the target already is past the freeze: it finishes.
  if (sameRun(holder, me)) return { verdict: 'free', sentence: 'this run holds it already' };
  if (holder !== undefined && sameRun(holder, root) && state?.state === 'running')
    return { verdict: 'inherited', sentence: `inherited from its root run ${holder.workflowId}` };
  if (content.freeze !== undefined && !repair)
    return { verdict: 'frozen', sentence: describeFreeze(content.freeze) };
  if (holder === undefined) return { verdict: 'free', sentence: 'the target was free' };
  switch (state?.state ?? 'unknown') {
    case 'running':
      return { verdict: 'held', sentence: describeHolder(holder, state?.step) };
    case 'unknown':
      return {
        verdict: 'held',
        sentence: `${describeHolder(holder)}, and Temporal does not say whether it still runs`,
      };
    case 'foreign':
      return {
        verdict: 'refuse',
        sentence: `${describeHolder(holder)}, in another Temporal (namespace ${excerpt(holder.temporalNamespace)}); ask there, or free it by hand: runbook unlock`,
      };
    case 'closed':
      return judgeClosed(holder, situation);
  }
}

/** A worker of a closed run may write until it notices; so long its target is left alone. */
function judgeClosed(holder: Holder, { holder: state, now, graceSeconds }: LockSituation): LockVerdict {
  const sentence = `taken over from ${holder.workflowId} (${holder.procedure}), which ended without releasing it`;
  const { closedAt, firstSeenClosed = now } = state ?? {};
  if (closedAt !== undefined && now - closedAt >= (graceSeconds + clockSkewSeconds) * 1000)
    return { verdict: 'takeOver', sentence };
  const until = firstSeenClosed + graceSeconds * 1000;
  if (now >= until) return { verdict: 'takeOver', sentence };
  return {
    verdict: 'wait',
    sentence: `waits ${graceSeconds} s for workers of ${holder.workflowId}, which has ended, to notice that`,
    until,
  };
}

/** Who holds a target, for people. */
export function describeHolder(holder: Holder, step?: string): string {
  const where = step === undefined ? '' : `, now at "${excerpt(step)}"`;
  return `run ${excerpt(holder.workflowId, 100)} (${excerpt(holder.procedure)}) holds the target since ${excerpt(holder.since)}${where}`;
}

/** What an undo would put back, for people: values where the plan had them. */
export function describeUndo({ undo }: Leftover): string {
  const lines = undo.flatMap(({ changes, write, formerReplicaSet }) => [
    ...changes.map(({ path, before, after }) => `${path}: ${value(after)} → ${value(before)}`),
    ...(write.template === undefined || formerReplicaSet === undefined
      ? []
      : [`template of ReplicaSet ${formerReplicaSet.name}`]),
  ]);
  const more = lines.length > 5 ? `; and ${lines.length - 5} more` : '';
  return `${lines.slice(0, 5).join('; ')}${more}`;
}

function value(json: unknown): string {
  if (json === undefined) return '(none)';
  return excerpt(typeof json === 'string' ? json : JSON.stringify(json), 120);
}

/** Who froze a target, for people. */
export function describeFreeze({ by, at, reason }: Freeze): string {
  const why = reason === undefined ? '' : `: ${excerpt(reason, 200)}`;
  return `frozen by ${excerpt(by)} since ${excerpt(at)}${why}`;
}

/** What a run left half done, for people. */
export function describeLeftover({ run, step, at, undo }: Leftover): string {
  const objects = undo.map(({ write: { pin } }) => `${pin.kind} ${pin.namespace}/${pin.name}`);
  return `run ${excerpt(run.workflowId, 100)} (${excerpt(run.procedure)}) began "${excerpt(step)}" at ${excerpt(at)} and ended without proving or undoing it; it changed ${objects.join(', ')}`;
}

/** What a run notes on the lock before it changes something: enough for another run to take it back. */
export function halfDone(what: Omit<Leftover, 'undo'>, workloads: WorkloadChange[]): Leftover {
  return { ...what, undo: workloads.map(onlyChange) };
}

/** A plan of one workload is its change, too; the rest of it would only make the lock hard to read. */
function onlyChange({
  changes,
  write,
  images,
  formerImages,
  formerReplicaSet,
}: WorkloadChange): WorkloadChange {
  return {
    changes,
    write,
    images,
    formerImages,
    ...(formerReplicaSet === undefined ? {} : { formerReplicaSet }),
  };
}
