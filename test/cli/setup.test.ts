import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Client } from '@temporalio/client';
import proto from '@temporalio/proto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { connectClient } from '../../src/clients/temporal/connection.ts';
import { narrowWorker, withUser } from '../activities/support/narrow-worker.ts';
import { Place } from '../activities/support/place.ts';
import { readPublicKey } from '../../src/encryption/keys.ts';
import { signDetached, verifyDetached } from '../../src/encryption/signatures.ts';
import { runbook, type Ended } from '../support/command.ts';
import { kubectlIn, unique } from '../support/stack.ts';
import { demoProfile } from '../support/world.ts';
import { kubeconfigFor, renamingApi } from './support/servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'runbook-setup-'));
let client: Client;

beforeAll(async () => {
  client = await connectClient();
  writeFileSync(join(folder, 'alecs.yaml'), stringify(demoProfile('alecs')));
});
afterAll(async () => {
  await client.connection.close();
  rmSync(folder, { recursive: true });
});

async function setup(environment: Record<string, string>, ...line: string[]): Promise<Ended> {
  return await runbook(['setup', ...line], { RUNBOOK_TARGETS: folder, ...environment });
}

async function newTemporalNamespace(): Promise<string> {
  const namespace = unique('setup');
  const workflowExecutionRetentionPeriod = { seconds: 604_800 as never };
  await client.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
  return namespace;
}

test('what is missing is made, and the second time it is there', async () => {
  const locks = unique('locks');
  const api = await renamingApi('runbooks', locks);
  const RUNBOOK_KUBECONFIG = join(folder, 'made.kubeconfig');
  writeFileSync(RUNBOOK_KUBECONFIG, stringify(kubeconfigFor(api.port)));
  const environment = { RUNBOOK_KUBECONFIG, TEMPORAL_NAMESPACE: await newTemporalNamespace() };
  try {
    const first = await setup(environment);
    expect(first).toMatchObject({ code: 0, err: '' });
    const kubectl = kubectlIn(locks);
    const printed = JSON.parse(
      await kubectl('get', 'configmap', 'runbook-audit-public-key', '--output=json'),
    ) as { data: Record<string, string> };
    const publicKey = printed.data['public.asc'] ?? '';
    const { fingerprint } = await readPublicKey(publicKey);
    expect(first.out).toBe(
      [
        'made: search attribute RunbookTarget',
        'made: search attribute RunbookStep',
        'made: search attribute RunbookOutcome',
        'made: namespace runbooks in the cluster',
        `made: Secret runbooks/runbook-audit-key in the cluster, the key ${fingerprint} of the audit log`,
        'made: ConfigMap runbooks/runbook-audit-public-key in the cluster, its public part',
        'now run: runbook doctor\n',
      ].join('\n'),
    );
    const second = await setup(environment, '--json');
    expect(second).toMatchObject({ code: 0 });
    const states = (JSON.parse(second.out) as { state: string }[]).map(({ state }) => state);
    expect(states).toEqual(Array(6).fill('was there'));
    expect(second.out).toContain(fingerprint);

    const secret = JSON.parse(await kubectl('get', 'secret', 'runbook-audit-key', '--output=json')) as {
      data: Record<string, string>;
    };
    const privateKey = Buffer.from(secret.data['private.asc'] ?? '', 'base64').toString();
    const signature = await signDetached('a text', privateKey);
    expect(await verifyDetached('a text', signature, publicKey)).toMatchObject({ fingerprint });
    expect(first.out + second.out).not.toContain('PRIVATE KEY');

    // The key is older than what it signed: it is never replaced, and its public part can be had again.
    await kubectl('delete', 'configmap', 'runbook-audit-public-key');
    const third = await setup(environment);
    expect(third.out).toContain(
      `was there: Secret runbooks/runbook-audit-key in the cluster, the key ${fingerprint}`,
    );
    expect(third.out).toContain('made: ConfigMap runbooks/runbook-audit-public-key');
    const again = await kubectl('get', 'configmap', 'runbook-audit-public-key', '--output=json');
    expect((JSON.parse(again) as typeof printed).data['public.asc']).toBe(publicKey);
  } finally {
    await kubectlIn('default')('delete', 'namespace', locks, '--wait=false');
    await api.close();
  }
});

test('what may not be made is said, with the command for someone who may', async () => {
  const place = await Place.open();
  try {
    const rules = [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['list'] }];
    const narrow = await narrowWorker(place, rules, { locks: false });
    const RUNBOOK_KUBECONFIG = join(folder, 'narrow.kubeconfig');
    writeFileSync(RUNBOOK_KUBECONFIG, stringify(withUser({ token: narrow.token })));
    const { code, out } = await setup({ RUNBOOK_KUBECONFIG });
    await narrow.close();
    expect(code).toBe(1);
    expect(out).toMatch(/cannot: namespace runbooks in the cluster, because .*403 Forbidden/);
    expect(out).toContain('do this: as someone who may: kubectl create namespace runbooks\n');
    expect(out).not.toContain(narrow.token);
  } finally {
    await place.close();
  }
});

test('a search attribute of the wrong type is left alone, and said', async () => {
  const namespace = await newTemporalNamespace();
  const RunbookStep = proto.temporal.api.enums.v1.IndexedValueType.INDEXED_VALUE_TYPE_INT;
  const searchAttributes = { RunbookStep };
  await client.connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  const { code, out } = await setup({ TEMPORAL_NAMESPACE: namespace });
  expect(code).toBe(1);
  expect(out).toContain('made: search attribute RunbookTarget\n');
  expect(out).toContain('cannot: search attribute RunbookStep, because it is there with another type');
  expect(out).toContain(`search-attribute remove --namespace ${namespace} --name RunbookStep`);
});

test('when nothing answers, everything is said in one go', async () => {
  const RUNBOOK_KUBECONFIG = join(folder, 'dead.kubeconfig');
  writeFileSync(RUNBOOK_KUBECONFIG, stringify(kubeconfigFor(1)));
  writeFileSync(join(folder, 'bad.yaml'), 'target: bad');
  try {
    const { code, out } = await setup({ RUNBOOK_KUBECONFIG, TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect(code).toBe(1);
    expect(out).toMatch(/^cannot: target bad, profile, because /);
    expect(out).toContain('cannot: search attributes, because there is no answer from 127.0.0.1:1');
    expect(out).toMatch(/cannot: namespace runbooks in the cluster, because .*ECONNREFUSED/);
  } finally {
    rmSync(join(folder, 'bad.yaml'));
  }
});
