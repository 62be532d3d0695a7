import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { KubernetesGateway } from '../../src/clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../src/contracts/kubernetes.ts';
import { waitFor } from '../../src/local/wait.ts';
import { BackupWorld } from '../support/backup-world.ts';
import { openGateway, unique } from '../support/stack.ts';

// Alone, because a group that nobody answers for makes the backups of every other test partial.
const group = `${unique('gone')}.example.com`;
let backups: BackupWorld;
let gateway: KubernetesGateway;
let service: KubernetesObject;

beforeAll(async () => {
  gateway = openGateway();
  backups = await BackupWorld.create({ logs: { sinceSeconds: 0 } });
  service = await gateway.create(
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: `v1.${group}` },
      spec: {
        group,
        version: 'v1',
        groupPriorityMinimum: 100,
        versionPriority: 100,
        insecureSkipTLSVerify: true,
        service: { name: 'nobody', namespace: backups.target },
      },
    },
    { fieldManager: 'test' },
  );
  await waitFor(
    async () =>
      (await gateway.servedApis()).unavailable.some(({ apiVersion }) => apiVersion === `${group}/v1`) ||
      undefined,
    { what: 'the API server to know that nobody answers', timeoutMilliseconds: 60_000 },
  );
});
afterAll(async () => {
  const { apiVersion, kind, metadata } = service;
  const ref = { apiVersion, kind, namespace: '', name: metadata.name };
  await gateway.delete(ref, { preconditions: { uid: metadata.uid ?? '' } });
  await gateway.close();
  await backups.close();
});

test('a backup while the server of an API group is away is partial, and says so in report, manifest and verification', async () => {
  const { report, committed } = await backups.backUp();
  expect(report.outcome).toBe('succeeded');
  expect(report.headline[0]).toMatch(/^PARTIAL backup /);
  expect(committed.complete).toBe(false);
  expect(report.result).toMatchObject({
    missing: [expect.objectContaining({ what: `${group}/v1` }) as unknown],
  });
  const files = await backups.filesOf(committed.backupId);
  expect(Buffer.from(files.get('manifest.asc') ?? []).toString()).toContain(`"what": "${group}/v1"`);
  const verified = await backups.verify();
  expect(JSON.stringify(verified)).toMatch(/partial/i);
});

test('a whole backup is made again as soon as the profile leaves the group out', async () => {
  backups.writeProfile({ logs: { sinceSeconds: 0 }, exclude: [{ apiGroup: group }] });
  const { report, committed } = await backups.backUp();
  expect(report.headline[0]).toMatch(/^Backup /);
  expect(committed.complete).toBe(true);
});
