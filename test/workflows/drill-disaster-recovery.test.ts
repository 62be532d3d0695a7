import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { join } from 'node:path';
import { deployDemo } from '../../src/local/demo-target.ts';
import { Drills } from './support/drills.ts';
import { manifests } from '../support/backup-world.ts';
import { kubectlIn, onRealNode, stack } from '../support/stack.ts';
import { demoProfile } from '../support/world.ts';

const rolesAndBindings = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding' };
const canary = 'canary-of-the-backup-tests';

describe('a drill of a service without pods', () => {
  let drills: Drills;
  let emptyBackup: string;

  beforeAll(async () => {
    drills = await Drills.open({ probes: false });
    emptyBackup = (await drills.backups.backUp()).committed.backupId;
    await drills.backups.world.kubectl('apply', '--filename', join(manifests, 'objects.yaml'));
    const { kubectl, namespace } = drills.backups.world;
    await kubectl('create', 'rolebinding', 'named', '--role=web', `--serviceaccount=${namespace}:web`);
    await drills.backups.backUp();
    await drills.backups.verify();
  });

  afterAll(async () => {
    await drills.close();
  });

  test('passes, leaves nothing, touches nothing of the service, and shows no secret', async () => {
    const before = await drills.versions();
    const run = await drills.start({ reason: 'a test' });
    const seen = drills.collect(run.scratch);
    const { report } = await run.end();
    await run.saveHistory('succeeded');
    expect(report.error).toBeUndefined();
    expect(report).toMatchObject({
      outcome: 'succeeded',
      decisions: [],
      result: { result: { verdict: 'pass', findings: [] } },
    });
    expect(report.headline[0]).toMatch(
      /^Drill of \S+: \d+ objects, RTO \d+ s of 900 s, RPO \d+ s of 3600 s\.$/,
    );
    expect(report.headline[1]).toBe('This run did not touch the service and did not check its health.');
    expect(await run.events()).toBeLessThanOrEqual(250);
    expect(await run.failedTasks()).toBe(0);
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
    expect(await drills.versions()).toEqual(before);

    const objects = await seen();
    const names = objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(names).toEqual(
      expect.arrayContaining([
        'ConfigMap/settings',
        'Secret/credentials',
        'Deployment/alecs-server',
        'CronJob/nightly',
      ]),
    );
    const all = JSON.stringify(objects);
    expect(all).not.toContain(canary);
    expect(all).not.toContain(Buffer.from(canary).toString('base64'));
    const specOf = (name: string): unknown => objects[names.indexOf(name)]?.['spec'];
    expect(specOf('CronJob/nightly')).toMatchObject({ suspend: true });
    expect(specOf('Ingress/web')).toMatchObject({
      ingressClassName: 'runbook-drill-served-by-nobody',
      rules: [{ host: 'web.example.org.drill.invalid' }],
    });
    expect(specOf('Service/public')).toMatchObject({ type: 'ClusterIP' });
    expect(specOf('Service/public')).not.toHaveProperty('externalIPs');
    expect(names.filter((name) => name.startsWith('NetworkPolicy/'))).toEqual([
      'NetworkPolicy/runbook-drill',
    ]);
    expect(specOf('NetworkPolicy/runbook-drill')).toEqual({
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
    });
    expect(specOf('ResourceQuota/runbook-drill')).toMatchObject({
      hard: { pods: '50', persistentvolumeclaims: '0', 'services.loadbalancers': '0' },
    });
    expect(objects[names.indexOf('RoleBinding/named')]?.['subjects']).toEqual([
      { kind: 'ServiceAccount', name: 'web', namespace: run.scratch },
    ]);
    expect(report.steps.map(({ note }) => note).join()).toContain('enforcement unknown');
    expect(report.plan?.summary.join('\n')).toContain('not drilled: NetworkPolicy');
  });

  test('keeps its result beside the backups, and shows the last ones as table and picture', async () => {
    const first = await (await drills.start({})).end();
    const second = await (await drills.start({})).end();
    const { trend, picture } = second.report.result as { trend: { id: string }[]; picture: string };
    const ids = [first, second].map(({ report }) => report.run.firstRunId.slice(-8));
    expect(trend.slice(-2).map(({ id }) => id)).toEqual(ids);
    expect(second.report.table?.rows.length).toBe(trend.length);
    expect(picture).toContain(`trend-${ids[1]}.svg`);
    const files = await drills.files();
    expect(files.filter((name) => /^\d{8}T\d{6}Z-[0-9a-f]{8}\.json$/.test(name)).length).toBe(trend.length);
  });

  test('of a backup of nothing fails', async () => {
    const run = await drills.start({ backup: emptyBackup });
    const { report, failure } = await run.end();
    await run.saveHistory('empty');
    expect(failure?.type).toBe('failed');
    expect(report.error).toContain('nothing was restored');
    expect(report.error).toContain('the backup has no workloads to wait for');
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });

  test('of a backup that lacks a part fails before anything is made', async () => {
    const { committed } = await drills.backups.backUp();
    await drills.backups.losePart(committed.backupId);
    const run = await drills.start({ backup: committed.backupId });
    const seen = drills.collect(run.scratch);
    const { report, failure } = await run.end();
    await run.saveHistory('damaged');
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(/parts\//);
    expect(await seen()).toEqual([]);
  });

  test('finds an object that is not there any more', async () => {
    const run = await drills.start({});
    await drills.deleteWhenSeen(run.scratch, { apiVersion: 'v1', kind: 'ConfigMap', name: 'settings' });
    const { report, failure } = await run.end();
    await run.saveHistory('object-missing');
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(/ConfigMap \S+\/settings: it is not there/);
    expect(report.result).toMatchObject({ result: { verdict: 'fail' } });
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });

  test('that cannot go on is kept as one that failed, and removes its namespace', async () => {
    const run = await drills.start({});
    await drills.untilSeen(run.scratch, rolesAndBindings, 'named');
    await drills.losePlan(run.firstRunId);
    const { report, failure } = await run.end();
    await run.saveHistory('ended-early');
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(/the drill was carried out: the plan \S+ is gone/);
    expect(report.result).toMatchObject({ result: { verdict: 'fail' } });
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });

  test('that is aborted removes its namespace', async () => {
    const run = await drills.start({});
    await drills.untilThere(run.scratch);
    await run.handle.signal('abort', { by: 'Test Person' });
    const { report } = await run.end();
    await run.saveHistory('aborted');
    expect(report.undo).toEqual([expect.objectContaining({ state: 'done', about: 'backup' })]);
    expect(report.headline[1]).toBe('This run did not touch the service and did not check its health.');
    expect(report.headline[2]).not.toContain('Act now');
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });

  test('goes on when its worker is gone in the middle, and removes its namespace', async () => {
    const run = await drills.start({});
    await drills.untilThere(run.scratch);
    await drills.backups.world.stopWorker();
    await drills.backups.world.startWorker();
    expect((await run.end()).report.outcome).toBe('succeeded');
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });

  test('removes what a dead drill has left more than a day ago, and nothing younger', async () => {
    const [old, young] = [await drills.start({}), await drills.start({})];
    for (const dead of [old, young]) await drills.untilThere(dead.scratch);
    for (const dead of [old, young]) await dead.handle.terminate('a test');
    await drills.age(old.scratch, 25);
    await drills.age(young.scratch, 23);
    const { report } = await (await drills.start({})).end();
    expect(report.outcome).toBe('succeeded');
    expect(report.steps.map(({ note }) => note).join()).toContain(
      `removed what dead drills had left: ${old.scratch}`,
    );
    await drills.untilGone(old.scratch);
    await expect(drills.exists(young.scratch)).resolves.toBe(true);
    await drills.remove(young.scratch);
  });

  test('lets nobody in its namespace do anything in that of the service, or more than its quota', async () => {
    drills.writeProfile({ probes: false, quota: { pods: 1 } });
    const run = await drills.start({});
    await drills.untilSeen(run.scratch, rolesAndBindings, 'named');
    await run.handle.terminate('what it made is looked at');
    const { namespace } = drills.backups.world;
    const account = `--as=system:serviceaccount:${run.scratch}:web`;
    // Every namespace has one, and the account may read those of its own.
    const read = (place: string): Promise<string> =>
      kubectlIn(place)('get', 'configmap', 'kube-root-ca.crt', account, '-o', 'name');
    await expect(read(run.scratch)).resolves.toContain('kube-root-ca.crt');
    await expect(read(namespace)).rejects.toThrow('Forbidden');
    const inScratch = kubectlIn(run.scratch);
    await inScratch('run', 'first', '--image=sleeper:1');
    await expect(inScratch('run', 'second', '--image=sleeper:1')).rejects.toThrow('exceeded quota');
    await expect(inScratch('create', 'service', 'loadbalancer', 'out', '--tcp=80')).rejects.toThrow(
      'exceeded quota',
    );
    await expect(inScratch('create', 'service', 'nodeport', 'out', '--tcp=80')).rejects.toThrow(
      'exceeded quota',
    );
    drills.writeProfile({ probes: false });
    await drills.remove(run.scratch);
  });

  test('as a dry run says what would be drilled, and makes nothing', async () => {
    const run = await drills.start({ dryRun: true });
    const seen = drills.collect(run.scratch);
    const { report } = await run.end();
    await run.saveHistory('planned');
    expect(report.outcome).toBe('planned');
    expect(report.plan?.summary.join('\n')).toContain('not drilled: cluster-scoped objects');
    expect(await seen()).toEqual([]);
  });

  test('refuses an input with every fault in one sentence', async () => {
    const { report } = await (await drills.start({ backup: '../x', into: 'here' })).end();
    expect(report.error).toContain('2 faults in the input');
  });
});

(onRealNode ? describe : describe.skip)('a drill of a service that runs', () => {
  let drills: Drills;
  // Its pods are asked for so long, whatever else takes time.
  const bakeSeconds = 3;

  beforeAll(async () => {
    drills = await Drills.open({});
    const { namespace } = drills.backups.world;
    await deployDemo(stack(), { namespace, onPhase: () => undefined });
    writeProfile({});
    await drills.backups.backUp();
    await drills.backups.verify();
  });

  afterAll(async () => {
    await drills.close();
  });

  function writeProfile(change: Record<string, unknown>): void {
    // The service says that it is ill when it cannot read its credentials.
    const made = [
      'host = drill.invalid',
      'client_token = drill',
      'client_secret = drill',
      'access_token = drill',
    ];
    const drill = {
      dummies: { 'alecs-credentials': { edgerc: `${['[default]', ...made].join('\n')}\n` } },
      ...change,
    };
    const profile = demoProfile(drills.backups.world.namespace);
    drills.writeProfile(drill, { ...profile, proof: { bakeSeconds, intervalSeconds: 1 } });
  }

  test('asks the pods of the copy for their health, and leaves those of the service alone', async () => {
    const before = await drills.versions();
    const run = await drills.start({});
    const seen = drills.collect(run.scratch);
    const { report } = await run.end();
    await run.saveHistory('serves');
    expect(report.error).toBeUndefined();
    expect(report.proofs.map(({ name, verdict }) => [name, verdict])).toContainEqual([
      'every pod of the service answers its health endpoint',
      'pass',
    ]);
    const pods = (await seen()).filter(({ kind }) => kind === 'Pod');
    expect(pods.length).toBeGreaterThan(0);
    expect(await drills.versions()).toEqual(before);
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });

  test('that takes longer than the RTO fails, with everything else proven', async () => {
    writeProfile({ rtoSeconds: bakeSeconds - 1 });
    const run = await drills.start({});
    const { report, failure } = await run.end();
    await run.saveHistory('too-slow');
    expect(failure?.type).toBe('failed');
    expect(report.error).toMatch(
      /the service was back in time \(RTO\): restored and proven after \d+ s of 2 s/,
    );
    expect(report.proofs.every(({ verdict }) => verdict === 'pass')).toBe(true);
    await expect(drills.exists(run.scratch)).resolves.toBe(false);
  });
});
