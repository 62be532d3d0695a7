import { describe, expect, test } from '@jest/globals';
import { targetProfileSchema } from '../../src/contracts/target.ts';
import { describeIssues } from '../../src/domain/requests.ts';

const health = { via: 'port-forward', path: '/health', port: 8080 };
const profile = {
  target: 'shop',
  namespace: 'shop',
  workload: 'web',
  workloads: { web: { kind: 'Deployment', container: 'app' } },
  health,
};

const faults = (input: unknown): string[] => {
  const parsed = targetProfileSchema.safeParse(input);
  return parsed.success ? [] : describeIssues(parsed.error);
};

describe('a target profile', () => {
  test('with only what it needs gets the defaults', () => {
    expect(targetProfileSchema.parse(profile)).toEqual({
      ...profile,
      health: { ...health, expectStatus: 200, expectBody: {}, timeoutSeconds: 3 },
      rollout: { startupAllowanceSeconds: 30, unschedulableAfterSeconds: 30 },
      proof: { bakeSeconds: 60, intervalSeconds: 5 },
      gate: { deadlineSeconds: 14400, reminderSeconds: 900 },
      approvers: {},
      approvals: { identity: 'declared', rules: [], breakGlass: [], notify: ['log'] },
      lock: { waitSeconds: 60, preemptSeconds: 1200, pauseSeconds: 1800 },
      heartbeatSeconds: 15,
      gitOps: 'stop',
    });
  });

  test('shows every fault at once, each with its path', () => {
    const broken = {
      target: 'Shop',
      namespace: 5,
      workload: 'api',
      workloads: { web: { kind: 'Job', container: '' } },
      health: { via: 'url', path: 'health', expectStatus: 42, expectBody: { ok: null }, timeoutSeconds: 0 },
      rollout: { startupAllowanceSeconds: -1 },
      proof: { bakeSeconds: 1.5, intervalSeconds: 0 },
      gate: { deadlineSeconds: 0 },
      heartbeatSeconds: 16,
      gitOps: 'no',
      extra: true,
    };
    const expected = [
      /^target: must be a lower-case name/,
      /^namespace: must be a string, not a number$/,
      /^workloads\.web\.kind: must be one of Deployment, StatefulSet, DaemonSet$/,
      /^workloads\.web\.container: must be a lower-case name/,
      /^health\.path: must be a plain path/,
      /^health\.expectStatus: must be at least 100$/,
      /^health\.expectBody\.ok: must be text, a number, or true or false$/,
      /^health\.timeoutSeconds: must be at least 1$/,
      /^health\.url: is needed with via: url$/,
      /^rollout\.startupAllowanceSeconds: must be at least 0$/,
      /^proof\.bakeSeconds: must be a whole number$/,
      /^proof\.intervalSeconds: must be at least 1$/,
      /^gate\.deadlineSeconds: must be at least 1$/,
      /^heartbeatSeconds: must be at most 15$/,
      /^gitOps: must be one of stop, ignore$/,
      /^unknown field "extra"$/,
    ];
    const found = faults(broken);
    for (const fault of expected) expect(found).toContainEqual(expect.stringMatching(fault));
    expect(found).toHaveLength(expected.length);
  });

  test('names its own workload among its workloads, also beside another fault', () => {
    const fault = 'workload: is not one of workloads: web';
    expect(faults({ ...profile, workload: 'api' })).toEqual([fault]);
    expect(faults({ ...profile, workload: 'api', gitOps: 'no' })).toContain(fault);
    expect(faults({ ...profile, workload: 'constructor' })).toEqual([fault]);
    expect(faults({ ...profile, workloads: {} })).toEqual(['workload: is not one of workloads: none']);
  });

  test('with broken workloads is not blamed for its workload as well', () => {
    expect(faults({ ...profile, workloads: 5 })).toEqual(['workloads: must be an object, not a number']);
  });

  test.each([
    ['port-forward', {}, ['health.port: is needed with via: port-forward']],
    ['pod-address', {}, ['health.port: is needed with via: pod-address']],
    ['exec', {}, ['health.command: is needed with via: exec']],
    ['url', {}, ['health.url: is needed with via: url']],
    ['port-forward', { port: 1 }, []],
    ['pod-address', { port: 65535 }, []],
    ['exec', { command: ['/bin/health'] }, []],
    ['url', { url: 'https://shop.example:8443' }, []],
    ['exec', { command: [] }, ['health.command: must be at least 1 item']],
    ['port-forward', { port: 65536 }, ['health.port: must be at most 65535']],
    ['port-forward', { port: '8080' }, ['health.port: must be a number, not a string']],
  ])('reaches a pod by %s with %j: %j', (via, fields, expected) => {
    expect(faults({ ...profile, health: { via, path: '/health', ...fields } })).toEqual(expected);
  });

  test('may give a workload a probe of its own, with the same rules', () => {
    const own = (probe: object) => ({
      ...profile,
      workloads: { web: { ...profile.workloads.web, health: { path: '/ready', ...probe } } },
    });
    expect(faults(own({ via: 'url', url: 'http://shop.example' }))).toEqual([]);
    expect(faults(own({ via: 'exec' }))).toEqual(['workloads.web.health.command: is needed with via: exec']);
  });

  test.each([
    'file:///etc/passwd',
    'ftp://shop.example',
    'shop.example',
    'javascript:alert(1)',
    'https://shop.example/base',
    'https://user:secret@shop.example',
  ])('asks no %s', (url) => {
    expect(faults({ ...profile, health: { via: 'url', path: '/health', url } })).toHaveLength(1);
  });

  test.each(['/', '/health', '/a/b.c_d-e~f'])('may ask for %s', (path) => {
    expect(faults({ ...profile, health: { ...health, path } })).toEqual([]);
  });

  test.each(['', 'health', '/a b', '/a?b=c', '/a#b', '/a\nb', '/%2e', '/a@b', '//other.example/health'])(
    'may not ask for %j: it could mean another request, or another host',
    (path) => {
      expect(faults({ ...profile, health: { ...health, path } })).toEqual([
        'health.path: must be a plain path such as /health',
      ]);
    },
  );

  test.each([
    ['web', true],
    ['web.v1', true],
    ['w'.repeat(253), true],
    ['w'.repeat(254), false],
    ['Web', false],
    ['web/1', false],
    ['web.', false],
    ['web..v1', false],
    ['-web', false],
    ['../web', false],
  ])('a workload may be called %j: %s', (name, ok) => {
    const named = {
      ...profile,
      workload: name,
      workloads: { [name]: { kind: 'Deployment', container: 'app' } },
    };
    expect(faults(named).length === 0).toBe(ok);
  });

  test.each([null, undefined, 5, 'shop', [], [profile]])(
    '%j is none, and reading it does not throw',
    (input) => {
      expect(faults(input)).toEqual([expect.stringMatching(/^must be an object/)]);
    },
  );
});
