import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { deployDemo } from '../../src/local/demo-target.ts';
import { BackupWorld } from '../support/backup-world.ts';
import { kubectlIn, onRealNode, stack } from '../support/stack.ts';
import { demoProfile } from '../support/world.ts';

(onRealNode ? describe : describe.skip)('a service that runs, and whose namespace is lost', () => {
  let backups: BackupWorld;

  beforeAll(async () => {
    backups = await BackupWorld.create();
    const { target } = backups;
    await deployDemo(stack(), { namespace: target, onPhase: () => undefined });
    backups.writeProfile({}, { ...demoProfile(target), target });
  });
  afterAll(async () => {
    await backups.close();
  });

  test('is there again after one approval, and serves: every proof passes, and it answers at its Service', async () => {
    const { target, world } = backups;
    const { committed } = await backups.backUp();
    expect(committed.complete).toBe(true);
    await world.kubectl('delete', 'namespace', target, '--wait=true', '--timeout=120s');

    const run = await world.start({ target, backup: committed.backupId }, undefined, 'recover');
    await run.approve();
    const { report } = await run.end();
    await run.saveHistory('serves');
    expect(report.error).toBeUndefined();
    expect(report.outcome).toBe('succeeded');
    expect(report.decisions).toHaveLength(1);
    expect(report.proofs.map(({ name, verdict }) => [name, verdict])).toEqual(
      report.proofs.map(({ name }) => [name, 'pass']),
    );
    expect(report.proofs).toHaveLength(4);
    const answer = await kubectlIn(target)(
      'get',
      '--raw',
      `/api/v1/namespaces/${target}/services/alecs-service:80/proxy/health`,
    );
    expect(JSON.parse(answer)).toMatchObject({ status: 'healthy' });
  });
});
