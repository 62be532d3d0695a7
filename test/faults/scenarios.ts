import { rollingUpdateSteps } from '../../src/contracts/rolling-update.ts';
import type { Decision, Gate, Outcome } from '../../src/contracts/run.ts';
import { deployDemo } from '../../src/local/demo-target.ts';
import { stack } from '../support/stack.ts';
import { sleeperProfile } from '../support/sleeper.ts';
import { demoProfile, image } from '../support/world.ts';

/** Where a scenario plays: a namespace of its own. */
export interface Place {
  namespace: string;
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
  /** Pods that really run: slow, so that only the faults about pods are tried. */
  realPods: boolean;
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

const demoService: Pick<Scenario, 'prepare' | 'profile' | 'realPods'> = {
  async prepare({ namespace }) {
    await deployDemo(stack(), { namespace, onPhase: () => undefined });
  },
  profile: demoProfile,
  realPods: true,
};

export const scenarios: Scenario[] = [
  {
    name: 'rolling update',
    procedure: 'rollingUpdate',
    input: { image: 'sleeper:2' },
    leaves: '"image":"sleeper:2"',
    ...sleeper,
    decide: () => 'approve',
    outcome: 'succeeded',
  },
  {
    name: 'rolling update, undone',
    procedure: 'rollingUpdate',
    input: { image: 'sleeper:2' },
    leaves: '"image":"sleeper:2"',
    ...sleeper,
    decide: ({ step }) => (step === rollingUpdateSteps.verify ? 'reject' : 'approve'),
    outcome: 'undone',
  },
  {
    name: 'rolling update of real pods',
    procedure: 'rollingUpdate',
    input: { image: image('1.7.5') },
    leaves: `"image":"${image('1.7.5')}"`,
    ...demoService,
    decide: () => 'approve',
    outcome: 'succeeded',
  },
];
