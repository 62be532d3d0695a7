import { procedures } from '../contracts/procedures.ts';
import type { Risk } from '../contracts/policy.ts';
import type { TargetProfile } from '../contracts/target.ts';

/** One approval that a gate needs: of anyone with one of these roles. Undefined: of anyone at all. */
export type Slot = string[] | undefined;

/** What a gate asks of people. */
export interface GatePolicy {
  slots: Slot[];
  deadlineSeconds: number;
  /** How long before the deadline people are reminded; undefined: never. */
  reminderSeconds: number | undefined;
  /** Who may not approve: whoever asked for the run. */
  requester: string | undefined;
}

/** What a policy depends on. */
export interface PolicyQuestion {
  procedure: string;
  risk: Risk;
  requester: string | undefined;
  /** Someone with a break-glass role must be among those who approve. */
  breakGlass: boolean;
}

/**
 * The policy of one gate: the first rule that matches. Nobody approves what they asked for, so a run whose requester is
 * not known needs one approver more.
 */
export function policyFor(profile: TargetProfile, question: PolicyQuestion): GatePolicy {
  const { approvers, approvals, gate } = profile;
  const { procedure, risk, requester, breakGlass } = question;
  const rule = approvals.rules.find(
    (one) => (one.procedures?.includes(procedure) ?? true) && (one.risk ?? risk) === risk,
  );
  const deadlineSeconds = rule?.deadlineSeconds ?? gate.deadlineSeconds;
  const reminder = rule?.reminderSeconds ?? gate.reminderSeconds;
  const timing = { deadlineSeconds, reminderSeconds: reminder < deadlineSeconds ? reminder : undefined };
  if (Object.keys(approvers).length === 0 && !breakGlass)
    return { ...timing, slots: [undefined], requester: undefined };
  const roles = rule?.need.map(({ role }) => role) ?? rolesOf(profile);
  const slots: Slot[] = rule?.need.flatMap(({ role, count }) => Array<Slot>(count).fill([role])) ?? [roles];
  if (requester === undefined) slots.push(roles);
  return { ...timing, slots: breakGlass ? withBreakGlass(slots, approvals.breakGlass) : slots, requester };
}

/**
 * One of those who approve anyway must be allowed to break the glass; nobody more is needed at three in the morning.
 * Where the rule asks for such a role already, it is that one's place; else the first one becomes theirs.
 */
function withBreakGlass(slots: Slot[], allowed: string[]): Slot[] {
  const both = (slot: Slot): string[] => slot?.filter((role) => allowed.includes(role)) ?? allowed;
  const found = slots.findIndex((slot) => both(slot).length > 0);
  const place = Math.max(found, 0);
  return slots.map((slot, index) => (index !== place ? slot : found < 0 ? allowed : both(slot)));
}

/** Whether one may approve at all under a policy. The refusal is a sentence for them. */
export function refuseApprover(
  profile: TargetProfile,
  policy: GatePolicy,
  person: string,
  approved: string[],
): string | undefined {
  if (isNobody(policy)) return undefined;
  if (!Object.hasOwn(profile.approvers, person)) return notListed(profile, person);
  if (policy.requester !== undefined && samePerson(person, policy.requester))
    return `${person} asked for this run, and nobody approves what they asked for`;
  if (approved.includes(person)) return `${person} has approved already; another person is needed`;
  const before = openSlots(profile, policy.slots, approved).length;
  if (openSlots(profile, policy.slots, [...approved, person]).length < before) return undefined;
  return `${person} has none of the roles that are still needed: ${describeSlots(openSlots(profile, policy.slots, approved))}`;
}

/** Whoever is listed may say no, and so may whoever asked for the run, where a name is all that it takes. */
export function refuseRejecter(
  profile: TargetProfile,
  policy: GatePolicy,
  person: string,
): string | undefined {
  if (isNobody(policy) || Object.hasOwn(profile.approvers, person)) return undefined;
  const asked = policy.requester !== undefined && samePerson(person, policy.requester);
  if (asked && profile.approvals.identity === 'declared') return undefined;
  return notListed(profile, person);
}

function notListed({ target }: TargetProfile, person: string): string {
  return `"${person}" is not among the approvers of target ${target}; give the name as its profile has it`;
}

/** The approvals that are still missing: every person fills one slot at most, as well as they can be dealt out. */
export function openSlots(profile: TargetProfile, slots: Slot[], approved: string[]): Slot[] {
  const takenBy = new Map<number, string>();
  const place = (person: string, tried: Set<number>): boolean => {
    for (const [index, slot] of slots.entries()) {
      if (tried.has(index) || !fits(profile, slot, person)) continue;
      tried.add(index);
      const other = takenBy.get(index);
      if (other !== undefined && !place(other, tried)) continue;
      takenBy.set(index, person);
      return true;
    }
    return false;
  };
  for (const person of new Set(approved)) place(person, new Set());
  return slots.filter((_, index) => !takenBy.has(index));
}

/** Missing approvals in words: "2 approvals of role oncall, 1 of role lead". */
export function describeSlots(slots: Slot[]): string {
  const counts = new Map<string, number>();
  for (const slot of slots) {
    const whom = slot === undefined ? 'anyone' : `role ${[...new Set(slot)].sort().join(' or ')}`;
    counts.set(whom, (counts.get(whom) ?? 0) + 1);
  }
  return [...counts]
    .map(([whom, count]) => `${count} approval${count === 1 ? '' : 's'} of ${whom}`)
    .join(', ');
}

/** Every fault of a policy that nobody could satisfy; each names its place in the profile. */
export function policyFaults(profile: TargetProfile): string[] {
  return [...identityFaults(profile), ...roleFaults(profile), ...satisfiabilityFaults(profile)];
}

function identityFaults({ approvers, approvals }: TargetProfile): string[] {
  const people = Object.entries(approvers);
  const faults =
    approvals.identity === 'signed' && people.length === 0
      ? ['approvers: is empty, although approvals.identity is signed: nobody could approve']
      : [];
  const seen = new Map<string, string>();
  for (const [name, { fingerprint, publicKey }] of people) {
    if (approvals.identity === 'signed' && (fingerprint === undefined || publicKey === undefined))
      faults.push(`approvers.${name}: fingerprint and publicKey are needed with approvals.identity: signed`);
    if (fingerprint === undefined) continue;
    const other = seen.get(fingerprint);
    if (other !== undefined)
      faults.push(`approvers.${name}.fingerprint: is the key of ${other}, too; a key proves one person`);
    seen.set(fingerprint, name);
  }
  for (const [index, [name]] of people.entries())
    for (const [other] of people.slice(0, index))
      if (samePerson(name, other))
        faults.push(`approvers.${name}: differs from ${other} only in capitals; are they one person?`);
  return faults;
}

function roleFaults(profile: TargetProfile): string[] {
  const known = rolesOf(profile);
  const missing = (role: string): boolean => !known.includes(role);
  return [
    ...profile.approvals.rules.flatMap(({ procedures: named = [] }, index) =>
      named
        .filter((name) => !procedures.some(({ workflowType }) => workflowType === name))
        .map((name) => `approvals.rules.${index}.procedures: there is no procedure ${name}`),
    ),
    ...profile.approvals.rules.flatMap(({ need }, index) =>
      need
        .filter(({ role }) => missing(role))
        .map(({ role }) => `approvals.rules.${index}.need: no approver has the role ${role}`),
    ),
    ...profile.approvals.breakGlass
      .filter(missing)
      .map((role) => `approvals.breakGlass: no approver has the role ${role}`),
  ];
}

/** A rule must be satisfiable whoever asks, and also for a run whose requester is not known. */
function satisfiabilityFaults(profile: TargetProfile): string[] {
  const people = Object.keys(profile.approvers);
  if (people.length === 0) return [];
  return [...profile.approvals.rules, undefined].flatMap((rule, index) => {
    const rules = rule === undefined ? [] : [{ need: rule.need }];
    const alone = { ...profile, approvals: { ...profile.approvals, rules } };
    const where = rule === undefined ? 'approvers' : `approvals.rules.${index}.need`;
    const stuck = whoIsStuck(alone, people, false);
    if (stuck !== undefined) return [`${where}: too few approvers ${stuck}`];
    // An overridden guard makes the risk high, so a rule for normal risk never meets one.
    if (profile.approvals.breakGlass.length === 0 || rule?.risk === 'normal') return [];
    const stuckInside = whoIsStuck(alone, people, true);
    return stuckInside === undefined
      ? []
      : [`approvals.breakGlass: too few approvers with such a role (${where}) ${stuckInside}`];
  });
}

/** For whose runs nobody could approve, as the end of a sentence; undefined when there is no such case. */
function whoIsStuck(profile: TargetProfile, people: string[], breakGlass: boolean): string | undefined {
  const isStuck = (requester: string | undefined): boolean => {
    const { slots } = policyFor(profile, { procedure: '', risk: 'high', requester, breakGlass });
    const others = people.filter((person) => person !== requester);
    return openSlots(profile, slots, others).length > 0;
  };
  if (isStuck(undefined)) return 'for a run whose requester is not known, which needs one more';
  const person = people.find(isStuck);
  return person === undefined
    ? undefined
    : `when ${person} asks for a run, since nobody approves what they asked for`;
}

function isNobody({ slots }: GatePolicy): boolean {
  return slots.every((slot) => slot === undefined);
}

function fits(profile: TargetProfile, slot: Slot, person: string): boolean {
  if (slot === undefined) return true;
  const roles = Object.hasOwn(profile.approvers, person) ? profile.approvers[person]?.roles : undefined;
  return roles?.some((role) => slot.includes(role)) ?? false;
}

function rolesOf({ approvers }: TargetProfile): string[] {
  return [...new Set(Object.values(approvers).flatMap(({ roles }) => roles))].sort();
}

function samePerson(left: string, right: string): boolean {
  return left.trim().toLowerCase() === right.trim().toLowerCase();
}
