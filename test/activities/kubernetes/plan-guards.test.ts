import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { GuardFinding } from '../../../src/contracts/plan.ts';
import { waitFor } from '../../../src/local/wait.ts';
import { unique } from '../../support/stack.ts';
import { Place, type DeploymentWish } from '../support/place.ts';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});

async function finding(guard: GuardFinding['guard'], wish: DeploymentWish = {}): Promise<GuardFinding> {
  const name = unique('web');
  await place.deploySettled(name, wish);
  const { findings } = await place.plan(name);
  return findings.find((one) => one.guard === guard)!;
}

test('a paused workload stops the run and says what to do', async () => {
  const { verdict, sentence } = await finding('paused', { spec: { paused: true } });
  expect(verdict).toBe('stops');
  expect(sentence).toMatch(/is paused, so nothing would roll out\. .*kubectl rollout resume/);
});

test.each([
  ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'shop:apps/Deployment:shop/web' } }],
  ['Argo CD', { labels: { 'argocd.argoproj.io/instance': 'shop' } }],
  ['Flux', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'shop' } }],
  ['Flux', { labels: { 'helm.toolkit.fluxcd.io/name': 'shop' } }],
  ['Helm', { annotations: { 'meta.helm.sh/release-name': 'shop' } }],
])('a workload that %s owns (%j) stops the run', async (controller, metadata) => {
  const { verdict, sentence } = await finding('gitOps', { metadata });
  expect(verdict).toBe('stops');
  expect(sentence).toMatch(new RegExp(`belongs to ${controller} .*Change it in `));
});

test.each([
  ['Argo CD', 'argocd-controller'],
  ['Flux', 'kustomize-controller'],
  ['Helm', 'helm'],
])(
  'a workload that %s wrote as %s stops the run, unless the profile ignores it',
  async (controller, manager) => {
    const name = unique('web');
    await place.deploySettled(name);
    const labels = { team: 'shop' };
    const applied = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace: place.namespace, labels },
    };
    await place.gateway.apply(applied, { fieldManager: manager, force: true });
    const [stopped] = (await place.plan(name)).findings;
    expect(stopped).toMatchObject({ guard: 'gitOps', verdict: 'stops' });
    expect(stopped?.sentence).toContain(`belongs to ${controller} (field manager ${manager})`);
    place.writeProfile(name, { gitOps: 'ignore' });
    const [ignored] = (await place.plan(name)).findings;
    expect(ignored).toMatchObject({ guard: 'gitOps', verdict: 'clear' });
    expect(ignored?.sentence).toContain('the profile says gitOps: ignore');
  },
);

/** A Deployment of 4 pods that can run nowhere, 10m CPU each, one pod of surge, beside the quota under test. */
async function underQuota(spec: Record<string, unknown>): Promise<GuardFinding> {
  const own = await Place.open();
  try {
    const quota = own.ref('limits', 'v1', 'ResourceQuota');
    await own.create({ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: quota.name }, spec });
    await own.deploy('web', {
      replicas: 4,
      spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } },
      podSpec: { nodeSelector: { nowhere: 'true' } },
      container: { resources: { requests: { cpu: '10m' } } },
    });
    await waitFor(
      async () => {
        const { status } = await own.gateway.get(quota);
        const { used } = (status ?? {}) as { used?: Record<string, string> };
        return used?.pods === '4' ? used : undefined;
      },
      { what: 'the quota to count 4 pods', timeoutMilliseconds: 30_000 },
    );
    return (await own.plan('web')).findings.find(({ guard }) => guard === 'quota')!;
  } finally {
    await own.close();
  }
}

test('a quota that exactly holds the surge lets the run go on', async () => {
  const { verdict, sentence } = await underQuota({ hard: { pods: '5', 'requests.cpu': '50m' } });
  expect({ verdict, sentence }).toEqual({ verdict: 'clear', sentence: 'the quota holds 1 more pod' });
});

test('a quota that cannot hold the surge stops the run with its numbers', async () => {
  const { verdict, sentence } = await underQuota({ hard: { pods: '5', 'requests.cpu': '49m' } });
  expect(verdict).toBe('stops');
  expect(sentence).toContain('requests.cpu has 40m of 49m in use and 1 more pod needs ');
});

test('a quota whose scopes cannot be judged is unknown, which stops a run as well', async () => {
  const scopeSelector = { matchExpressions: [{ scopeName: 'PriorityClass', operator: 'DoesNotExist' }] };
  const { verdict, sentence } = await underQuota({ hard: { pods: '10' }, scopeSelector });
  expect(verdict).toBe('unknown');
  expect(sentence).toContain('has scopes that this guard cannot evaluate');
});
