import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Runs } from '../../clients/temporal/runs.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { FreeLock, LockWait } from '../../contracts/lock.ts';
import type { Target } from '../../contracts/target.ts';
import {
  judgeLock,
  readLease,
  sameRun,
  type LockContent,
  type LockVerdict,
  type RunIdentity,
} from '../../domain/lock.ts';
import { Bell } from '../bell.ts';
import { failure } from '../failures.ts';
import { askAboutHolder, findRoot, type HolderReport } from './holder-state.ts';
import { leaseRef } from './lease.ts';

/** What a run asks for. */
export interface LockRequest {
  target: Target;
  me: RunIdentity & { procedure: string };
  /** The root of this run's parents, as Temporal knows it; absent when no workflow started it. */
  root?: { workflowId: string; runId: string };
  /** Not stopped by a freeze. */
  repair: boolean;
  /** Aborts whoever holds the target, once. */
  emergency: boolean;
  /** How long to wait for a target that another run holds, in seconds. */
  waitSeconds: number;
  /** Says what it would wait for instead of waiting. */
  lookOnly: boolean;
  /** Until when to wait for a freeze to end, ISO 8601. */
  frozenUntil: string;
}

const askAgainMilliseconds = 1000;
/** The longest heartbeat timeout that a profile may ask for. */
const graceSeconds = 15;

/**
 * Waits until the target is free for this run, and says at which version of the Lease it was so. Reads only; the
 * one signal it may send (`emergency`) may be sent twice. `say` tells what it waits for.
 * @throws LockHeld, GuardStopped (frozen past the deadline, or a Lease that cannot be read)
 */
export async function awaitLock(
  gateway: KubernetesGateway,
  runs: Runs,
  request: LockRequest,
  say: (sentence: string) => void,
  signal: AbortSignal,
): Promise<FreeLock | LockWait> {
  const root = await findRoot(runs, request.root);
  const memory: Memory = {
    holder: undefined,
    aborted: false,
    firstSeenClosed: undefined,
    waitUntil: undefined,
  };
  for await (const { lease, wakeAt } of watchLease(gateway, request.target, signal)) {
    const content = readLease(lease);
    const verdict = await judge(runs, request, root, content, memory);
    switch (verdict.verdict) {
      case 'free':
      case 'takeOver':
      case 'inherited':
        return freeLock(content, verdict);
      case 'refuse':
        throw failure('GuardStopped', verdict.sentence);
      case 'frozen':
      case 'held':
      case 'wait':
        if (request.lookOnly) return { waitsFor: verdict.sentence };
        wakeAt(await patience(runs, request, content, verdict, memory));
    }
    say(verdict.sentence);
  }
  throw failure('Unavailable', 'the watch of the lock ended before it was free');
}

function freeLock(
  { pin, holder, leftover }: LockContent,
  { verdict, sentence }: { verdict: 'free' | 'takeOver' | 'inherited'; sentence: string },
): FreeLock {
  // What a root run has begun is its own to end.
  if (verdict === 'inherited' && holder !== undefined) {
    const { workflowId, firstRunId } = holder;
    return { pin, sentence, inheritedFrom: { workflowId, firstRunId } };
  }
  return { pin, sentence, ...(leftover === undefined ? {} : { leftover }) };
}

/** When to look again, in milliseconds since the epoch. @throws LockHeld, GuardStopped when it waited long enough */
async function patience(
  runs: Runs,
  request: LockRequest,
  content: LockContent,
  verdict: Extract<LockVerdict, { until?: number }>,
  memory: Memory,
): Promise<number> {
  const now = Date.now();
  // Time spent in front of a freeze is not time spent waiting for a holder.
  if (verdict.verdict === 'frozen') memory.waitUntil = undefined;
  else memory.waitUntil ??= now + request.waitSeconds * 1000;
  const waitUntil = memory.waitUntil ?? now;
  switch (verdict.verdict) {
    case 'wait':
      return verdict.until ?? now + askAgainMilliseconds;
    case 'frozen': {
      const until = Date.parse(request.frozenUntil);
      // Negated, so that a deadline that cannot be read counts as passed.
      if (!(now < until))
        throw failure('GuardStopped', `the target is ${verdict.sentence}, and was until the deadline`);
      return until;
    }
    case 'held':
      if (request.emergency && !memory.aborted) memory.aborted = await preempt(runs, request, content);
      if (now >= waitUntil) throw failure('LockHeld', heldTooLong(request, verdict.sentence, memory.aborted));
      return Math.min(now + askAgainMilliseconds, waitUntil);
  }
}

interface Memory {
  /** Whom the next two are about. */
  holder: RunIdentity | undefined;
  aborted: boolean;
  firstSeenClosed: number | undefined;
  /** Until when to wait for whoever holds the target. */
  waitUntil: number | undefined;
}

async function judge(
  runs: Runs,
  request: LockRequest,
  root: RunIdentity | undefined,
  content: LockContent,
  memory: Memory,
): Promise<LockVerdict> {
  const { me, repair } = request;
  const now = Date.now();
  const report = await ask(runs, me, content);
  if (!sameRun(content.holder, memory.holder)) {
    memory.holder = content.holder;
    memory.aborted = false;
    memory.firstSeenClosed = undefined;
  }
  memory.firstSeenClosed = report?.state === 'closed' ? (memory.firstSeenClosed ?? now) : undefined;
  const holder =
    report === undefined
      ? undefined
      : {
          ...report,
          ...(memory.firstSeenClosed === undefined ? {} : { firstSeenClosed: memory.firstSeenClosed }),
        };
  return judgeLock({ content, me, root, holder, repair, now, graceSeconds });
}

async function ask(runs: Runs, me: RunIdentity, { holder }: LockContent): Promise<HolderReport | undefined> {
  if (holder === undefined || sameRun(holder, me)) return undefined;
  return await askAboutHolder(runs, holder);
}

/** Tells the holder to abort. False when that did not reach it: it is told again, as long as the wait lasts. */
async function preempt(runs: Runs, { me }: LockRequest, { holder }: LockContent): Promise<boolean> {
  if (holder === undefined) return false;
  const reason = `emergency ${me.procedure} needs the target`;
  return await runs.abort(holder.workflowId, { by: me.workflowId, reason }).then(
    () => true,
    () => false,
  );
}

function heldTooLong({ target, emergency }: LockRequest, sentence: string, aborted: boolean): string {
  const told = aborted
    ? 'it was told to abort and has not ended yet; look at it'
    : 'it could not be told to abort; look at it';
  const hint = emergency ? told : 'start again when it has ended, or abort it';
  return `target ${target.profile.target}: ${sentence}; ${hint}`;
}

/** The Lease now and after every change of it, and again when `wakeAt` asked for it. */
async function* watchLease(
  gateway: KubernetesGateway,
  target: Target,
  signal: AbortSignal,
): AsyncGenerator<{ lease: KubernetesObject | undefined; wakeAt: (time: number | undefined) => void }> {
  const stop = new AbortController();
  const bell = new Bell();
  const { apiVersion, kind, namespace, name } = leaseRef(target);
  const query = { apiVersion, kind, namespace, fieldSelector: `metadata.name=${name}` };
  let lease: KubernetesObject | undefined;
  const seen = { synced: false };
  const follow = async (): Promise<void> => {
    for await (const event of gateway.watch(query, { signal: AbortSignal.any([signal, stop.signal]) })) {
      if (event.type === 'SYNC') lease = event.items[0];
      else lease = event.type === 'DELETED' ? undefined : event.object;
      seen.synced = true;
      bell.ring();
    }
  };
  follow().catch((error: unknown) => {
    bell.fail(error);
  });
  try {
    for (;;) {
      await bell.wait();
      if (seen.synced)
        yield {
          lease,
          wakeAt: (time) => {
            bell.ringAt(time);
          },
        };
    }
  } finally {
    stop.abort(new Error('the lock was judged'));
  }
}
