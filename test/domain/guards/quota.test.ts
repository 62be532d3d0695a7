import { describe, expect, test } from '@jest/globals';
import type { Container, PodSpec } from '../../../src/domain/deployment.ts';
import { checkQuota, type LimitRange, type ResourceQuota } from '../../../src/domain/guards/quota.ts';
import { aDeployment } from '../../support/builders.ts';

const asking = (requests: Record<string, unknown>, limits: Record<string, unknown> = {}): Container => ({
  name: 'app',
  resources: { requests, limits },
});
const podSpec: PodSpec = {
  containers: [asking({ cpu: '500m', memory: '512Mi' }, { cpu: '1', memory: '1Gi' })],
};
const plain: PodSpec = { containers: [{ name: 'app' }] };

function quota(
  hard: Record<string, unknown>,
  used: Record<string, unknown>,
  spec: ResourceQuota['spec'] = {},
): ResourceQuota {
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'limits' },
    spec,
    status: { hard, used },
  };
}

function limitRange(limit: NonNullable<NonNullable<LimitRange['spec']>['limits']>[number]): LimitRange {
  return { apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'defaults' }, spec: { limits: [limit] } };
}

/** One pod more than the three that run. */
const deployment = aDeployment();
const verdict = (quotas: ResourceQuota[], spec = podSpec, ranges: LimitRange[] = []): string =>
  checkQuota(deployment, spec, quotas, ranges).verdict;

describe('room for the surge', () => {
  test.each([
    ['under', '3', '4', 'clear'],
    ['exactly', '3', '3.5', 'clear'],
    ['over', '3', '3400m', 'stops'],
    ['decimals that binary fractions miss', '0.2', '0.7', 'clear'],
    ['already over', '5', '4', 'stops'],
    ['a quota of nothing', '0', '0', 'stops'],
  ])('%s: %s of %s in use', (_case, used, hard, expected) => {
    expect(verdict([quota({ 'requests.cpu': hard }, { 'requests.cpu': used })])).toBe(expected);
  });

  test('says what is missing, in words that people use for it', () => {
    const full = quota({ 'requests.memory': '2Gi' }, { 'requests.memory': '1792Mi' });
    expect(checkQuota(deployment, podSpec, [full], [])).toEqual({
      guard: 'quota',
      verdict: 'stops',
      sentence:
        'quota limits cannot hold the surge: requests.memory has 1792Mi of 2Gi in use and 1 more pod needs 512Mi. Raise the quota or lower maxSurge',
    });
  });

  test.each([
    ['cpu', '500m', '499m'],
    ['requests.cpu', '500m', '499m'],
    ['limits.cpu', '1', '999m'],
    ['memory', '512Mi', '511Mi'],
    ['limits.memory', '1Gi', '1023Mi'],
    ['pods', '1', '0'],
    ['count/pods', '1', '0'],
  ])('%s is counted per pod', (resource, enough, short) => {
    expect(verdict([quota({ [resource]: enough }, { [resource]: '0' })])).toBe('clear');
    expect(verdict([quota({ [resource]: short }, { [resource]: '0' })])).toBe('stops');
  });

  test('every pod of the surge counts', () => {
    const three = aDeployment({ spec: { replicas: 10, strategy: { rollingUpdate: { maxSurge: '30%' } } } });
    expect(checkQuota(three, podSpec, [quota({ pods: '12' }, { pods: '10' })], []).verdict).toBe('stops');
    expect(checkQuota(three, podSpec, [quota({ pods: '13' }, { pods: '10' })], []).verdict).toBe('clear');
  });

  test('no more new pods than replicas: a surge of 3 for one replica once stopped for lack of room for 3', () => {
    const one = aDeployment({ spec: { replicas: 1, strategy: { rollingUpdate: { maxSurge: 3 } } } });
    expect(checkQuota(one, podSpec, [quota({ pods: '2' }, { pods: '1' })], []).verdict).toBe('clear');
  });

  test.each([
    ['surge 0', { strategy: { rollingUpdate: { maxSurge: 0 } } }],
    ['Recreate', { strategy: { type: 'Recreate' } }],
    ['no replicas', { replicas: 0 }],
  ])('%s needs no room', (_case, spec) => {
    const full = quota({ pods: '3' }, { pods: '3' });
    expect(checkQuota(aDeployment({ spec }), podSpec, [full], []).verdict).toBe('clear');
  });

  test('a surge that cannot be read is unknown: it once counted as room enough', () => {
    const odd = aDeployment({ spec: { strategy: { rollingUpdate: { maxSurge: 'many' } } } });
    expect(checkQuota(odd, podSpec, [quota({ pods: '9' }, { pods: '3' })], []).verdict).toBe('unknown');
  });

  test('a namespace without a quota has room', () => {
    expect(verdict([])).toBe('clear');
  });

  test('the worst of several quotas counts: stops before unknown before clear', () => {
    const clear = quota({ pods: '9' }, { pods: '3' });
    const stops = quota({ pods: '3' }, { pods: '3' });
    const unknown = quota({}, {}, { scopeSelector: {} });
    expect(verdict([clear, unknown, stops])).toBe('stops');
    expect(verdict([clear, unknown])).toBe('unknown');
    expect(verdict([clear, clear])).toBe('clear');
  });

  test('what a Deployment does not use is not counted', () => {
    const full = {
      services: '5',
      'count/configmaps': '5',
      persistentvolumeclaims: '5',
      'requests.storage': '5Gi',
      constructor: '0',
    };
    expect(verdict([quota(full, full)])).toBe('clear');
  });
});

describe('a quota that cannot be evaluated is unknown', () => {
  const room = { 'requests.cpu': '9' };

  test.each<[string, ResourceQuota]>([
    ['no status yet', { ...quota({}, {}), status: {} }],
    ['no status at all', { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'limits' } }],
    ['the use is missing: it once counted as nothing in use', quota(room, {})],
    ['the use cannot be read', quota(room, { 'requests.cpu': 'much' })],
    ['the limit cannot be read', quota({ 'requests.cpu': null }, { 'requests.cpu': '1' })],
    ['a scope selector', quota(room, { 'requests.cpu': '1' }, { scopeSelector: { matchExpressions: [] } })],
    ['a scope of a later Kubernetes', quota(room, { 'requests.cpu': '1' }, { scopes: ['OnTuesdays'] })],
  ])('%s', (_case, one) => {
    expect(verdict([one])).toBe('unknown');
  });

  test('a container without the CPU or memory that is counted', () => {
    expect(verdict([quota(room, { 'requests.cpu': '0' })], plain)).toBe('unknown');
    const half: PodSpec = { containers: [...podSpec.containers, { name: 'sidecar' }] };
    expect(verdict([quota({ memory: '9Gi' }, { memory: '0' })], half)).toBe('unknown');
  });

  test('a request that cannot be read', () => {
    const odd: PodSpec = { containers: [asking({ cpu: 'much' })] };
    expect(verdict([quota(room, { 'requests.cpu': '0' })], odd)).toBe('unknown');
  });
});

describe('what one pod takes', () => {
  /** The least quota on requests.cpu that is clear, in millicores. */
  const takes = (spec: PodSpec, ranges: LimitRange[] = []): number => {
    for (let millicores = 0; millicores <= 3000; millicores += 100)
      if (
        verdict([quota({ 'requests.cpu': `${millicores}m` }, { 'requests.cpu': '0' })], spec, ranges) ===
        'clear'
      )
        return millicores;
    return NaN;
  };
  const cpu = (requests: string, restartPolicy?: string): Container => ({
    ...asking({ cpu: requests }),
    ...(restartPolicy === undefined ? {} : { restartPolicy }),
  });

  test.each<[string, PodSpec, number]>([
    ['all containers together', { containers: [cpu('300m'), cpu('200m')] }, 500],
    [
      'an init container that asks for more than they do',
      { containers: [cpu('300m')], initContainers: [cpu('800m'), cpu('100m')] },
      800,
    ],
    [
      'an init container that asks for less',
      { containers: [cpu('300m')], initContainers: [cpu('200m')] },
      300,
    ],
    [
      'a sidecar runs beside the containers',
      { containers: [cpu('300m')], initContainers: [cpu('200m', 'Always')] },
      500,
    ],
    [
      'an init container after a sidecar runs beside it: the sidecar was once left out',
      { containers: [cpu('300m')], initContainers: [cpu('200m', 'Always'), cpu('700m')] },
      900,
    ],
    [
      'an init container before a sidecar runs alone',
      { containers: [cpu('300m')], initContainers: [cpu('700m'), cpu('200m', 'Always')] },
      700,
    ],
    [
      'a limit stands for a request that is left out',
      { containers: [{ name: 'app', resources: { limits: { cpu: '400m' } } }] },
      400,
    ],
  ])('%s', (_case, spec, millicores) => {
    expect(takes(spec)).toBe(millicores);
  });

  test('a LimitRange fills in what a container leaves out, the request before the limit', () => {
    const both = limitRange({ type: 'Container', default: { cpu: '900m' }, defaultRequest: { cpu: '100m' } });
    expect(takes(plain, [both])).toBe(100);
    expect(takes(plain, [limitRange({ type: 'Container', default: { cpu: '900m' } })])).toBe(900);
    expect(takes({ containers: [cpu('300m')] }, [both])).toBe(300);
    expect(takes(plain, [limitRange({ type: 'Pod', default: { cpu: '900m' } })])).toBeNaN();
  });

  test('of things that a quota does not demand, a container that leaves them out takes none', () => {
    for (const resource of [
      'requests.ephemeral-storage',
      'requests.nvidia.com/gpu',
      'requests.hugepages-2Mi',
    ])
      expect(verdict([quota({ [resource]: '0' }, { [resource]: '0' })])).toBe('clear');
  });

  test('devices are counted: a full quota of GPUs was once overlooked', () => {
    const gpu: PodSpec = { containers: [asking({}, { 'nvidia.com/gpu': '2' })] };
    const one = (hard: string): ResourceQuota =>
      quota({ 'requests.nvidia.com/gpu': hard }, { 'requests.nvidia.com/gpu': '1' });
    expect(verdict([one('2')], gpu)).toBe('stops');
    expect(verdict([one('3')], gpu)).toBe('clear');
  });
});

describe('a quota with a scope', () => {
  const full = (scope: string): ResourceQuota => quota({ pods: '3' }, { pods: '3' }, { scopes: [scope] });

  test.each([
    ['Terminating', podSpec, 'clear'],
    ['NotTerminating', podSpec, 'stops'],
    ['BestEffort', podSpec, 'clear'],
    ['BestEffort', plain, 'stops'],
    ['NotBestEffort', podSpec, 'stops'],
    ['NotBestEffort', plain, 'clear'],
  ])('%s', (scope, spec, expected) => {
    expect(verdict([full(scope)], spec)).toBe(expected);
  });

  test.each<[string, PodSpec]>([
    ['empty requests', { containers: [asking({})] }],
    ['zero', { containers: [asking({ cpu: '0' })] }],
    ['only other resources', { containers: [asking({ 'ephemeral-storage': '1Gi' })] }],
  ])('a pod with %s is best effort', (_case, spec) => {
    expect(verdict([full('BestEffort')], spec)).toBe('stops');
  });

  test('a pod whose init container asks for something is not', () => {
    const init: PodSpec = { ...plain, initContainers: [asking({ cpu: '1' })] };
    expect(verdict([full('BestEffort')], init)).toBe('clear');
  });

  test('a LimitRange lifts a pod out of best effort only when it has a default', () => {
    expect(
      verdict([full('BestEffort')], plain, [limitRange({ type: 'Container', default: { cpu: '1' } })]),
    ).toBe('clear');
    expect(verdict([full('BestEffort')], plain, [limitRange({ type: 'Container' })])).toBe('stops');
  });
});
