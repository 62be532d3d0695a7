import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../src/local/wait.ts';
import { kubectlIn, unique } from '../../support/stack.ts';
import { act } from '../support/run-activity.ts';
import { onlyConfigMaps, RecoveryPlace } from './support/recovery-place.ts';

let recovery: RecoveryPlace;

beforeAll(async () => {
  recovery = await RecoveryPlace.open();
});

afterAll(async () => {
  await recovery.close();
});

describe('what is there is compared with the backup', () => {
  /** The namespace itself is compared, too. */
  const count = 60;
  const names = Array.from({ length: count }, (_, index) => `compared-${index}`);
  let backup: Awaited<ReturnType<RecoveryPlace['backUp']>>;

  beforeAll(async () => {
    await Promise.all(names.map((name) => recovery.configMap(name)));
    backup = await recovery.backUp();
  });

  /** Activities that count the objects which they read one by one. */
  const counting = (): { activities: RecoveryPlace['activities']; reads: () => number } => {
    let reads = 0;
    const gateway = new Proxy(recovery.gateway, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (key === 'get') reads += 1;
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    return { activities: recovery.activitiesWith(gateway), reads: () => reads };
  };

  test('many objects of a kind are listed, not read one by one, in another namespace too', async () => {
    const into = await recovery.otherNamespace();
    for (const wish of [{}, { into }]) {
      const plan = await recovery.plan(backup, { ...onlyConfigMaps(...names), ...wish });
      if ('into' in wish) expect((await recovery.restore(plan)).troubles).toBe(0);
      const { activities, reads } = counting();
      expect(await act(activities.proveContent, plan)).toMatchObject({
        verdict: 'pass',
        evidence: [`${count + 1} objects as in the backup`],
      });
      expect(reads()).toBeLessThan(count);
    }
  });

  // Found by reading: by its hash alone an object that is about to vanish counted as unchanged.
  test('what differs, is gone or is being deleted is named, and nothing that goes counts as unchanged', async () => {
    const plan = await recovery.plan(backup, onlyConfigMaps(...names));
    expect(plan.counts).toMatchObject({ unchanged: count + 1 });
    const kubectl = kubectlIn(recovery.name);
    await kubectl('patch', 'configmap', 'compared-1', '--patch', '{"data":{"a":"2"}}');
    await kubectl('delete', 'configmap', 'compared-2');
    const finalizers = (list: string[]): string => JSON.stringify({ metadata: { finalizers: list } });
    await kubectl('patch', 'configmap', 'compared-3', '--patch', finalizers(['example.org/held']));
    const held = await recovery.backUp();
    await kubectl('delete', 'configmap', 'compared-3', '--wait=false');
    try {
      const { verdict, evidence } = await recovery.proveContent(plan);
      expect(verdict).toBe('fail');
      expect(evidence[0]).toBe(`3 of ${count + 1} objects differ`);
      const told = evidence.join('\n');
      expect(told).toMatch(/compared-1: data\/a differ/);
      expect(told).toMatch(/compared-2: it is not there/);
      expect(told).toMatch(/compared-3: it is being deleted/);
      const again = await recovery.plan(held, onlyConfigMaps('compared-3'));
      expect(await recovery.verdictOf(again, 'ConfigMap', 'compared-3')).toMatchObject({
        verdict: 'blocked',
        because: expect.stringContaining('it is being deleted'),
      });
    } finally {
      await kubectl('patch', 'configmap', 'compared-3', '--patch', finalizers([]));
    }
  });

  // Found by reading: the hash of a list leaves every status out, also where it is data.
  test('a status that is a field like others is compared, too', async () => {
    const group = `${unique('g')}.example.org`;
    const ref = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      namespace: '',
      name: `gauges.${group}`,
    };
    const schema = {
      openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    };
    await recovery.gateway.create(
      {
        apiVersion: ref.apiVersion,
        kind: ref.kind,
        metadata: { name: ref.name },
        spec: {
          group,
          scope: 'Namespaced',
          names: { plural: 'gauges', singular: 'gauge', kind: 'Gauge' },
          versions: [{ name: 'v1', served: true, storage: true, schema }],
        },
      },
      { fieldManager: 'test' },
    );
    const gauge = (name: string) =>
      recovery.place.create({
        apiVersion: `${group}/v1`,
        kind: 'Gauge',
        metadata: { name },
        status: { level: 1 },
      });
    try {
      await waitFor(() => gauge('gauge-0').catch(() => undefined), {
        what: 'the definition to be served',
        timeoutMilliseconds: 30_000,
      });
      for (let index = 1; index < count; index++) await gauge(`gauge-${index}`);
      const taken = await recovery.backUp();
      const plan = await recovery.plan(taken, { only: { kinds: ['Gauge'] } });
      expect(await recovery.proveContent(plan)).toMatchObject({ verdict: 'pass' });
      const level = JSON.stringify({ status: { level: 2 } });
      await kubectlIn(recovery.name)('patch', `gauges.${group}`, 'gauge-7', '--type=merge', '--patch', level);
      const { verdict, evidence } = await recovery.proveContent(plan);
      expect(verdict).toBe('fail');
      expect(evidence.join('\n')).toMatch(/gauge-7: status\/level differ/);
    } finally {
      await recovery.remove(ref).catch(() => undefined);
    }
  });
});
