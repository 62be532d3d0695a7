import { describe, expect, test } from '@jest/globals';
import { drillPolicySchema } from '../../src/contracts/drill-policy.ts';
import type { DrillFindings, DrillTimes } from '../../src/contracts/drill.ts';
import type { RecoveryPlan } from '../../src/contracts/recovery.ts';
import type { Proof } from '../../src/contracts/run.ts';
import { drillAnnotations } from '../../src/contracts/names.ts';
import { isForgotten, scratchObjects } from '../../src/domain/drill-scratch.ts';
import { drillOptions, measure, proofOfRestore, resultOfDrill, scratchName } from '../../src/domain/drill.ts';

const limits = { rtoSeconds: 900, rpoSeconds: 3600 };
const times: DrillTimes = {
  startedAt: '2026-03-01T05:00:00.000Z',
  backupStartedAt: '2026-03-01T04:00:00.000Z',
  restoreStartedAt: '2026-03-01T05:01:00.000Z',
  provenAt: '2026-03-01T05:16:00.000Z',
};
const verdicts = (change: Partial<DrillTimes>): string[] =>
  measure({ ...times, ...change }, limits).proofs.map(({ verdict }) => verdict);

describe('what a drill measures', () => {
  test.each([
    ['under', { provenAt: '2026-03-01T05:15:59.000Z', backupStartedAt: '2026-03-01T04:00:01.000Z' }, 'pass'],
    ['exactly', {}, 'pass'],
    ['over', { provenAt: '2026-03-01T05:16:00.001Z', backupStartedAt: '2026-03-01T03:59:59.999Z' }, 'fail'],
    ['missing', { provenAt: undefined, backupStartedAt: undefined }, 'unknown'],
    ['never begun', { restoreStartedAt: undefined, backupStartedAt: undefined }, 'unknown'],
    [
      'backwards',
      { provenAt: '2026-03-01T05:00:59.000Z', backupStartedAt: '2026-03-01T05:00:01.000Z' },
      'unknown',
    ],
    ['no time', { provenAt: 'soon', backupStartedAt: '' }, 'unknown'],
  ])('%s what is allowed', (_case, change, verdict) => {
    expect(verdicts(change)).toEqual([verdict, verdict]);
  });
});

describe('the result of a drill', () => {
  const pass: Proof = { name: 'p', verdict: 'pass', evidence: [] };
  const scratch = {
    target: 'alecs',
    run: { workflowId: 'w', firstRunId: '01234567-89ab-7cde-8f01-23456789abcd' },
  };
  const findings = (proofs: Proof[], change: Partial<DrillTimes> = {}): DrillFindings => ({
    times: { ...times, ...change },
    backup: { backupId: 'b' } as DrillFindings['backup'],
    objects: 3,
    proofs,
  });

  test('passes only when everything was proven, in time', () => {
    expect(resultOfDrill(scratch, findings([pass]), limits)).toEqual({
      version: 'drill/1',
      target: 'alecs',
      id: '6789abcd',
      startedAt: times.startedAt,
      verdict: 'pass',
      backupId: 'b',
      recoverySeconds: 900,
      rtoSeconds: 900,
      dataLossSeconds: 3600,
      rpoSeconds: 3600,
      objects: 3,
      findings: [],
    });
  });

  test.each([
    ['a proof that failed', findings([pass, { ...pass, verdict: 'fail' }])],
    ['a proof that stayed unknown', findings([pass, { ...pass, verdict: 'unknown' }])],
    ['no proof at all', findings([])],
    ['an RTO that was missed', findings([pass], { provenAt: '2026-03-01T06:00:00.000Z' })],
    ['an RPO that was missed', findings([pass], { backupStartedAt: '2026-02-01T04:00:00.000Z' })],
    ['a time that is not known', findings([pass], { provenAt: undefined })],
  ])('fails with %s', (_case, found) => {
    expect(resultOfDrill(scratch, found, limits).verdict).toBe('fail');
  });
});

describe('a restore', () => {
  const counts = { blocked: 0, conflict: 0, update: 0, create: 3, leftOut: 2, unchanged: 0 };
  const plan = (change: Partial<typeof counts> = {}, partial = false): RecoveryPlan =>
    ({ backup: { partial }, counts: { ...counts, ...change } }) as RecoveryPlan;
  const outcome = { written: 3, same: 0, troubles: 0, first: [] };

  test('of everything passes', () => {
    expect(proofOfRestore(plan(), outcome).verdict).toBe('pass');
  });

  test.each([
    ['nothing', plan({ create: 0 }), { ...outcome, written: 0 }, 'nothing was restored'],
    ['all but one', plan(), { written: 2, same: 0, troubles: 1, first: ['ConfigMap x'] }, 'ConfigMap x'],
    ['less than the backup has', plan({ blocked: 1 }), outcome, '1 object cannot be restored'],
    ['what somebody else has', plan({ conflict: 1 }), outcome, '1 object cannot be restored'],
    ['a PARTIAL backup', plan({}, true), outcome, 'PARTIAL'],
  ])('of %s fails', (_case, planned, came, words) => {
    const { verdict, evidence } = proofOfRestore(planned, came);
    expect(verdict).toBe('fail');
    expect(evidence.join()).toContain(words);
  });
});

describe('the namespace of a drill', () => {
  const run = { firstRunId: '01234567-89ab-7cde-8f01-23456789abcd' };
  const now = Date.parse('2026-03-02T05:00:00.000Z');
  const namespace = (annotations: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'n', annotations },
  });

  test.each([
    ['alecs', 'drill-alecs-6789abcd'],
    ['a'.repeat(63), `drill-${'a'.repeat(48)}-6789abcd`],
    [`${'a'.repeat(47)}-bcd`, `drill-${'a'.repeat(47)}-6789abcd`],
  ])('of target %s has a name that Kubernetes takes', (target, name) => {
    expect(scratchName(target, run)).toBe(name);
    expect(name.length).toBeLessThanOrEqual(63);
  });

  test('is cut off, limited, and ours', () => {
    const scratch = {
      name: 'd',
      target: 'alecs',
      run: { workflowId: 'w', ...run },
      startedAt: times.startedAt,
    };
    const policy = drillPolicySchema.parse({});
    const kinds = scratchObjects(scratch, 'default/c', policy);
    expect(kinds.map(({ kind }) => kind)).toEqual([
      'Namespace',
      'NetworkPolicy',
      'LimitRange',
      'ResourceQuota',
    ]);
    const quotaWith = (allowEmptyClaims: boolean): unknown =>
      scratchObjects(scratch, 'default/c', { ...policy, allowEmptyClaims })[3]?.['spec'];
    expect(quotaWith(false)).toMatchObject({ hard: { persistentvolumeclaims: '0' } });
    expect(quotaWith(true)).toMatchObject({ hard: { persistentvolumeclaims: '20' } });
    expect(drillOptions(scratch, policy)).toMatchObject({
      purpose: 'drill',
      into: 'd',
      clusterScoped: false,
    });
  });

  const ours = {
    [drillAnnotations.workflowId]: 'w',
    [drillAnnotations.temporal]: 'default/c',
    [drillAnnotations.startedAt]: '2026-03-01T04:59:59.999Z',
  };
  test.each([
    ['a day and a moment', ours, true],
    ['exactly a day', { ...ours, [drillAnnotations.startedAt]: '2026-03-01T05:00:00.000Z' }, false],
    ['of another Temporal', { ...ours, [drillAnnotations.temporal]: 'default/other' }, false],
    ['of a time that nobody knows', { ...ours, [drillAnnotations.startedAt]: 'then' }, false],
    ['without marks', {}, false],
  ])('that is left over: %s', (_case, annotations, forgotten) => {
    expect(isForgotten(namespace(annotations), 'default/c', now)).toBe(forgotten);
  });
});
