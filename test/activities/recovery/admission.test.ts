import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { waitFor } from '../../../src/local/wait.ts';
import { unique } from '../../support/stack.ts';
import { onlyConfigMaps, RecoveryPlace } from './support/recovery-place.ts';
import { Webhook } from './support/webhook.ts';

let recovery: RecoveryPlace;

beforeAll(async () => {
  recovery = await RecoveryPlace.open();
});

afterAll(async () => {
  await recovery.close();
});

test('what admission refuses is the trouble of one object', async () => {
  const name = unique('refuse');
  await Promise.all([recovery.configMap('refused'), recovery.configMap('admitted')]);
  const backup = await recovery.backUp();
  await Promise.all([
    recovery.remove(recovery.configMapRef('refused')),
    recovery.remove(recovery.configMapRef('admitted')),
  ]);
  const plan = await recovery.plan(backup, onlyConfigMaps('refused', 'admitted'));
  const group = 'admissionregistration.k8s.io/v1';
  const policy = { apiVersion: group, kind: 'ValidatingAdmissionPolicy', namespace: '', name };
  const binding = { apiVersion: group, kind: 'ValidatingAdmissionPolicyBinding', namespace: '', name };
  const matchLabels = { 'kubernetes.io/metadata.name': recovery.name };
  await recovery.gateway.create(
    {
      apiVersion: group,
      kind: policy.kind,
      metadata: { name },
      spec: {
        matchConstraints: {
          namespaceSelector: { matchLabels },
          resourceRules: [
            { apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] },
          ],
        },
        validations: [{ expression: "object.metadata.name != 'refused'" }],
      },
    },
    { fieldManager: 'test' },
  );
  await recovery.gateway.create(
    {
      apiVersion: group,
      kind: binding.kind,
      metadata: { name },
      spec: { policyName: name, validationActions: ['Deny'] },
    },
    { fieldManager: 'test' },
  );
  try {
    // The server takes the policy up a moment later.
    await waitFor(
      () =>
        recovery.gateway
          .create(
            { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'refused', namespace: recovery.name } },
            { fieldManager: 'test', dryRun: true },
          )
          .then(
            () => undefined,
            () => true,
          ),
      { what: 'the policy to refuse', timeoutMilliseconds: 30_000 },
    );
    const outcome = await recovery.restore(plan);
    expect(outcome).toMatchObject({ written: 1, troubles: 1 });
    expect(outcome.first[0]).toContain('ConfigMap');
    expect(outcome.first[0]).toContain('/refused: ');
    expect(outcome.first[0]).toContain(`admission policy ${name} refused it`);
    await expect(recovery.get('ConfigMap', 'admitted')).resolves.toBeDefined();
  } finally {
    await recovery.remove(binding);
    await recovery.remove(policy);
  }
});

describe('a webhook', () => {
  const tryTo = (name: string) =>
    recovery.gateway.create(
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: recovery.name } },
      { fieldManager: 'test', dryRun: true },
    );

  test('that refuses an object, or is not there, is the trouble of that object, and is named', async () => {
    await Promise.all([recovery.configMap('bad'), recovery.configMap('good')]);
    const backup = await recovery.backUp();
    await Promise.all([
      recovery.remove(recovery.configMapRef('bad')),
      recovery.remove(recovery.configMapRef('good')),
    ]);
    const plan = await recovery.plan(backup, onlyConfigMaps('bad', 'good'));
    const webhook = await Webhook.open(recovery.gateway, recovery.name, (name) =>
      name === 'bad' ? 'canary-words of a webhook' : undefined,
    );
    try {
      // The server takes it up a moment later.
      const refused = () =>
        tryTo('bad').then(
          () => undefined,
          () => true,
        );
      await waitFor(refused, { what: 'the webhook to be asked', timeoutMilliseconds: 30_000 });
      webhook.asked.length = 0;
      const outcome = await recovery.restore(plan);
      expect(outcome).toMatchObject({ written: 1, troubles: 1 });
      expect(outcome.first[0]).toContain(`admission webhook ${webhook.name} refused it`);
      // What it says may hold values.
      expect(outcome.first[0]).not.toContain('canary');
      // A refusal is an answer: it is not asked again.
      expect(webhook.asked.sort()).toEqual(['bad', 'good']);

      await webhook.leave();
      const later = await recovery.plan(backup, onlyConfigMaps('bad', 'good'));
      const without = await recovery.restore(later);
      expect(without).toMatchObject({ written: 0, troubles: 1 });
      expect(without.first[0]).toContain(`webhook ${webhook.name} could not be asked`);
    } finally {
      await webhook.close();
    }
    await expect(recovery.restore(await recovery.plan(backup, onlyConfigMaps('bad')))).resolves.toMatchObject(
      {
        written: 1,
        troubles: 0,
      },
    );
  });
});
