import type { Change } from '../../src/contracts/plan.ts';
import type { Gate, RunRecord } from '../../src/contracts/run.ts';
import type { Deployment } from '../../src/domain/deployment.ts';
import type { Pod, ReplicaSet, RolloutGoal } from '../../src/domain/rollout-health.ts';

/** The moment that the builders count from, in milliseconds since the epoch. */
export const now = Date.parse('2026-03-01T03:00:00Z');

/** A time some seconds from `now`, as Kubernetes writes it. */
export function at(seconds: number): string {
  return new Date(now + seconds * 1000).toISOString();
}

/** Text that has broken something somewhere: markdown, markup, placeholders, control characters, half a character. */
export const hostileTexts = [
  '**bold** [link](http://evil.example) `code` | cell |',
  '<script>alert(1)</script> {{placeholder}} ${code}',
  'line\nbreak\r\u0000\u001b[2J\u2028\u202e',
  '\ud800 half a pair',
  '__proto__',
  'constructor',
  'x'.repeat(1_000_000),
];

/** A healthy Deployment `web` in generation 2, revision 2, with three replicas of one container `app`. */
export function aDeployment(
  change: {
    metadata?: Partial<Deployment['metadata']>;
    spec?: Partial<Deployment['spec']>;
    status?: Deployment['status'] | undefined;
    podSpec?: Partial<Deployment['spec']['template']['spec']>;
  } = {},
): Deployment {
  const { status = { observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 3 } } =
    change;
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'deployment-uid',
      generation: 2,
      annotations: { 'deployment.kubernetes.io/revision': '2' },
      ...change.metadata,
    },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: { containers: [{ name: 'app', image: 'web:2' }], ...change.podSpec },
      },
      ...change.spec,
    },
    ...('status' in change && change.status === undefined ? {} : { status }),
  };
}

/** The ReplicaSet of one revision of `web`. */
export function aReplicaSet(revision: string, status?: ReplicaSet['status']): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `web-${revision}`,
      uid: `replicaset-${revision}`,
      annotations: { 'deployment.kubernetes.io/revision': revision },
      ownerReferences: [controlledBy('Deployment', 'web', 'deployment-uid')],
    },
    ...(status === undefined ? {} : { status }),
  };
}

/** A pod of that ReplicaSet, scheduled; what its containers do is up to the test. */
export function aPod(
  change: {
    name?: string;
    revision?: string;
    metadata?: Partial<Pod['metadata']>;
    spec?: Partial<Pod['spec']>;
    status?: Pod['status'];
  } = {},
): Pod {
  const { name = 'web-2-a', revision = '2' } = change;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      uid: `${name}-uid`,
      ownerReferences: [controlledBy('ReplicaSet', `web-${revision}`, `replicaset-${revision}`)],
      ...change.metadata,
    },
    spec: { containers: [{ name: 'app', image: 'web:2' }], ...change.spec },
    ...(change.status === undefined ? {} : { status: change.status }),
  };
}

/** What a rollout to `web:2` is expected to reach. */
export function aGoal(change: Partial<RolloutGoal> = {}): RolloutGoal {
  return {
    uid: 'deployment-uid',
    generation: 2,
    images: { app: 'web:2' },
    startupAllowanceSeconds: 30,
    unschedulableAfterSeconds: 60,
    watchedSince: now,
    ...change,
  };
}

/** One image that a plan would change. */
export function aChange(change: Partial<Change> = {}): Change {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    namespace: 'shop',
    name: 'web',
    uid: 'deployment-uid',
    path: 'spec/template/spec/containers[name=app]/image',
    before: 'web:1',
    after: 'web:2',
    ...change,
  };
}

/** A gate that closes an hour from `now`. */
export function aGate(change: Partial<Gate> = {}): Gate {
  return {
    id: 'gate-1',
    step: 'Approve the change',
    question: 'Roll out these images?',
    planHash: 'a'.repeat(64),
    openedAt: at(0),
    deadline: at(3600),
    runId: 'run-1',
    signed: false,
    needs: '1 approval of anyone',
    approvedBy: [],
    ...change,
  };
}

/** The record of a run that succeeded. */
export function aRecord(change: Partial<RunRecord> = {}): RunRecord {
  return {
    run: { workflowId: 'web/1', firstRunId: 'run-1', procedure: 'rollingUpdate' },
    outcome: 'succeeded',
    headline: ['Rolled out.', 'The service is healthy now.', 'Nothing to do.'],
    target: 'shop',
    profileDigest: 'b'.repeat(64),
    startedAt: at(0),
    endedAt: at(60),
    steps: [],
    decisions: [],
    ignoredDecisions: 0,
    controls: [],
    ignoredSignals: 0,
    proofs: [],
    undo: [],
    ...change,
  };
}

/** Numbers that look random and are the same in every run, from 0 up to 1 (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function controlledBy(
  kind: string,
  name: string,
  uid: string,
): NonNullable<Pod['metadata']['ownerReferences']>[number] {
  return { apiVersion: 'apps/v1', kind, name, uid, controller: true };
}
