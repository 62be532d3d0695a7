import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../../src/contracts/kubernetes.ts';
import type { GuardFinding, WorkloadPlan } from '../../../src/contracts/plan.ts';
import { unique } from '../../support/stack.ts';
import { enough, narrowWorker } from '../support/narrow-worker.ts';
import { aRun, Place } from '../support/place.ts';
import { container, forget, planRollback, release, releaseImage, revisionsOf } from '../support/releases.ts';
import { failureOf } from '../support/run-activity.ts';

let place: Place;
beforeAll(async () => {
  place = await Place.open();
});
afterAll(async () => {
  await place.close();
});

const canary = 'canary-77b1c0';
const env = (value: string) => [{ name: 'PASSWORD', value }];
const cause = 'metadata/annotations/kubernetes.io~1change-cause';
const causePointer = '/metadata/annotations/kubernetes.io~1change-cause';

/** A Deployment with three revisions, of images 1 to 3. */
async function threeRevisions(): Promise<string> {
  const name = unique('web');
  await place.deploySettled(name, { container: { env: env(canary) } });
  await releaseImage(place, name, '2');
  await release(place, name, [
    { op: 'replace', path: `${container}/image`, value: 'registry.example/web:3' },
    { op: 'replace', path: `${container}/env`, value: env(`${canary}-2`) },
  ]);
  return name;
}

const kept = async (name: string, number: number) =>
  (await revisionsOf(place, name)).find((revision) => revision.number === number)!.replicaSet.metadata;

test('without a wish the revision before the current one is chosen, and everything that differs is said', async () => {
  const name = await threeRevisions();
  const plan = await planRollback(place, name);
  const [from, to] = [await kept(name, 3), await kept(name, 2)];
  expect(plan.changes.map(({ path, before, after }) => [path, before, after])).toEqual([
    [
      'spec/template',
      `ReplicaSet ${from.name}, revision 3, uid ${from.uid}`,
      `ReplicaSet ${to.name}, revision 2, uid ${to.uid}`,
    ],
    ['spec/template/spec/containers[name=main]/env[name=PASSWORD]/value', '(hidden)', '(hidden, differs)'],
    ['spec/template/spec/containers[name=main]/image', 'registry.example/web:3', 'registry.example/web:2'],
  ]);
  expect(plan.write.template).toEqual({
    from: { name: from.name, uid: from.uid },
    to: { name: to.name, uid: to.uid },
  });
  expect(plan.images).toEqual({ main: 'registry.example/web:2' });
  expect(plan.formerImages).toEqual({ main: 'registry.example/web:3' });
  expect(plan.formerReplicaSet).toEqual(plan.write.template?.from);
  expect(plan.findings.map(({ guard, verdict }) => [guard, verdict])).toEqual([
    ['gitOps', 'clear'],
    ['paused', 'clear'],
    ['quota', 'clear'],
    ['configuration', 'clear'],
  ]);
  expect(JSON.stringify(plan)).not.toContain(canary);
});

test('the summary begins with the history: who made what and when, the current and the chosen one marked', async () => {
  const name = unique('web');
  await place.deploySettled(name);
  const run = aRun();
  await place.write(await place.plan(name), run.marker('change'));
  await place.settled(name);
  await releaseImage(place, name, '3');
  const { summary } = await planRollback(place, name, { revision: 1 });
  expect(summary[0]).toMatch(
    /^revision 3 \(current\): main registry\.example\/web:3 \| cause: not given \| created \S+Z \| by .*someone-else at \S+Z/,
  );
  expect(summary[1]).toMatch(/^revision 2: main registry\.example\/web:2 \| .* \| by run /);
  expect(summary[1]).toContain(run.workflowId);
  expect(summary[2]).toMatch(/^revision 1 \(chosen\): main registry\.example\/web:1 \| .* \| by unknown$/);
  expect(summary.length).toBeLessThanOrEqual(50);
});

test('two plans in a row have the same hash; another revision, and another release meanwhile, each give another', async () => {
  const name = await threeRevisions();
  const { hash } = await planRollback(place, name);
  expect((await planRollback(place, name)).hash).toBe(hash);
  expect((await planRollback(place, name, { revision: 2 })).hash).toBe(hash);
  expect((await planRollback(place, name, { revision: 1 })).hash).not.toBe(hash);
  await release(place, name, [{ op: 'replace', path: `${container}/env`, value: env(`${canary}-3`) }]);
  expect((await planRollback(place, name, { revision: 2 })).hash).not.toBe(hash);
});

describe('the change cause', () => {
  const set = (value: string) => [{ op: 'add' as const, path: causePointer, value }];

  test('goes back with the template', async () => {
    const name = unique('web');
    await place.deploySettled(name, {
      metadata: { annotations: { 'kubernetes.io/change-cause': 'first' } },
    });
    await release(place, name, [
      ...set('second'),
      { op: 'replace', path: `${container}/image`, value: 'registry.example/web:2' },
    ]);
    const plan = await planRollback(place, name);
    expect(plan.changes.at(-1)).toMatchObject({ path: cause, before: 'second', after: 'first' });
    expect(plan.write.expected).toEqual([{ path: cause, value: 'first' }]);
  });

  test('is taken away when the earlier revision has none', async () => {
    const name = unique('web');
    await place.deploySettled(name);
    await release(place, name, [
      ...set('second'),
      { op: 'replace', path: `${container}/image`, value: 'registry.example/web:2' },
    ]);
    const plan = await planRollback(place, name);
    expect(plan.changes.at(-1)).toMatchObject({ path: cause, before: 'second' });
    expect(plan.changes.at(-1)).not.toHaveProperty('after');
    await place.write(plan, aRun().marker('change'));
    expect((await place.live(name)).metadata.annotations).not.toHaveProperty(['kubernetes.io/change-cause']);
  });
});

describe('a rollback is refused', () => {
  test.each([
    [{ revision: 3 }, 'revision 3 is the current one; there are 2, 1'],
    [{ revision: 9 }, 'revision 9 does not exist any more; there are 2, 1'],
  ])('for %j', async (request, sentence) => {
    const name = await threeRevisions();
    const failure = await failureOf(planRollback(place, name, request));
    expect(failure.type).toBe('InvalidRequest');
    expect(failure.message).toBe(`Deployment ${name}: ${sentence}`);
  });

  test('without any earlier revision', async () => {
    const name = unique('web');
    await place.deploySettled(name);
    await releaseImage(place, name, '2');
    await forget(place, name, 1);
    const failure = await failureOf(planRollback(place, name));
    expect(failure.message).toContain('there is no revision before the current one, 2');
  });

  test('until the controller has seen the last change, and is tried again', async () => {
    const name = await threeRevisions();
    const newest = await kept(name, 3);
    // The real controller is too quick to be caught behind: so what the worker lists lags.
    const gateway = new Proxy(place.gateway, {
      get(real, key) {
        if (key === 'list') return listLagging;
        const value: unknown = Reflect.get(real, key);
        return typeof value === 'function' ? (value.bind(real) as unknown) : value;
      },
    });
    const listLagging: KubernetesGateway['list'] = async (query) => {
      const list = await place.gateway.list(query);
      const text = JSON.stringify(list.items);
      const lags = list.items.some(({ metadata }) => metadata.name === newest.name);
      const live = JSON.stringify(await place.liveImage(name));
      return lags
        ? {
            ...list,
            items: JSON.parse(text.replaceAll(live, '"registry.example/web:lagging"')) as KubernetesObject[],
          }
        : list;
    };
    const failure = await failureOf(planRollback(place, name, {}, place.activitiesWith(gateway)));
    expect(failure.type).toBe('Unavailable');
    expect(failure.nonRetryable).not.toBe(true);
    expect(failure.message).toContain('wait until it has');
  });

  test('while the Deployment is paused with a change that was never rolled out', async () => {
    const name = await threeRevisions();
    await place.patch(name, [
      { op: 'add', path: '/spec/paused', value: true },
      { op: 'replace', path: `${container}/image`, value: 'registry.example/web:4' },
    ]);
    const failure = await failureOf(planRollback(place, name));
    expect(failure.type).toBe('Refused');
    expect(failure.message).toContain('kubectl rollout resume');
  });

  test('for a StatefulSet, by name', async () => {
    const name = unique('other');
    place.writeProfile(name, { workloads: { [name]: { kind: 'StatefulSet', container: 'main' } } });
    const failure = await failureOf(planRollback(place, name));
    expect(failure.type).toBe('InvalidRequest');
    expect(failure.message).toContain(`rollback changes Deployments; ${name} is a StatefulSet`);
  });
});

describe('what the earlier template needs', () => {
  /** A release without anything after one that needs what `podSpec` and `wish` name. */
  async function planned(
    podSpec: Record<string, unknown>,
    wish: Record<string, unknown> = {},
    activities = place.activities,
  ): Promise<{ plan: WorkloadPlan; finding: GuardFinding }> {
    const name = unique('web');
    await place.deploySettled(name, { podSpec, container: wish });
    const { spec } = (await place.live(name)).spec.template;
    const value = {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'registry.example/web:2' }],
    };
    expect(spec.containers).toHaveLength(1);
    await release(place, name, [{ op: 'replace', path: '/spec/template/spec', value }]);
    const plan = await planRollback(place, name, {}, activities);
    return { plan, finding: plan.findings.find(({ guard }) => guard === 'configuration')! };
  }
  const fromConfigMap = (name: string, key: string) => ({
    env: [{ name: 'A', valueFrom: { configMapKeyRef: { name, key } } }],
  });

  async function someConfiguration(): Promise<string> {
    const name = unique('settings');
    await place.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { there: canary } });
    await place.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, stringData: { key: canary } });
    return name;
  }

  test('and is there lets the run go on; values of neither kind come into the plan', async () => {
    const name = await someConfiguration();
    const { plan, finding } = await planned(
      { volumes: [{ name: 's', secret: { secretName: name, items: [{ key: 'gone', path: 'x' }] } }] },
      fromConfigMap(name, 'there'),
    );
    expect(finding.verdict).toBe('clear');
    expect(finding.sentence).toContain(`keys not checked: Secret ${name}, values of Secrets are never read`);
    expect(JSON.stringify(plan)).not.toContain(canary);
    expect(JSON.stringify(plan)).not.toContain(Buffer.from(canary).toString('base64'));
  });

  test('and lacks a key stops the run', async () => {
    const name = await someConfiguration();
    const { finding } = await planned({}, fromConfigMap(name, 'gone'));
    expect(finding.verdict).toBe('stops');
    expect(finding.sentence).toContain(`ConfigMap ${name} (no key gone)`);
  });

  test('and is gone stops the run, and all of it is named', async () => {
    const { finding } = await planned({
      serviceAccountName: 'gone',
      volumes: [
        { name: 'c', configMap: { name: 'gone' } },
        { name: 's', projected: { sources: [{ secret: { name: 'gone' } }] } },
        { name: 'p', persistentVolumeClaim: { claimName: 'gone' } },
        { name: 'o', configMap: { name: 'not-needed', optional: true } },
      ],
    });
    expect(finding.verdict).toBe('stops');
    expect(finding.sentence).toContain(
      'revision 1 needs what the namespace does not have: ConfigMap gone, PersistentVolumeClaim gone, Secret gone, ServiceAccount gone.',
    );
  });

  test('and may not be read stops the run, but for Secrets, which the watch of the rollout would find missing', async () => {
    const narrow = await narrowWorker(place, enough);
    try {
      const name = await someConfiguration();
      const secret = { volumes: [{ name: 's', secret: { secretName: 'gone' } }] };
      const { finding: both } = await planned(secret, fromConfigMap(name, 'there'), narrow.activities);
      expect(both.verdict).toBe('unknown');
      expect(both.sentence).toContain('give it the permission to get configmaps');
      const { finding: only } = await planned(secret, {}, narrow.activities);
      expect(only.verdict).toBe('clear');
      expect(only.sentence).toContain('not checked: Secret gone, the worker may not read Secrets');
    } finally {
      await narrow.close();
    }
  });
});

test('a workload that a guard protects is not rolled back either', async () => {
  const name = await threeRevisions();
  await release(place, name, [{ op: 'add', path: '/spec/paused', value: true }]);
  const { findings } = await planRollback(place, name);
  expect(findings.find(({ guard }) => guard === 'paused')?.verdict).toBe('stops');
});
