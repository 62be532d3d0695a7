import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { demoArchive } from '../../src/local/demo-image.ts';
import { kubectl as kubectlOf, loadImages } from '../../src/local/demo-target.ts';
import { waitFor } from '../../src/local/wait.ts';
import { BackupWorld } from '../support/backup-world.ts';
import { onRealNode, stack } from '../support/stack.ts';
import { image } from '../support/world.ts';

(onRealNode ? describe : describe.skip)('a StatefulSet whose volume outlives its namespace', () => {
  let backups: BackupWorld;
  let volume: string;
  // The node is this machine: what a pod writes into the volume lies here.
  const data = mkdtempSync(join(tmpdir(), 'runbook-volume-'));

  beforeAll(async () => {
    await loadImages(stack(), await demoArchive(() => undefined), () => undefined);
    backups = await BackupWorld.create({ logs: { sinceSeconds: 0 } });
    volume = `${backups.target}-data`;
    // The workload of the profile, without pods: its health is unknown.
    const { kubectl } = backups.world;
    await kubectl('create', 'deployment', 'alecs-server', '--image=sleeper:1', '--replicas=0');
    await apply(...objects());
    await backups.world.kubectl('rollout', 'status', 'statefulset/store', '--timeout=120s');
  });
  afterAll(async () => {
    await inCluster('delete', `persistentvolume/${volume}`, '--ignore-not-found', '--wait=false');
    await backups.close();
    rmSync(data, { recursive: true, force: true });
  });

  const inCluster = (...line: string[]): Promise<string> => kubectlOf(stack(), line);
  const written = (): string => readFileSync(join(data, 'starts'), 'utf8');

  async function apply(...list: unknown[]): Promise<void> {
    const file = join(data, 'objects.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: list }));
    await backups.world.kubectl('apply', '--filename', file);
  }

  /** Each start of its pod leaves a letter in the volume. */
  function objects(): unknown[] {
    const storageClassName = volume;
    const resources = { requests: { storage: '1Mi' } };
    const accessModes = ['ReadWriteOnce'];
    const labels = { app: 'store' };
    const script = "require('fs').appendFileSync('/data/starts', 's'); setInterval(() => {}, 1e6)";
    return [
      {
        apiVersion: 'v1',
        kind: 'PersistentVolume',
        metadata: { name: volume },
        spec: {
          ...{ storageClassName, accessModes, capacity: { storage: '1Mi' } },
          persistentVolumeReclaimPolicy: 'Retain',
          hostPath: { path: data },
        },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'store' },
        spec: {
          serviceName: 'store',
          selector: { matchLabels: labels },
          template: {
            metadata: { labels },
            spec: {
              terminationGracePeriodSeconds: 0,
              containers: [
                {
                  name: 'main',
                  image: image('1.7.4'),
                  command: ['node', '-e', script],
                  securityContext: { runAsUser: 0 },
                  volumeMounts: [{ name: 'data', mountPath: '/data' }],
                },
              ],
            },
          },
          volumeClaimTemplates: [
            { metadata: { name: 'data' }, spec: { storageClassName, accessModes, resources } },
          ],
        },
      },
    ];
  }

  test('is blocked while the volume waits for its former claim, and comes back with its data once that is freed', async () => {
    const { target, world } = backups;
    const { committed } = await backups.backUp();
    expect(written()).toBe('s');
    await world.kubectl('delete', 'namespace', target, '--wait=true', '--timeout=120s');

    const recover = { target, backup: committed.backupId };
    const planned = await (await world.start({ ...recover, dryRun: true }, undefined, 'recover')).end();
    const summary = planned.report.plan?.summary.join('\n') ?? '';
    expect(summary).toMatch(/^blocked, .*StatefulSet\.apps \(store\)/m);
    expect(summary).toContain(`wait for a claim that is gone: ${volume} (claim data-store-0)`);

    // As the page says.
    const freed = ['uid', 'resourceVersion'].map((field) => ({
      op: 'remove',
      path: `/spec/claimRef/${field}`,
    }));
    await inCluster('patch', 'persistentvolume', volume, '--type', 'json', '--patch', JSON.stringify(freed));

    const run = await world.start(recover, undefined, 'recover');
    const first = await run.approve();
    await run.approve(first);
    const { report } = await run.end();
    expect(report.error).toBeUndefined();
    expect(report.outcome).toBe('succeeded');
    const claim = await world.kubectl(
      'get',
      'pvc',
      'data-store-0',
      '-o',
      'jsonpath={.status.phase} {.spec.volumeName}',
    );
    expect(claim).toBe(`Bound ${volume}`);
    await waitFor(() => Promise.resolve(written() === 'ss' || undefined), {
      what: 'the restored pod to write behind what was there',
      timeoutMilliseconds: 30_000,
    });
  });
});
