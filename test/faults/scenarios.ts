import { join } from 'node:path';
import { drillLabel } from '../../src/contracts/names.ts';
import { restartWorkloadSteps } from '../../src/contracts/restart-workload.ts';
import { rollbackSteps } from '../../src/contracts/rollback.ts';
import { rollingUpdateSteps } from '../../src/contracts/rolling-update.ts';
import type { Decision, Gate, Outcome } from '../../src/contracts/run.ts';
import { deployDemo } from '../../src/local/demo-target.ts';
import { stack } from '../support/stack.ts';
import { backupSection, makeKeys, storePrivateKeys } from '../support/backups.ts';
import { sleeperProfile } from '../support/sleeper.ts';
import { demoProfile, image } from '../support/world.ts';
import { backupsLeft, resultsLeft } from './support/backups-left.ts';
import { scratch } from './support/scratch.ts';

/** Where a scenario plays: a namespace of its own. */
export interface Place {
  namespace: string;
  /** Of the profiles; the target's is `<namespace>.yaml`. */
  targetsFolder: string;
  kubectl: (...line: string[]) => Promise<string>;
}

/** A run that is led from its start to its end by itself; every fault is tried on it. */
export interface Scenario {
  name: string;
  /** Workflow type. */
  procedure: string;
  input: unknown;
  prepare: (place: Place) => Promise<void>;
  profile: (namespace: string) => Record<string, unknown>;
  /** What a person answers at a gate. */
  decide: (gate: Gate) => Decision['decision'];
  outcome: Outcome;
  /** What the Deployment holds only while the change is made, as text. */
  leaves: string;
  /** Procedures that run before it, with the input `{}`. */
  earlier?: string[];
  /** What is done to the service after those. */
  harm?: (place: Place) => Promise<void>;
  /** What it has written stays when it is stopped: nothing is undone. */
  stays?: boolean;
  /** It writes into a namespace of its own, which is removed in the end: late writes are not tried. */
  ownsNamespace?: boolean;
  /** What it leaves outside of the cluster, such as a backup: the same whatever happens to the workers. */
  outside?: (place: Place) => Promise<string[]>;
  /** Pods that really run: slow, so that only the faults about pods are tried. */
  realPods: boolean;
  /**
   * `all`: every point and every disturbance. `points`: every point of every activity. `few`: the ends of what writes,
   * and the start and the end of what watches.
   */
  extent: 'all' | 'points' | 'few';
}

/** A Deployment without pods: its rollout is complete at once, and its health is unknown, which asks a person. */
const sleeper: Pick<Scenario, 'prepare' | 'profile' | 'realPods'> = {
  async prepare({ kubectl }) {
    await kubectl('create', 'deployment', 'alecs-server', '--image=sleeper:1', '--replicas=0');
    await kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=60s');
  },
  profile: sleeperProfile,
  realPods: false,
};

/** The same, with an earlier revision to go back to. */
const updatedSleeper: typeof sleeper = {
  ...sleeper,
  async prepare(place) {
    await sleeper.prepare(place);
    await place.kubectl('set', 'image', 'deployment/alecs-server', 'sleeper=sleeper:2');
    await place.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=60s');
  },
};

const backupKeys = await makeKeys();

/** The same with keys, so that it can be backed up. What is stored does not depend on when pods or events come. */
const backedUpSleeper: Pick<Scenario, 'prepare' | 'profile' | 'realPods' | 'outside'> = {
  ...sleeper,
  async prepare(place) {
    await sleeper.prepare(place);
    await storePrivateKeys(place.namespace, backupKeys);
    backupSection(place.targetsFolder, place.namespace, backupKeys);
  },
  profile: (namespace) => ({
    ...sleeperProfile(namespace),
    backup: backupSection(scratch('keys'), namespace, backupKeys, {
      logs: { sinceSeconds: 0 },
      keep: { hourly: 1, daily: 0, weekly: 0, monthly: 0 },
    }),
    drill: { probes: false },
  }),
  outside: ({ namespace }) => backupsLeft(namespace, backupKeys),
};

const objectsOfService = join(import.meta.dirname, 'support', 'objects.yaml');

/** One object in each of several groups of the order, so that what is restored comes in the same order each time. */
const lostSleeper: typeof backedUpSleeper & Pick<Scenario, 'earlier' | 'harm'> = {
  ...backedUpSleeper,
  async prepare(place) {
    await backedUpSleeper.prepare(place);
    const { kubectl } = place;
    await kubectl('apply', '--server-side', '--filename', objectsOfService);
    const uid = await kubectl('get', 'deployment', 'alecs-server', '--output', 'jsonpath={.metadata.uid}');
    const owner = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'alecs-server', uid };
    const owned = JSON.stringify({ metadata: { ownerReferences: [owner] } });
    await kubectl('create', 'configmap', 'owned', '--from-literal=key=value');
    await kubectl('patch', 'configmap', 'owned', '--type', 'merge', '--patch', owned);
  },
  earlier: ['backup', 'verifyBackup'],
  async harm({ kubectl }) {
    await kubectl('delete', 'deployment/alecs-server', 'service/web', '--cascade=foreground', '--wait=true');
    await kubectl('wait', 'configmap/owned', '--for=delete', '--timeout=60s');
    await kubectl('patch', 'role', 'web', '--type', 'merge', '--patch', '{"rules":[]}');
  },
};

/** No drill leaves its namespace, and each leaves one result. */
async function drillsLeft({ namespace, kubectl }: Place): Promise<string[]> {
  const label = `${drillLabel}=${namespace}`;
  const namespaces = await kubectl('get', 'namespace', '--selector', label, '--output', 'name');
  return [
    ...(await backupsLeft(namespace, backupKeys)),
    ...(await resultsLeft(namespace, backupKeys)),
    namespaces.trim(),
  ];
}

/** Two of them. */
const twoSleepers: typeof sleeper = {
  ...sleeper,
  async prepare(place) {
    await sleeper.prepare(place);
    await place.kubectl('create', 'deployment', 'first', '--image=sleeper:1', '--replicas=0');
    await place.kubectl('rollout', 'status', 'deployment/first', '--timeout=60s');
  },
  profile: (namespace) => {
    const one = { kind: 'Deployment', container: 'sleeper' };
    return { ...sleeperProfile(namespace), workloads: { 'alecs-server': one, first: one } };
  },
};

/** A sleeper that Flux owns, which needs someone with a role of its own to change. */
const ownedSleeper: typeof sleeper = {
  ...sleeper,
  async prepare(place) {
    await sleeper.prepare(place);
    await place.kubectl('label', 'deployment', 'alecs-server', 'kustomize.toolkit.fluxcd.io/name=web');
  },
  profile: (namespace) => ({
    ...sleeperProfile(namespace),
    approvers: { 'Test Person': { roles: ['lead'] }, 'Other Person': { roles: ['lead'] } },
    approvals: { breakGlass: ['lead'] },
  }),
};

const demoService: Pick<Scenario, 'prepare' | 'profile' | 'realPods'> = {
  async prepare({ namespace }) {
    await deployDemo(stack(), { namespace, onPhase: () => undefined });
  },
  profile: demoProfile,
  realPods: true,
};

const updatedDemoService: typeof demoService = {
  ...demoService,
  async prepare(place) {
    await demoService.prepare(place);
    await place.kubectl('set', 'image', 'deployment/alecs-server', `alecs=${image('1.7.5')}`);
    await place.kubectl('rollout', 'status', 'deployment/alecs-server', '--timeout=120s');
  },
};

const rollback = { procedure: 'rollback', input: { revision: 1 } };
const restart = { procedure: 'restartWorkload', leaves: 'kubectl.kubernetes.io/restartedAt' };
const waves = { waves: [['first'], ['alecs-server']] };

/** The first question about health is about the first wave. */
function rejectsSecondWave({ id, step }: Gate): Decision['decision'] {
  return step === restartWorkloadSteps.verify && id !== 'gate-2' ? 'reject' : 'approve';
}

export const scenarios: Scenario[] = [
  {
    name: 'rolling update',
    procedure: 'rollingUpdate',
    input: { image: 'sleeper:2' },
    leaves: '"image":"sleeper:2"',
    ...sleeper,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'all',
  },
  {
    name: 'rolling update, undone',
    procedure: 'rollingUpdate',
    input: { image: 'sleeper:2' },
    leaves: '"image":"sleeper:2"',
    ...sleeper,
    decide: ({ step }) => (step === rollingUpdateSteps.verify ? 'reject' : 'approve'),
    outcome: 'undone',
    extent: 'all',
  },
  {
    name: 'rolling update, owner paused, undone',
    procedure: 'rollingUpdate',
    input: { image: 'sleeper:2', requestedBy: 'Third Person', breakGlass: 'a test' },
    leaves: '"image":"sleeper:2"',
    ...ownedSleeper,
    decide: ({ step }) => (step === rollingUpdateSteps.verify ? 'reject' : 'approve'),
    outcome: 'undone',
    extent: 'points',
  },
  {
    name: 'rolling update of real pods',
    procedure: 'rollingUpdate',
    input: { image: image('1.7.5') },
    leaves: `"image":"${image('1.7.5')}"`,
    ...demoService,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'all',
  },
  {
    name: 'rollback',
    ...rollback,
    leaves: '"image":"sleeper:1"',
    ...updatedSleeper,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'points',
  },
  {
    name: 'rollback, undone',
    ...rollback,
    leaves: '"image":"sleeper:1"',
    ...updatedSleeper,
    decide: ({ step }) => (step === rollbackSteps.verify ? 'reject' : 'approve'),
    outcome: 'undone',
    extent: 'points',
  },
  {
    name: 'rollback of real pods',
    ...rollback,
    leaves: `"image":"${image('1.7.4')}"`,
    ...updatedDemoService,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'few',
  },
  {
    name: 'restart in two waves',
    ...restart,
    input: waves,
    ...twoSleepers,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'points',
  },
  {
    name: 'restart in two waves, second undone',
    ...restart,
    input: waves,
    ...twoSleepers,
    decide: rejectsSecondWave,
    outcome: 'undone',
    extent: 'points',
  },
  {
    name: 'restart of real pods',
    ...restart,
    input: {},
    ...demoService,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'few',
  },
  {
    name: 'backup',
    procedure: 'backup',
    input: {},
    leaves: '',
    ...backedUpSleeper,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'points',
  },
  {
    name: 'verification of a backup',
    procedure: 'verifyBackup',
    input: {},
    leaves: '',
    ...backedUpSleeper,
    earlier: ['backup'],
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'points',
  },
  {
    name: 'pruning of backups',
    procedure: 'pruneBackups',
    input: {},
    leaves: '',
    ...backedUpSleeper,
    earlier: ['backup', 'backup', 'verifyBackup', 'backup'],
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'points',
  },
  {
    name: 'recovery',
    procedure: 'recover',
    input: { backup: 'latest-verified', onConflict: 'update' },
    leaves: '',
    ...lostSleeper,
    decide: () => 'approve',
    outcome: 'succeeded',
    stays: true,
    extent: 'points',
  },
  {
    name: 'drill',
    procedure: 'drillDisasterRecovery',
    input: {},
    leaves: '',
    ...lostSleeper,
    outside: drillsLeft,
    ownsNamespace: true,
    decide: () => 'approve',
    outcome: 'succeeded',
    extent: 'points',
  },
];
