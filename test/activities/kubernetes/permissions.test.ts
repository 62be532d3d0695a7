import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { createKubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { enough, narrowWorker, withUser, without, type NarrowWorker } from '../support/narrow-worker.ts';
import { aRun, holder, Place } from '../support/place.ts';
import { act, failureOf, textOf } from '../support/run-activity.ts';

let place: Place;
const workers: NarrowWorker[] = [];
beforeAll(async () => {
  place = await Place.open();
  await place.create({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'credentials' },
    stringData: { key: canary },
  });
  await place.deploySettled('web', { container: { env: [{ name: 'PASSWORD', value: canary }] } });
});
afterAll(async () => {
  for (const worker of workers) await worker.close();
  await place.close();
});

/** Stands for every secret value that an activity could come across. */
const canary = 'canary-8f2f2d6d3b';

async function worker(rules = enough): Promise<NarrowWorker> {
  const made = await narrowWorker(place, rules);
  workers.push(made);
  return made;
}

test('a worker with the documented rights plans, writes, and takes back', async () => {
  const { activities } = await worker();
  const plan = await place.plan('web', 'registry.example/web:2', activities);
  const run = aRun();
  const input = { target: plan.target, write: plan.write, marker: run.marker('change'), holder };
  await act(activities.applyWrite, input);
  const { drift } = await place.undo(plan, run);
  expect(drift).toEqual([]);
  expect(JSON.stringify(plan)).not.toContain(canary);
});

test.each([
  [
    'deployments',
    'patch',
    enough.map((rule) => ({ ...rule, verbs: rule.verbs.filter((verb) => verb !== 'patch') })),
  ],
  ['replicasets', 'list', without('replicasets')],
  ['resourcequotas', 'list', without('resourcequotas')],
  ['limitranges', 'list', without('limitranges')],
])('a worker that may not use %s (%s) is told so, and the run stops', async (resource, verb, rules) => {
  const { activities, token } = await worker(rules);
  const failure = await failureOf(place.plan('web', 'registry.example/web:2', activities));
  expect(failure.type).toBe('Forbidden');
  expect(failure.nonRetryable).toBe(true);
  expect(failure.message).toMatch(new RegExp(`^${verb}\\b.*\\b${resource}\\b`, 'i'));
  expect(textOf(failure)).not.toContain(token);
});

test('what only informs the reader may be forbidden: the summary says unknown', async () => {
  const rules = enough.filter(({ apiGroups }) => !['policy', 'autoscaling'].includes(apiGroups[0]!));
  const { activities } = await worker(rules);
  const text = (await place.plan('web', 'registry.example/web:2', activities)).summary.join('\n');
  expect(text).toContain('disruption budget: unknown, the worker may not list PodDisruptionBudgets');
  expect(text).toContain('autoscaler: unknown, the worker may not list HorizontalPodAutoscalers');
});

test('credentials that the cluster does not take are Unauthenticated and never shown', async () => {
  const file = join(place.targetsFolder, 'refused.kubeconfig');
  writeFileSync(file, stringify(withUser({ token: canary })));
  const gateway = createKubernetesGateway({ kubeconfigPath: file });
  const failure = await failureOf(place.plan('web', 'registry.example/web:2', place.activitiesWith(gateway)));
  await gateway.close();
  expect(failure.type).toBe('Unauthenticated');
  expect(textOf(failure)).not.toContain(canary);
});

test('no failure of a refused write shows what stands in the object', async () => {
  const plan = await place.plan('web');
  const value = { name: canary, value: [canary] } as never;
  const operations = [{ op: 'add' as const, path: '/spec/template/spec/containers/0/env/-', value }];
  const write = { ...plan.write, operations };
  const failure = await failureOf(
    act(place.activities.applyWrite, { target: plan.target, write, marker: 'x', holder }),
  );
  expect(['Refused', 'InvalidRequest']).toContain(failure.type);
  expect(textOf(failure)).not.toContain(canary);
});
