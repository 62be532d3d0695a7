import { describe, expect, test } from '@jest/globals';
import {
  judgeRollout,
  newestReplicaSet,
  newPods,
  type Pod,
  type RolloutGoal,
  type RolloutVerdict,
  type RolloutView,
} from '../../src/domain/rollout-health.ts';
import { aDeployment, aGoal, aPod, aReplicaSet, at, hostileTexts, now } from '../support/builders.ts';

/** One of three replicas is updated, none of the new ones available. */
const halfway = { observedGeneration: 2, replicas: 4, updatedReplicas: 1, availableReplicas: 3 };
const readiness = { initialDelaySeconds: 5, periodSeconds: 5, failureThreshold: 3 };

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];

function aView(change: Partial<RolloutView> = {}): RolloutView {
  return {
    deployment: aDeployment({ status: halfway }),
    replicaSets: [aReplicaSet('1'), aReplicaSet('2')],
    pods: [],
    events: [],
    ...change,
  };
}

const judge = (view: Partial<RolloutView>, goal: Partial<RolloutGoal> = {}, time = now): RolloutVerdict =>
  judgeRollout(aView(view), aGoal(goal), time);

/** A new pod whose only container has this status and these probes. */
function podWith(
  status: Partial<ContainerStatus>,
  container: Partial<Pod['spec']['containers'][number]> = {},
): Pod {
  return aPod({
    spec: { containers: [{ name: 'app', image: 'web:2', ...container }] },
    status: {
      phase: 'Running',
      containerStatuses: [{ name: 'app', ready: false, restartCount: 0, ...status }],
    },
  });
}

describe('a rollout is complete', () => {
  test('when every replica is updated and available and no old one is left', () => {
    expect(judge({ deployment: aDeployment() })).toEqual({
      state: 'complete',
      sentence: '3 of 3 replicas updated and available',
    });
  });

  test.each([
    ['one replica is not updated', { updatedReplicas: 2 }],
    ['one old replica is left', { replicas: 4 }],
    ['one new replica is not available', { availableReplicas: 2 }],
    [
      'the counts are missing',
      { replicas: undefined, updatedReplicas: undefined, availableReplicas: undefined },
    ],
    ['the count of the available is missing', { availableReplicas: undefined }],
  ])('not while %s', (_case, change) => {
    const status = {
      observedGeneration: 2,
      replicas: 3,
      updatedReplicas: 3,
      availableReplicas: 3,
      ...change,
    };
    const kept = Object.fromEntries(Object.entries(status).filter(([, value]) => value !== undefined));
    expect(judge({ deployment: aDeployment({ status: kept }) }).state).toBe('progressing');
  });

  test('with more pods than wanted, while an autoscaler takes them back', () => {
    const status = { observedGeneration: 2, replicas: 5, updatedReplicas: 5, availableReplicas: 5 };
    expect(judge({ deployment: aDeployment({ status }) }).state).toBe('complete');
  });

  test('with no replicas wanted and none there', () => {
    const deployment = aDeployment({ spec: { replicas: 0 }, status: { observedGeneration: 2 } });
    expect(judge({ deployment })).toEqual({
      state: 'complete',
      sentence: '0 of 0 replicas updated and available',
    });
  });

  test('one replica is wanted when the number is absent', () => {
    const status = { observedGeneration: 2, replicas: 1, updatedReplicas: 1, availableReplicas: 1 };
    const deployment = aDeployment({ status });
    delete deployment.spec.replicas;
    expect(judge({ deployment })).toMatchObject({ sentence: '1 of 1 replicas updated and available' });
  });

  test('whatever happened to old and new pods on the way', () => {
    const pods = [podWith({ lastState: { terminated: { reason: 'OOMKilled' } } }), aPod({ revision: '1' })];
    expect(judge({ deployment: aDeployment(), pods }).state).toBe('complete');
  });
});

describe('until the controller has seen the change nothing is judged', () => {
  test.each([
    ['the generation of our change', { observedGeneration: 1 }, 2],
    ['a later generation of someone else', { observedGeneration: 2 }, 3],
    ['any generation', {}, 2],
  ])('not %s', (_case, status, generation) => {
    const complete = { replicas: 3, updatedReplicas: 3, availableReplicas: 3, ...status };
    const deployment = aDeployment({ metadata: { generation }, status: complete });
    const conditions = [{ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' }];
    expect(judge({ deployment }).state).toBe('progressing');
    expect(judge({ deployment: { ...deployment, status: { ...complete, conditions } } }).state).toBe(
      'progressing',
    );
  });

  test('a controller that is silent for two minutes is named as the reason', () => {
    const deployment = aDeployment({ metadata: { generation: 2 }, status: { observedGeneration: 1 } });
    const silentFor = (seconds: number): string =>
      judge({ deployment }, { watchedSince: now - seconds * 1000 }).state;
    expect([119, 120, 121].map(silentFor)).toEqual(['progressing', 'hopeless', 'hopeless']);
    expect(judge({ deployment }, { watchedSince: now - 10_000 })).toMatchObject({
      lookAgainAt: now + 110_000,
    });
  });

  test('a Deployment without a status is never complete, even where generations are absent', () => {
    const deployment = aDeployment({ status: undefined, spec: { replicas: 0 } });
    delete deployment.metadata.generation;
    expect(judge({ deployment }, { generation: 0 }).state).toBe('progressing');
  });
});

describe('someone else ends the rollout', () => {
  test.each<[string, string, RolloutView['deployment']]>([
    ['Deleted', 'it is gone', undefined],
    ['Deleted', 'it was made anew', aDeployment({ metadata: { uid: 'other' } })],
    ['Deleted', 'it waits for its pods to go', aDeployment({ metadata: { deletionTimestamp: at(0) } })],
    [
      'Superseded',
      'another image',
      aDeployment({ podSpec: { containers: [{ name: 'app', image: 'web:3' }] } }),
    ],
    [
      'Superseded',
      'the container is gone',
      aDeployment({ podSpec: { containers: [{ name: 'web', image: 'web:2' }] } }),
    ],
    ['Superseded', 'no image at all', aDeployment({ podSpec: { containers: [{ name: 'app' }] } })],
    ['Paused', 'it was paused', aDeployment({ spec: { paused: true } })],
  ])('%s: %s', (reason, _case, deployment) => {
    expect(judgeRollout({ ...aView(), deployment }, aGoal(), now)).toMatchObject({
      state: 'hopeless',
      reason,
    });
  });

  test('a change of something else does not', () => {
    const containers = [
      { name: 'proxy', image: 'proxy:9' },
      { name: 'app', image: 'web:2' },
    ];
    expect(judge({ deployment: aDeployment({ podSpec: { containers } }) }).state).toBe('complete');
  });

  test('images of init containers count too', () => {
    const initContainers = [{ name: 'migrate', image: 'web:2' }];
    const images = { app: 'web:2', migrate: 'web:2' };
    expect(judge({ deployment: aDeployment({ podSpec: { initContainers } }) }, { images }).state).toBe(
      'complete',
    );
    expect(judge({ deployment: aDeployment() }, { images })).toMatchObject({ reason: 'Superseded' });
  });
});

describe('conditions', () => {
  const withProgress = (message?: string): RolloutView['deployment'] => {
    const condition = { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded' };
    const conditions = [message === undefined ? condition : { ...condition, message }];
    return aDeployment({ status: { ...halfway, conditions } });
  };

  test.each([
    ['without a message', undefined, 'hopeless'],
    ['of the new ReplicaSet', 'ReplicaSet "web-2" has timed out progressing.', 'hopeless'],
    ['of the Deployment', 'Deployment "web" has timed out progressing.', 'hopeless'],
    [
      'of the rollout before: an undo once failed by it',
      'ReplicaSet "web-1" has timed out progressing.',
      'progressing',
    ],
  ])('the progress deadline %s', (_case, message, state) => {
    expect(judge({ deployment: withProgress(message) }).state).toBe(state);
  });

  const failing = (change: object = {}): RolloutView['replicaSets'] => [
    aReplicaSet('1'),
    aReplicaSet('2', {
      conditions: [
        {
          type: 'ReplicaFailure',
          status: 'True',
          reason: 'FailedCreate',
          lastTransitionTime: at(0),
          ...change,
        },
      ],
    }),
  ];

  test('a ReplicaSet that cannot create pods is given the time of a terminating pod', () => {
    const replicaSets = failing();
    expect(judge({ replicaSets }, {}, now + 59_999)).toMatchObject({
      state: 'progressing',
      lookAgainAt: now + 60_000,
    });
    expect(judge({ replicaSets }, {}, now + 60_000)).toMatchObject({
      state: 'hopeless',
      reason: 'FailedCreate',
    });
    expect(judge({ replicaSets: failing({ status: 'False' }) }, {}, now + 60_000).state).toBe('progressing');
  });

  test('one that does not say since when is not given any time', () => {
    expect(judge({ replicaSets: failing({ lastTransitionTime: undefined }) }).state).toBe('hopeless');
  });

  test('an old ReplicaSet that cannot create pods does not matter, nor the Deployment that repeats it', () => {
    const condition = {
      type: 'ReplicaFailure',
      status: 'True',
      reason: 'FailedCreate',
      lastTransitionTime: at(-999),
    };
    const replicaSets = [aReplicaSet('1', { conditions: [condition] }), aReplicaSet('2')];
    const deployment = aDeployment({ status: { ...halfway, conditions: [condition] } });
    expect(judge({ replicaSets, deployment }).state).toBe('progressing');
  });
});

describe('a new pod shows why it will not come up', () => {
  test.each([
    'ImagePullBackOff',
    'ErrImagePull',
    'ErrImageNeverPull',
    'InvalidImageName',
    'CreateContainerConfigError',
    'CreateContainerError',
    'RunContainerError',
    'CrashLoopBackOff',
  ])('%s', (reason) => {
    expect(judge({ pods: [podWith({ state: { waiting: { reason } } })] })).toEqual({
      state: 'hopeless',
      reason,
      sentence: 'container app of pod web-2-a does not start',
    });
  });

  test('a crash says its last exit code', () => {
    const status = {
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 137 } },
    };
    expect(judge({ pods: [podWith(status)] })).toMatchObject({
      sentence: 'container app of pod web-2-a does not start (last exit code 137)',
    });
  });

  test.each(['ContainerCreating', 'PodInitializing', undefined, 'constructor'])(
    'not while it waits for %s',
    (reason) => {
      const waiting = reason === undefined ? {} : { reason };
      expect(judge({ pods: [podWith({ state: { waiting } })] }).state).toBe('progressing');
    },
  );

  test.each<[string, Partial<ContainerStatus>]>([
    ['now', { state: { terminated: { reason: 'OOMKilled', exitCode: 137 } } }],
    [
      'and is tried again',
      { state: { running: { startedAt: at(0) } }, lastState: { terminated: { reason: 'OOMKilled' } } },
    ],
  ])('killed for its memory limit %s', (_case, status) => {
    expect(judge({ pods: [podWith(status)] })).toMatchObject({ reason: 'OOMKilled' });
  });

  test('a container that serves is fine, though it was killed for memory weeks ago: an undo once failed by it', () => {
    const status = {
      ready: true,
      state: { running: { startedAt: at(-99999) } },
      lastState: { terminated: { reason: 'OOMKilled' } },
    };
    expect(judge({ pods: [podWith(status)] }).state).toBe('progressing');
  });

  test('an init container counts like any other', () => {
    const pod = aPod({
      spec: { initContainers: [{ name: 'migrate' }] },
      status: {
        initContainerStatuses: [{ name: 'migrate', state: { waiting: { reason: 'CrashLoopBackOff' } } }],
      },
    });
    expect(judge({ pods: [pod] })).toMatchObject({
      sentence: 'container migrate of pod web-2-a does not start',
    });
  });

  test('a container that ended well or with an error is waited for: Kubernetes starts it again', () => {
    for (const exitCode of [0, 1])
      expect(judge({ pods: [podWith({ state: { terminated: { reason: 'Error', exitCode } } })] }).state).toBe(
        'progressing',
      );
  });

  test('the first hopeless pod is enough, whatever the others do', () => {
    const bad = podWith({ state: { waiting: { reason: 'ErrImagePull' } } });
    const starting = podWith({ state: { running: { startedAt: at(0) } } }, { readinessProbe: readiness });
    expect(judge({ pods: [starting, aPod(), bad] })).toMatchObject({ reason: 'ErrImagePull' });
  });
});

describe('pods that do not speak for the new release', () => {
  const crashing = {
    phase: 'Running',
    containerStatuses: [{ name: 'app', state: { waiting: { reason: 'CrashLoopBackOff' } } }],
  };

  test.each<[string, Pod]>([
    ['of the old ReplicaSet', aPod({ revision: '1', status: crashing })],
    ['that are being deleted', aPod({ metadata: { deletionTimestamp: at(0) }, status: crashing })],
    [
      'that were evicted: the ReplicaSet makes others, and a good release was once undone by a drained node',
      aPod({ status: { ...crashing, phase: 'Failed', reason: 'Evicted' } }),
    ],
    ['that ended', aPod({ status: { ...crashing, phase: 'Succeeded' } })],
    ['of nobody', aPod({ metadata: { ownerReferences: [] }, status: crashing })],
    ['without any status yet', aPod()],
  ])('%s', (_case, pod) => {
    expect(judge({ pods: [pod] }).state).toBe('progressing');
  });
});

describe('the newest ReplicaSet', () => {
  test('is the one of the Deployment and its revision', () => {
    const foreign = aReplicaSet('2');
    foreign.metadata.ownerReferences = [];
    const sets = [foreign, aReplicaSet('1'), aReplicaSet('2')];
    expect(newestReplicaSet(sets, aDeployment())).toBe(sets[2]);
  });

  test.each<[string, RolloutView['replicaSets'], object]>([
    ['no ReplicaSet has the revision', [aReplicaSet('1')], {}],
    ['the Deployment has no revision', [aReplicaSet('1'), aReplicaSet('2')], { annotations: {} }],
    ['there is none at all', [], {}],
  ])('is unknown when %s', (_case, replicaSets, metadata) => {
    const deployment = aDeployment({ metadata, status: halfway });
    expect(newestReplicaSet(replicaSets, deployment)).toBeUndefined();
    expect(newPods({ replicaSets, pods: [aPod()] }, deployment)).toEqual([]);
    expect(
      judge({ deployment, replicaSets, pods: [podWith({ state: { waiting: { reason: 'ErrImagePull' } } })] })
        .state,
    ).toBe('progressing');
  });

  test('without a revision annotation is never taken, not even by a Deployment without one', () => {
    const bare = aReplicaSet('2');
    delete bare.metadata.annotations;
    expect(newestReplicaSet([bare], aDeployment({ metadata: { annotations: {} } }))).toBeUndefined();
    expect(newestReplicaSet([bare], aDeployment())).toBeUndefined();
  });
});

describe('a pod that waits for a node', () => {
  const waiting = (condition: object = {}, metadata: object = {}): Pod =>
    aPod({
      metadata,
      status: {
        phase: 'Pending',
        conditions: [
          {
            type: 'PodScheduled',
            status: 'False',
            reason: 'Unschedulable',
            lastTransitionTime: at(0),
            ...condition,
          },
        ],
      },
    });

  test.each([
    ['under', 59_999, 'progressing'],
    ['exactly', 60_000, 'hopeless'],
    ['over', 60_001, 'hopeless'],
  ])('%s the time it is given', (_case, milliseconds, state) => {
    expect(judge({ pods: [waiting()] }, {}, now + milliseconds).state).toBe(state);
  });

  test('is looked at again when that time has passed, and then named', () => {
    expect(judge({ pods: [waiting()] })).toMatchObject({ lookAgainAt: now + 60_000 });
    expect(judge({ pods: [waiting()] }, {}, now + 60_000)).toEqual({
      state: 'hopeless',
      reason: 'Unschedulable',
      sentence: 'no node can take pod web-2-a (waited 60 s)',
    });
  });

  test('counts from its creation when the condition has no time', () => {
    const pod = waiting({ lastTransitionTime: undefined }, { creationTimestamp: at(-60) });
    expect(judge({ pods: [pod] })).toMatchObject({ reason: 'Unschedulable' });
  });

  test('without any time is looked at again soon, and never given up', () => {
    const pod = waiting({ lastTransitionTime: undefined });
    expect(judge({ pods: [pod] }, {}, now + 1e9)).toMatchObject({
      state: 'progressing',
      lookAgainAt: now + 1e9 + 1000,
    });
  });

  test.each([
    ['is held back on purpose', { reason: 'SchedulingGated' }],
    ['has its node', { status: 'True', reason: undefined }],
  ])('does not count as unschedulable when it %s', (_case, condition) => {
    expect(judge({ pods: [waiting(condition)] }, {}, now + 1e9).state).toBe('progressing');
  });
});

describe('a container that runs but is not ready', () => {
  const running = { state: { running: { startedAt: at(0) } } };

  test.each([
    ['under', 49_999, 'progressing'],
    ['exactly', 50_000, 'hopeless'],
    ['over', 50_001, 'hopeless'],
  ])(
    '%s what its readiness probe and the profile allow: 5 s + 3 × 5 s + 30 s',
    (_case, milliseconds, state) => {
      const pods = [podWith(running, { readinessProbe: readiness })];
      expect(judge({ pods }, {}, now + milliseconds).state).toBe(state);
    },
  );

  test.each<[string, Partial<Pod['spec']['containers'][number]>, number]>([
    ['the defaults of Kubernetes: 3 × 10 s', { readinessProbe: {} }, 60],
    [
      'a startup probe before it: 30 × 10 s more',
      { readinessProbe: {}, startupProbe: { failureThreshold: 30 } },
      360,
    ],
    [
      'a startup probe alone, which once had no limit',
      { startupProbe: { failureThreshold: 2, periodSeconds: 5 } },
      40,
    ],
  ])('%s', (_case, container, seconds) => {
    expect(judge({ pods: [podWith(running, container)] })).toMatchObject({
      lookAgainAt: now + seconds * 1000,
    });
  });

  test('says so, and whether its probe fails', () => {
    const pods = [podWith(running, { readinessProbe: readiness })];
    const sentence = 'container app of pod web-2-a is not ready 50 s after it started';
    const event = (reason: string, uid: string): RolloutView['events'][number] => ({
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'e' },
      reason,
      involvedObject: { uid },
    });
    expect(judge({ pods }, {}, now + 50_000)).toEqual({ state: 'hopeless', reason: 'NotReady', sentence });
    const events = [event('Unhealthy', 'web-2-a-uid')];
    expect(judge({ pods, events }, {}, now + 50_000)).toMatchObject({
      sentence: `${sentence}; its probe fails`,
    });
    const others = [event('Unhealthy', 'other'), event('Pulled', 'web-2-a-uid')];
    expect(judge({ pods, events: others }, {}, now + 50_000)).toMatchObject({ sentence });
  });

  test.each<[string, Pod]>([
    ['it has no probe', podWith(running)],
    [
      'it does not say since when it runs',
      podWith({ state: { running: {} } }, { readinessProbe: readiness }),
    ],
    [
      'its status names no container of the pod',
      podWith({ ...running, name: 'constructor' }, { readinessProbe: readiness }),
    ],
    ['it is ready', podWith({ ...running, ready: true }, { readinessProbe: readiness })],
  ])('is not given up when %s', (_case, pod) => {
    expect(judge({ pods: [pod] }, {}, now + 1e9)).toEqual({
      state: 'progressing',
      sentence: '1 of 3 replicas updated, 3 available',
    });
  });

  test('is looked at again at the first deadline of all containers and pods, not at that of the first container', () => {
    const slow = { name: 'slow', readinessProbe: { failureThreshold: 60 } };
    const fast = { name: 'fast', readinessProbe: readiness };
    const pod = aPod({
      spec: { containers: [slow, fast] },
      status: {
        containerStatuses: [
          { name: 'slow', ...running },
          { name: 'fast', ...running },
        ],
      },
    });
    const other = podWith(running, { readinessProbe: { failureThreshold: 10 } });
    expect(judge({ pods: [other, pod] })).toMatchObject({ lookAgainAt: now + 50_000 });
  });

  test('a sidecar is judged by its own probe', () => {
    const pod = aPod({
      spec: { initContainers: [{ name: 'proxy', restartPolicy: 'Always', readinessProbe: readiness }] },
      status: { initContainerStatuses: [{ name: 'proxy', ...running }] },
    });
    expect(judge({ pods: [pod] }, {}, now + 50_000)).toMatchObject({ reason: 'NotReady' });
  });
});

test('a thousand pods are judged at once', () => {
  const pods = Array.from({ length: 1000 }, (_, index) =>
    aPod({ name: `web-2-${index}`, status: { containerStatuses: [{ name: 'app', ready: true }] } }),
  );
  expect(judge({ pods }).state).toBe('progressing');
});

test.each(hostileTexts.map((text) => [text.slice(0, 20), text]))(
  'names such as %j break nothing',
  (_name, text) => {
    const pod = aPod({
      name: text,
      spec: { containers: [{ name: text, readinessProbe: readiness }] },
      status: { reason: text, containerStatuses: [{ name: text, state: { running: { startedAt: text } } }] },
    });
    expect(judge({ pods: [pod] }).state).toBe('progressing');
    const images = Object.fromEntries([[text, 'web:2']]);
    expect(judge({}, { images })).toMatchObject({ state: 'hopeless', reason: 'Superseded' });
  },
);
