import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { judgeClock } from '../../src/cli/doctor/clock.ts';
import type { Finding } from '../../src/cli/doctor/finding.ts';
import { generateSigningKey } from '../../src/encryption/key-pairs.ts';
import { narrowWorker, withUser } from '../activities/support/narrow-worker.ts';
import { Place } from '../activities/support/place.ts';
import { runbook } from '../support/command.ts';
import { stack, unique } from '../support/stack.ts';
import { demoProfile, World } from '../support/world.ts';
import { kubeconfigFor, renamingApi, silentServer, simpleStore, type TestServer } from './support/servers.ts';

const folder = mkdtempSync(join(tmpdir(), 'runbook-doctor-'));
const servers: TestServer[] = [];
let world: World;
let good: Record<string, string>;

beforeAll(async () => {
  world = await World.create({ deploy: true });
  good = { RUNBOOK_TARGETS: world.targetsFolder, RUNBOOK_TASK_QUEUE: world.queue };
  expect(await runbook(['setup'], good)).toMatchObject({ code: 0 });
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await world.close();
  rmSync(folder, { recursive: true });
});

function written(name: string, content: unknown): string {
  const file = join(folder, name);
  writeFileSync(file, typeof content === 'string' ? content : stringify(content));
  return file;
}

/** A folder with these profiles. */
function profiles(files: Record<string, unknown>): string {
  const own = mkdtempSync(join(folder, 'targets-'));
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(own, name), typeof content === 'string' ? content : stringify(content));
  return own;
}

async function kept<T extends TestServer>(server: Promise<T>): Promise<T> {
  const running = await server;
  servers.push(running);
  return running;
}

async function doctor(
  environment: Record<string, string> = {},
  ...line: string[]
): Promise<{ code: number | null; findings: Finding[]; found: Map<string, Finding> }> {
  const { code, out } = await runbook(['doctor', '--json', ...line], { ...good, ...environment });
  const findings = JSON.parse(out) as Finding[];
  return { code, findings, found: new Map(findings.map((finding) => [finding.check, finding])) };
}

function wanting(findings: Finding[]): string[] {
  return findings.filter(({ state }) => state !== 'pass').map(({ check }) => check);
}

test('where everything is ready, every check passes, in a fixed order', async () => {
  const { code, findings } = await doctor();
  expect(wanting(findings)).toEqual([]);
  expect(code).toBe(0);
  expect(findings.map(({ check }) => check)).toEqual([
    'configuration',
    'target alecs, profile',
    'default target',
    'Temporal, server',
    'Temporal, namespace',
    'Temporal, retention',
    'Temporal, search attribute RunbookTarget',
    'Temporal, search attribute RunbookStep',
    'Temporal, search attribute RunbookOutcome',
    'Temporal, workers for workflow tasks',
    'Temporal, workers for activity tasks',
    'target alecs, API server',
    'target alecs, namespace',
    'target alecs, workload alecs-server',
    'target alecs, namespace of locks',
    'target alecs, permissions',
    'target alecs, audit key',
    'storage, bucket',
    'storage, objects',
    'storage, write once',
    'storage, versioning',
    'storage, Object Lock',
    'clock of the API server of target alecs',
    'clock of the storage',
  ]);
});

test('for people there is a line per check, and one that says how it stands', async () => {
  const { code, out } = await runbook(['doctor'], good);
  expect(code).toBe(0);
  expect(out).toMatch(/^✓ configuration: every variable is valid\n/);
  expect(out).toMatch(/\n✓ target alecs, API server: v1\S+ answers at https:\S+, as \S+\n/);
  expect(out).toMatch(/\nEverything is ready: 24 checks\.\n$/);
});

test.each(['refused', 'silent'])(
  'when nothing answers (%s), all of it is said in one go, in time, with what to do',
  async (how) => {
    const silent = how === 'silent' ? (await kept(silentServer())).port : 1;
    const kubeconfig = written(`dead-${how}.kubeconfig`, kubeconfigFor(silent));
    const before = Date.now();
    const { code, findings } = await doctor({
      TEMPORAL_ADDRESS: `127.0.0.1:${silent}`,
      RUNBOOK_KUBECONFIG: kubeconfig,
      RUNBOOK_STORAGE_ENDPOINT: `http://127.0.0.1:${silent}`,
    });
    expect(Date.now() - before).toBeLessThan(20_000);
    expect(code).toBe(1);
    expect(wanting(findings)).toEqual(['Temporal, server', 'target alecs, API server', 'storage, bucket']);
    for (const { state, mend } of findings.slice(3)) {
      expect(state).toBe('fail');
      expect(mend).toMatch(/^(Set|Start) /);
    }
    expect(findings.map(({ found }) => found).join('\n')).toContain(`127.0.0.1:${silent}`);
  },
);

test('a fault of the configuration is named, and does not hide those of servers', async () => {
  const { code, findings } = await doctor({
    RUNBOOK_BUILD_ID: 'not valid',
    RUNBOOK_STORAGE_BUCKET: '',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
  });
  expect(code).toBe(1);
  expect(wanting(findings)).toEqual(['configuration', 'configuration', 'Temporal, server']);
  const faults = findings.flatMap(({ check, found }) => (check === 'configuration' ? [found] : []));
  expect(faults[0]).toMatch(/^RUNBOOK_BUILD_ID: /);
  expect(faults[1]).toMatch(/^RUNBOOK_STORAGE_BUCKET: is missing/);
  expect(findings.some(({ check }) => check.startsWith('storage'))).toBe(false);
});
await doctor({ RUNBOOK_STORAGE_BUCKET: '', TEMPORAL_ADDRESS: '127.0.0.1:1' });

test('every bad profile is named with its file and the path of its fault; good ones are checked', async () => {
  const alecs = demoProfile(world.namespace);
  const RUNBOOK_TARGETS = profiles({
    'alecs.yaml': alecs,
    'bad.yaml': { ...alecs, target: 'bad', namespace: 'NO', workload: 'gone' },
    'broken.yaml': 'target: [',
    'twice.yaml': { ...alecs, target: 'twice' },
    'twice.yml': { ...alecs, target: 'twice' },
  });
  const { code, findings, found } = await doctor({ RUNBOOK_TARGETS, RUNBOOK_DEFAULT_TARGET: 'nobody' });
  expect(code).toBe(1);
  expect(wanting(findings)).toEqual([
    'target bad, profile',
    'target broken, profile',
    'target twice, profile',
    'default target',
  ]);
  expect(found.get('target bad, profile')?.found).toMatch(
    /bad\.yaml: .*namespace: .*workload: is not one of/,
  );
  expect(found.get('target twice, profile')?.found).toContain('twice.yaml and twice.yml');
  expect(found.get('default target')?.found).toContain('there is alecs, bad, broken, twice');
  expect(found.get('target alecs, API server')?.state).toBe('pass');

  const one = await doctor({ RUNBOOK_TARGETS }, '--target', 'alecs');
  expect(one.code).toBe(0);
});

test('a folder without profiles, and a target that is not there, say what to do', async () => {
  const { code, found } = await doctor({ RUNBOOK_TARGETS: profiles({}) });
  expect(code).toBe(1);
  expect(found.get('targets')?.mend).toMatch(/^Set RUNBOOK_TARGETS/);
  const stranger = await runbook(['doctor', '--target', 'nobody'], good);
  expect(stranger).toMatchObject({ code: 2, out: '' });
  expect(stranger.err).toContain('there is no target "nobody"; known targets: alecs');
});

test('the keys of approvers are looked at where a profile takes signed decisions', async () => {
  const [ann, bob] = await Promise.all([
    generateSigningKey({ name: 'ann' }),
    generateSigningKey({ name: 'bob' }),
  ]);
  const person = ({ fingerprint }: { fingerprint: string }, file: string): unknown => ({
    roles: ['oncall'],
    fingerprint,
    publicKey: file,
  });
  const signed = (approvers: Record<string, unknown>): Record<string, string> => {
    const alecs = { ...demoProfile(world.namespace), approvers, approvals: { identity: 'signed' } };
    return {
      RUNBOOK_TARGETS: profiles({ 'alecs.yaml': alecs, 'ann.asc': ann.publicKey, 'bob.asc': bob.publicKey }),
    };
  };
  const keys = 'target alecs, keys of approvers';
  const right = await doctor(signed({ Ann: person(ann, 'ann.asc'), Bob: person(bob, 'bob.asc') }));
  expect(right.found.get(keys)).toMatchObject({ state: 'pass', found: '2 may sign; none of them expires' });
  const wrong = signed({ Ann: person(ann, 'bob.asc'), Bob: person(bob, 'gone.asc') });
  const { code, findings } = await doctor(wrong);
  expect(code).toBe(1);
  expect(findings.filter(({ check }) => check === keys).map(({ found }) => found)).toEqual([
    `approvers.Ann.publicKey: bob.asc has the key ${bob.fingerprint}, but the profile names ${ann.fingerprint}`,
    'approvers.Bob.publicKey: gone.asc cannot be read (ENOENT)',
  ]);
});

test('every channel for notifications is read, and a profile that names another one is told', async () => {
  const secret = 'canary-secret-16';
  const RUNBOOK_NOTIFIERS = profiles({
    'ops.json': JSON.stringify({ kind: 'webhook', url: 'https://ops.example/canary', secret }),
    'bad.json': JSON.stringify({ kind: 'webhook', url: 'http://ops.example/canary', secret }),
    'log.json': '{}',
  });
  const alecs = { ...demoProfile(world.namespace), approvals: { notify: ['log', 'ops', 'pager'] } };
  const RUNBOOK_TARGETS = profiles({ 'alecs.yaml': alecs });
  const { code, findings, found } = await doctor({ RUNBOOK_NOTIFIERS, RUNBOOK_TARGETS });
  expect(code).toBe(1);
  expect(wanting(findings)).toEqual([
    'notification channel bad',
    'notification channel log',
    'target alecs, notifications',
  ]);
  expect(found.get('notification channel ops')?.found).toBe('ops.json is valid');
  expect(found.get('notification channel bad')?.found).toMatch(
    /^channel file bad\.json: url: must be https;/,
  );
  expect(found.get('target alecs, notifications')?.found).toBe(
    'approvals.notify names pager; there is log, bad, ops',
  );
  expect(JSON.stringify(findings)).not.toContain('canary');
});

test('a folder of channels that cannot be read is told once', async () => {
  const { code, findings, found } = await doctor({ RUNBOOK_NOTIFIERS: join(folder, 'nowhere') });
  expect(code).toBe(1);
  expect(wanting(findings)).toEqual(['notification channels']);
  expect(found.get('notification channels')?.mend).toContain('RUNBOOK_NOTIFIERS');
});

describe('Temporal', () => {
  test('a namespace that is not there, and a queue that nobody polls, are named', async () => {
    const [namespace, queue] = await Promise.all([
      doctor({ TEMPORAL_NAMESPACE: 'nowhere' }),
      doctor({ RUNBOOK_TASK_QUEUE: 'nobody-polls' }),
    ]);
    expect(wanting(namespace.findings)).toEqual(['Temporal, namespace']);
    expect(namespace.found.get('Temporal, namespace')?.mend).toContain(
      'temporal operator namespace create --namespace nowhere',
    );
    expect(wanting(queue.findings)).toEqual([
      'Temporal, workers for workflow tasks',
      'Temporal, workers for activity tasks',
    ]);
    expect(queue.found.get('Temporal, workers for activity tasks')?.mend).toContain('runbook worker');
  });

  test('a namespace that forgets over a weekend, and has no search attributes, is told', async () => {
    const namespace = unique('short');
    const workflowExecutionRetentionPeriod = { seconds: 86_400 as never };
    await world.client.workflowService.registerNamespace({ namespace, workflowExecutionRetentionPeriod });
    const { code, found } = await doctor({ TEMPORAL_NAMESPACE: namespace });
    expect(code).toBe(1);
    expect(found.get('Temporal, retention')).toMatchObject({
      state: 'unknown',
      found: 'ended runs are kept for a day, less than a weekend',
    });
    expect(found.get('Temporal, search attribute RunbookStep')).toMatchObject({ state: 'fail' });
    expect(found.get('Temporal, search attribute RunbookStep')?.mend).toContain('runbook setup');
  });

  test('versioning without a current version is a fault, since runs would wait for ever', async () => {
    const { code, found } = await doctor({ RUNBOOK_WORKER_VERSIONING: 'on', RUNBOOK_BUILD_ID: '1.2.3' });
    expect(code).toBe(1);
    expect(found.get('Temporal, current version')?.mend).toContain(
      'set-current-version --namespace default --deployment-name runbooks --build-id 1.2.3',
    );
  });
});

describe('the cluster', () => {
  test('a narrow account is told exactly which verbs are missing, as lines of a Role', async () => {
    const place = await Place.open();
    try {
      await place.deploy('web');
      const rules = [
        { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'watch'] },
        { apiGroups: ['apps'], resources: ['replicasets'], verbs: ['list', 'watch'] },
        { apiGroups: [''], resources: ['pods'], verbs: ['list'] },
        { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
        { apiGroups: [''], resources: ['resourcequotas', 'limitranges'], verbs: ['list'] },
        { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: ['list'] },
      ];
      const narrow = await narrowWorker(place, rules, { locks: false });
      const environment = {
        RUNBOOK_TARGETS: place.targetsFolder,
        RUNBOOK_KUBECONFIG: written('narrow.kubeconfig', withUser({ token: narrow.token })),
      };
      const { code, findings, found } = await doctor(environment);
      await narrow.close();
      expect(code).toBe(1);
      expect(wanting(findings)).toEqual([
        'target web, namespace of locks',
        'target web, permission on deployments.apps',
        'target web, permission on pods',
        'target web, permission on poddisruptionbudgets.policy',
        'target web, permission on configmaps',
        'target web, permission on serviceaccounts',
        'target web, permission on persistentvolumeclaims',
        'target web, permission on pods/portforward',
        'target web, permission on leases.coordination.k8s.io',
        'target web, permission on secrets',
        'target web, audit key',
      ]);
      const permission = (resource: string): Finding | undefined =>
        found.get(`target web, permission on ${resource}`);
      expect(permission('deployments.apps')).toEqual({
        check: 'target web, permission on deployments.apps',
        state: 'fail',
        found: `may not patch deployments.apps web in namespace ${place.namespace}; a run needs it to plan, change, watch and undo`,
        mend: `Add to the rules of a Role that is bound to this account in namespace ${place.namespace}: - { apiGroups: [apps], resources: [deployments], resourceNames: [web], verbs: [patch] }`,
      });
      expect(permission('pods')?.mend).toContain("- { apiGroups: [''], resources: [pods], verbs: [watch] }");
      expect(permission('pods/portforward')?.mend).toContain('verbs: [get, create] }');
      expect(permission('poddisruptionbudgets.policy')?.state).toBe('unknown');
      expect(permission('secrets')?.mend).toContain(
        "- { apiGroups: [''], resources: [secrets], resourceNames: [runbook-audit-key], verbs: [get] }",
      );
      expect(permission('leases.coordination.k8s.io')?.mend).toMatch(/in namespace runbooks: - /);
      expect(found.get('target web, API server')?.found).toContain('as system:serviceaccount:');
      expect(found.get('target web, namespace')?.state).toBe('pass');
      expect(found.get('target web, namespace of locks')?.state).toBe('unknown');
      expect(JSON.stringify(findings)).not.toContain(narrow.token);
    } finally {
      await place.close();
    }
  });

  test('an account that may not list everything is told what a backup needs, and what it does without', async () => {
    const place = await Place.open();
    try {
      await place.deploy('web');
      const keys = { signing: ['keys/s.asc'], online: 'keys/on.asc', escrow: 'keys/esc.asc' };
      place.writeProfile('web', { backup: { keys } });
      const narrow = await narrowWorker(place, [
        { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get', 'list', 'watch', 'patch'] },
      ]);
      const { found } = await doctor({
        RUNBOOK_TARGETS: place.targetsFolder,
        RUNBOOK_KUBECONFIG: written('narrow-backup.kubeconfig', withUser({ token: narrow.token })),
      });
      await narrow.close();
      const rule = "- { apiGroups: ['*'], resources: ['*'], verbs: [list] }";
      expect(found.get('target web, permission on *.*')).toEqual({
        check: 'target web, permission on *.*',
        state: 'fail',
        found: `may not list *.* in namespace ${place.namespace}; a run needs it to back up every kind that there is`,
        mend: `Add to the rules of a Role that is bound to this account in namespace ${place.namespace}: ${rule}`,
      });
      expect(found.get('target web, permission on *.* of the cluster')).toEqual({
        check: 'target web, permission on *.* of the cluster',
        state: 'unknown',
        found:
          'may not list *.* in the whole cluster; a run needs it to back up what the namespace needs of the cluster, and makes partial backups without it',
        mend: `Add to the rules of a ClusterRole that is bound to this account in the whole cluster: ${rule}`,
      });
      expect(found.get('target web, permission on pods/log')?.state).toBe('unknown');
    } finally {
      await place.close();
    }
  });

  test('what a profile names and the cluster has not is named', async () => {
    const alecs = demoProfile(world.namespace);
    const workloads = {
      'alecs-server': { kind: 'Deployment', container: 'other' },
      gone: { kind: 'Deployment', container: 'main' },
    };
    const { code, findings, found } = await doctor({
      RUNBOOK_TARGETS: profiles({
        'alecs.yaml': { ...alecs, workloads },
        'away.yaml': { ...alecs, target: 'away', namespace: 'no-such-namespace' },
      }),
    });
    expect(code).toBe(1);
    expect(wanting(findings)).toEqual([
      'target alecs, workload alecs-server',
      'target alecs, workload gone',
      'target away, namespace',
    ]);
    expect(found.get('target alecs, workload alecs-server')?.found).toBe(
      'the Deployment has no container other, only alecs',
    );
    expect(found.get('target away, namespace')?.mend).toContain('kubectl create namespace no-such-namespace');
  });

  test('a missing namespace of locks, and with it the audit key, is something that setup mends', async () => {
    const { port } = await kept(renamingApi('runbooks', unique('locks')));
    const RUNBOOK_KUBECONFIG = written('no-locks.kubeconfig', kubeconfigFor(port));
    const { code, findings, found } = await doctor({ RUNBOOK_KUBECONFIG });
    expect(code).toBe(1);
    expect(wanting(findings)).toEqual(['target alecs, namespace of locks', 'target alecs, audit key']);
    expect(found.get('target alecs, namespace of locks')?.mend).toMatch(/^Run: runbook setup/);
    expect(found.get('target alecs, audit key')).toMatchObject({
      state: 'unknown',
      mend: 'Run: runbook setup',
    });
  });

  test('credentials that are refused are said to be so, and never shown', async () => {
    const token = 'canary-5b1d';
    const RUNBOOK_KUBECONFIG = written('refused.kubeconfig', withUser({ token }));
    const { code, findings, found } = await doctor({ RUNBOOK_KUBECONFIG });
    expect(code).toBe(1);
    expect(found.get('target alecs, API server')?.found).toContain('401 Unauthorized');
    expect(found.get('target alecs, API server')?.mend).toMatch(/^Renew the credentials/);
    expect(JSON.stringify(findings)).not.toContain(token);
  });

  test('a context that the kubeconfig has not is named', async () => {
    const alecs = { ...demoProfile(world.namespace), cluster: { context: 'elsewhere' } };
    const { found } = await doctor({ RUNBOOK_TARGETS: profiles({ 'alecs.yaml': alecs }) });
    expect(found.get('target alecs, API server')?.found).toContain('has no context "elsewhere", only: ');
  });
});

describe('object storage', () => {
  test('a store that ignores If-None-Match is told, with what it does not keep; nothing is left there', async () => {
    const store = await kept(simpleStore());
    const { code, findings, found } = await doctor({
      RUNBOOK_STORAGE_ENDPOINT: `http://127.0.0.1:${store.port}`,
      RUNBOOK_STORAGE_PREFIX: 'team',
    });
    expect(wanting(findings)).toEqual(['storage, write once']);
    expect(code).toBe(4);
    expect(found.get('storage, write once')?.found).toMatch(/not honoured, so a report can be overwritten/);
    expect(found.get('storage, versioning')?.found).toMatch(/^off/);
    expect(found.get('storage, Object Lock')?.found).toMatch(/^not configured/);
    expect(store.keys()).toEqual([]);
  });

  test('a clock that is a minute off is named, with how to set it', async () => {
    const store = await kept(simpleStore({ clockOffsetSeconds: -60 }));
    const { code, found } = await doctor({ RUNBOOK_STORAGE_ENDPOINT: `http://127.0.0.1:${store.port}` });
    expect(code).toBe(1);
    expect(found.get('clock of the storage')?.found).toMatch(/^(59|60|61) s behind this machine's clock$/);
    expect(found.get('clock of the storage')?.mend).toContain('timedatectl set-ntp true');
  });

  test.each([
    ['InvalidAccessKeyId', 'fail', 1],
    ['AccessDenied', 'unknown', 4],
  ])('when a put is refused with %s, storage is judged %s', async (refusesPuts, state, exit) => {
    const store = await kept(simpleStore({ refusesPuts }));
    const { code, found } = await doctor({ RUNBOOK_STORAGE_ENDPOINT: `http://127.0.0.1:${store.port}` });
    expect(code).toBe(exit);
    expect(found.get('storage, objects')).toMatchObject({ state });
    expect(found.get('storage, objects')?.found).toContain(`(${refusesPuts})`);
  });

  test('a bucket that is not there is named, with the command that makes it', async () => {
    const { code, found } = await doctor({ RUNBOOK_STORAGE_BUCKET: 'no-such-bucket' });
    expect(code).toBe(1);
    expect(found.get('storage, bucket')?.mend).toContain(
      `aws s3api create-bucket --bucket no-such-bucket --endpoint-url ${stack().s3.endpoint}`,
    );
  });

  test('without a bucket it is unknown: reports stay in the results of runs', async () => {
    const { code, found } = await doctor({ RUNBOOK_STORAGE_BUCKET: '', RUNBOOK_STORAGE_ENDPOINT: '' });
    expect(code).toBe(4);
    expect(found.get('storage')?.found).toMatch(/reports stay in the results of runs$/);
  });
});

describe('a clock', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  const judge = (date: string | undefined): Finding =>
    judgeClock('clock', { asked: now + 400, answered: now + 600, date });

  test.each([
    ['Thu, 01 Jan 2026 12:00:00 GMT', 'pass', 'within'],
    ['Thu, 01 Jan 2026 12:00:05 GMT', 'pass', 'within'],
    ['Thu, 01 Jan 2026 12:00:06 GMT', 'fail', '6 s ahead of'],
    ['Thu, 01 Jan 2026 11:59:55 GMT', 'pass', 'within'],
    ['Thu, 01 Jan 2026 11:59:54 GMT', 'fail', '6 s behind'],
    [undefined, 'unknown', 'no time'],
    ['yesterday', 'unknown', 'no time'],
  ])('that shows %s is judged %s', (date, state, words) => {
    expect(judge(date)).toMatchObject({ state });
    expect(judge(date).found).toContain(words);
  });
});
