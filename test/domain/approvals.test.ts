import { describe, expect, test } from '@jest/globals';
import { targetProfileSchema, type TargetProfile } from '../../src/contracts/target.ts';
import {
  describeSlots,
  openSlots,
  policyFaults,
  policyFor,
  refuseApprover,
  type GatePolicy,
} from '../../src/domain/approvals.ts';

const fingerprint = (digit: string): string => digit.repeat(40);

function profileWith(approvers: unknown, approvals: unknown = {}, gate: unknown = {}): TargetProfile {
  return targetProfileSchema.parse({
    target: 'web',
    namespace: 'web',
    workload: 'web',
    workloads: { web: { kind: 'Deployment', container: 'web' } },
    health: { via: 'port-forward', path: '/health', port: 80 },
    approvers,
    approvals,
    gate,
  });
}

const oncall = (...people: string[]): Record<string, { roles: string[] }> =>
  Object.fromEntries(people.map((person) => [person, { roles: ['oncall'] }]));

function policyOf(profile: TargetProfile, change: Partial<Parameters<typeof policyFor>[1]> = {}): GatePolicy {
  const asked = {
    procedure: 'rollingUpdate',
    risk: 'normal',
    requester: 'someone',
    breakGlass: false,
  } as const;
  return policyFor(profile, { ...asked, ...change });
}

describe('the policy of a gate', () => {
  test('without approvers is one decision of anyone, whoever asked', () => {
    const profile = profileWith({});
    for (const requester of [undefined, 'alice'])
      expect(policyOf(profile, { requester })).toMatchObject({ slots: [undefined], requester: undefined });
  });

  test('without rules is one approver of any role', () => {
    const profile = profileWith({ ...oncall('alice', 'bob', 'carol'), dave: { roles: ['lead'] } });
    expect(policyOf(profile).slots).toEqual([['lead', 'oncall']]);
  });

  test('is the first rule that matches procedure and risk', () => {
    const profile = profileWith(oncall('alice', 'bob', 'carol', 'dave', 'erin'), {
      rules: [
        { procedures: ['rollback'], need: [{ role: 'oncall' }], deadlineSeconds: 60, reminderSeconds: 10 },
        { risk: 'high', need: [{ role: 'oncall', count: 3 }] },
        { need: [{ role: 'oncall', count: 2 }] },
      ],
    });
    expect(policyOf(profile).slots).toHaveLength(2);
    expect(policyOf(profile, { risk: 'high' }).slots).toHaveLength(3);
    expect(policyOf(profile, { procedure: 'rollback', risk: 'high' })).toMatchObject({
      slots: [['oncall']],
      deadlineSeconds: 60,
      reminderSeconds: 10,
    });
  });

  test('needs one approver more when nobody knows who asked', () => {
    const profile = profileWith(oncall('alice', 'bob', 'carol'));
    expect(policyOf(profile).slots).toHaveLength(1);
    expect(policyOf(profile, { requester: undefined }).slots).toHaveLength(2);
  });

  test.each([
    [899, undefined],
    [900, undefined],
    [901, 900],
  ])('with a deadline of %s s reminds %s s before it', (deadlineSeconds, reminderSeconds) => {
    expect(policyOf(profileWith({}, {}, { deadlineSeconds }))).toMatchObject({ reminderSeconds });
  });

  test('that breaks the glass needs someone who may among the same number of people', () => {
    const profile = profileWith(
      { ...oncall('alice', 'bob', 'carol'), dave: { roles: ['lead'] } },
      { rules: [{ need: [{ role: 'oncall', count: 2 }] }], breakGlass: ['lead'] },
    );
    expect(policyOf(profile, { breakGlass: true }).slots).toEqual([['lead'], ['oncall']]);
  });

  test.each([
    ['in a later place', [['oncall'], ['lead']], 'someone', [['oncall'], ['lead']]],
    ['in the first place', [['lead'], ['oncall']], 'someone', [['lead'], ['oncall']]],
    [
      'and a third is, since nobody knows who asked',
      [['oncall'], ['lead']],
      undefined,
      [['oncall'], ['lead'], ['oncall', 'lead']],
    ],
  ])('that breaks the glass asks for nobody twice whose role is needed %s', (_, need, requester, slots) => {
    const profile = profileWith(
      { ...oncall('alice', 'bob'), dave: { roles: ['lead'] }, erin: { roles: ['lead'] } },
      { rules: [{ need: need.flat().map((role) => ({ role })) }], breakGlass: ['lead'] },
    );
    expect(policyOf(profile, { breakGlass: true, risk: 'high', requester }).slots).toEqual(slots);
  });

  test('that breaks the glass can be satisfied by nobody where no role may', () => {
    for (const approvers of [{}, oncall('alice', 'bob')]) {
      const profile = profileWith(approvers);
      const { slots } = policyOf(profile, { breakGlass: true });
      expect(openSlots(profile, slots, ['alice', 'bob'])).not.toEqual([]);
    }
  });
});

describe('approvals', () => {
  test('are dealt out so that as many slots as possible are filled', () => {
    const profile = profileWith({ alice: { roles: ['oncall', 'lead'] }, bob: { roles: ['oncall'] } });
    const slots = [['oncall'], ['lead']];
    // Alice would fill the first slot, too; then Bob could fill none.
    expect(openSlots(profile, slots, ['alice', 'bob'])).toEqual([]);
    expect(openSlots(profile, slots, ['bob', 'alice'])).toEqual([]);
  });

  test('of the same person count once', () => {
    const profile = profileWith(oncall('alice', 'bob'));
    expect(openSlots(profile, [['oncall'], ['oncall']], ['alice', 'alice'])).toHaveLength(1);
  });

  test.each(['__proto__', 'constructor', 'toString', 'mallory'])(
    'of "%s", who is not listed, count for nothing',
    (person) => {
      const profile = profileWith(oncall('alice', 'bob'));
      expect(openSlots(profile, [['oncall']], [person])).toHaveLength(1);
      expect(refuseApprover(profile, policyOf(profile), person, [])).toContain('is not among the approvers');
    },
  );

  test('of whoever asked for the run are refused, however the name is written', () => {
    const profile = profileWith(oncall('alice', 'bob'));
    const policy = policyOf(profile, { requester: ' Alice ' });
    expect(refuseApprover(profile, policy, 'alice', [])).toContain('nobody approves what they asked for');
    expect(refuseApprover(profile, policy, 'bob', [])).toBeUndefined();
  });

  test('of someone who has approved already, or whose roles are not needed any more, are refused', () => {
    const profile = profileWith({ ...oncall('alice', 'bob'), dave: { roles: ['lead'] } });
    const policy = { ...policyOf(profile), slots: [['oncall'], ['lead']] };
    expect(refuseApprover(profile, policy, 'alice', ['alice'])).toContain('has approved already');
    expect(refuseApprover(profile, policy, 'bob', ['alice'])).toContain('1 approval of role lead');
    expect(refuseApprover(profile, policy, 'dave', ['alice'])).toBeUndefined();
  });

  test('where nobody is listed are of anyone', () => {
    const profile = profileWith({});
    expect(refuseApprover(profile, policyOf(profile), 'whoever', [])).toBeUndefined();
  });

  test('that are missing are named', () => {
    expect(describeSlots([['oncall'], ['oncall'], ['lead', 'oncall'], undefined])).toBe(
      '2 approvals of role oncall, 1 approval of role lead or oncall, 1 approval of anyone',
    );
  });
});

describe('a policy is refused when it is loaded', () => {
  const signed = { roles: ['oncall'], fingerprint: fingerprint('A'), publicKey: 'keys/a.asc' };

  test.each([
    ['when one approver is all there is', oncall('alice'), {}, 'too few approvers for a run whose requester'],
    [
      'when only as many are listed as are needed',
      oncall('alice', 'bob'),
      { rules: [{ need: [{ role: 'oncall', count: 2 }] }] },
      'approvals.rules.0.need: too few approvers for a run whose requester is not known',
    ],
    [
      'when the only one of a role may be the one who asks',
      { ...oncall('alice', 'bob', 'carol'), dave: { roles: ['lead', 'oncall'] } },
      { rules: [{ need: [{ role: 'lead' }] }] },
      'too few approvers',
    ],
    [
      'when nobody has a role that is needed',
      oncall('alice', 'bob'),
      { rules: [{ need: [{ role: 'lead' }] }] },
      'no approver has the role lead',
    ],
    [
      'when nobody has a role that may break the glass',
      oncall('alice', 'bob'),
      { breakGlass: ['lead'] },
      'approvals.breakGlass: no approver has the role lead',
    ],
    [
      'when the only one who may break the glass may be the one who asks',
      { ...oncall('alice', 'bob', 'carol'), dave: { roles: ['lead'] } },
      { breakGlass: ['lead'] },
      'approvals.breakGlass: too few approvers with such a role (approvers) when dave asks',
    ],
    [
      'when the glass can be broken under one rule and not under another',
      { ...oncall('alice', 'bob', 'carol'), dave: { roles: ['lead'] } },
      {
        rules: [{ risk: 'normal', need: [{ role: 'oncall' }] }, { need: [{ role: 'oncall' }] }],
        breakGlass: ['lead'],
      },
      'approvals.breakGlass: too few approvers with such a role (approvals.rules.1.need) when dave asks',
    ],
    [
      'when a rule is about a procedure that does not exist',
      oncall('alice', 'bob'),
      { rules: [{ procedures: ['rollBack'], need: [{ role: 'oncall' }] }] },
      'there is no procedure rollBack',
    ],
    ['when signatures are asked of nobody', {}, { identity: 'signed' }, 'approvers: is empty'],
    [
      'when an approver has no key to sign with',
      { alice: signed, bob: { roles: ['oncall'] } },
      { identity: 'signed' },
      'approvers.bob: fingerprint and publicKey are needed',
    ],
    [
      'when one key is two people',
      { alice: signed, bob: { ...signed, publicKey: 'keys/b.asc' } },
      { identity: 'signed' },
      'approvers.bob.fingerprint: is the key of alice',
    ],
    ['when two names may be one person', oncall('alice', 'Alice', 'bob'), {}, 'differs from'],
  ])('%s', (_, approvers, approvals, fault) => {
    expect(policyFaults(profileWith(approvers, approvals)).join('\n')).toContain(fault);
  });

  test.each([
    ['without approvers', {}, {}],
    [
      'with one more than are needed',
      oncall('alice', 'bob', 'carol'),
      { rules: [{ need: [{ role: 'oncall', count: 2 }] }] },
    ],
    ['with two, of whom one may have asked', oncall('alice', 'bob'), {}],
    [
      'as the page about approvals has it, also when a lead asks for a break-glass',
      {
        'Ann Lee': { roles: ['oncall', 'lead'] },
        'Bob Ray': { roles: ['oncall'] },
        'Cleo Tan': { roles: ['oncall'] },
        'Dan Wu': { roles: ['lead'] },
      },
      {
        rules: [
          { procedures: ['rollback'], need: [{ role: 'oncall' }] },
          { risk: 'high', need: [{ role: 'oncall' }, { role: 'lead' }] },
          { need: [{ role: 'oncall', count: 2 }] },
        ],
        breakGlass: ['lead'],
      },
    ],
    [
      'with one who may break the glass, where the only rule is for normal risk and another one for high',
      { ...oncall('alice', 'bob', 'carol'), dave: { roles: ['lead'] }, erin: { roles: ['lead', 'oncall'] } },
      {
        rules: [
          { risk: 'normal', need: [{ role: 'oncall', count: 2 }] },
          { risk: 'high', need: [{ role: 'lead' }] },
        ],
        breakGlass: ['lead'],
      },
    ],
    [
      'with keys',
      { alice: signed, bob: { ...signed, fingerprint: fingerprint('B') } },
      { identity: 'signed' },
    ],
  ])('but not %s', (_, approvers, approvals) => {
    expect(policyFaults(profileWith(approvers, approvals))).toEqual([]);
  });
});
