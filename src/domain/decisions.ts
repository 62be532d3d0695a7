import type { Decision, Gate } from '../contracts/run.ts';
import { excerpt } from './text.ts';

/** What a gate says to a decision. The refusal is a sentence for the person who sent it. */
export type Judgement = { ok: true; decision: Decision } | { ok: false; refusal: string };

/** Where the run is, as far as decisions care. */
export interface GateSituation {
  gate: Gate | undefined;
  /** Gates that were answered already, with what came out. */
  closed: { id: string; result: string }[];
  currentStep: string;
  now: number;
  /** Why the policy does not take this person's approval, if it does not. */
  refuseApprover: (person: string) => string | undefined;
  /** The same for a rejection. */
  refuseRejecter: (person: string) => string | undefined;
}

const knownFields = ['decision', 'gate', 'planHash', 'approver', 'reason', 'signature'];

/** A clear-signed statement with an RSA key of 4096 bits has about 1.5 KB. */
const longestSignature = 8 * 1024;
const placeholder = /^(your name|name|\.{3}|…)$/i;

/**
 * Judges what arrived as a decision. `implied` is what the signals `approve` and `reject` mean by their name.
 * Everything a person can get wrong has its own sentence; nothing of the input is trusted or echoed at length.
 */
export function judgeDecision(
  input: unknown,
  situation: GateSituation,
  implied?: Decision['decision'],
): Judgement {
  const { gate } = situation;
  if (gate === undefined) return refuse(noGate(situation));
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return refuse(`a decision is one JSON object, for example ${exampleFor(gate, implied)}`);
  }
  const fields = input as Record<string, unknown>;
  const unknown = Object.keys(fields).filter((key) => !knownFields.includes(key));
  if (unknown.length > 0)
    return refuse(
      `unknown field "${excerpt(unknown[0] ?? '')}" in the decision; it has ${knownFields.join(', ')}`,
    );
  const decision = implied ?? fields.decision;
  if (decision !== 'approve' && decision !== 'reject')
    return refuse('decision must be "approve" or "reject"');
  if (fields.decision !== undefined && fields.decision !== decision) {
    return refuse(
      `the signal ${decision} carries decision: "${excerpt(printable(fields.decision))}"; nothing was decided`,
    );
  }
  if (typeof fields.gate !== 'string') return refuse(`gate is missing: this run waits at gate "${gate.id}"`);
  if (fields.gate !== gate.id) return refuse(foreignGate(fields.gate, situation, gate));
  if (typeof fields.planHash !== 'string')
    return refuse(`planHash is missing: this run waits for ${gate.planHash}`);
  if (fields.planHash !== gate.planHash) {
    return refuse(
      `plan hash does not match: this run waits for ${gate.planHash}. Read the plan that the run shows now, then decide again`,
    );
  }
  // Negated, so that a deadline that cannot be read counts as passed.
  if (!(situation.now < Date.parse(gate.deadline)))
    return refuse(`the deadline of gate "${gate.id}" has passed (${gate.deadline})`);
  const approver = readLine(fields.approver, 100);
  if (approver === undefined || placeholder.test(approver) || !/[\p{L}\p{N}]/u.test(approver))
    return refuse('approver must be your own name, one line of at most 100 characters');
  const refusal =
    decision === 'approve' ? situation.refuseApprover(approver) : situation.refuseRejecter(approver);
  if (refusal !== undefined) return refuse(refusal);
  const taken: Decision = { decision, gate: gate.id, planHash: gate.planHash, approver };
  const fault = readReason(fields.reason, gate, taken) ?? readSignature(fields.signature, gate, taken);
  return fault === undefined ? { ok: true, decision: taken } : refuse(fault);
}

function readReason(sent: unknown, { signed }: Gate, decision: Decision): string | undefined {
  if (sent === undefined) return undefined;
  const reason = readLine(sent, 200);
  if (reason === undefined) return 'reason must be one line of at most 200 characters';
  if (signed && /['"`\\]/.test(reason))
    return 'reason must have no quotes and no backslashes, since it is signed';
  decision.reason = reason;
  return undefined;
}

function readSignature(sent: unknown, { signed }: Gate, decision: Decision): string | undefined {
  if (!signed)
    return sent === undefined
      ? undefined
      : 'leave the signature out: this target believes declared names, and a signature that nobody checks would look like more';
  if (typeof sent !== 'string' || sent.trim() === '')
    return 'signature is missing: this target takes signed decisions only. Sign the statement that the run shows, or use runbook approve --sign';
  if (sent.length > longestSignature) return `signature is longer than ${longestSignature} characters`;
  decision.signature = sent;
  return undefined;
}

/** The exact JSON that a person pastes to decide; only the name is left to fill in. */
export function exampleFor(gate: Gate, implied?: Decision['decision']): string {
  const named = {
    gate: gate.id,
    planHash: gate.planHash,
    approver: 'YOUR NAME',
    // A reason would be part of what is signed; the command shown beside it signs none.
    ...(gate.signed ? { signature: 'WHAT THE COMMAND PRINTED' } : { reason: 'why' }),
  };
  return JSON.stringify(implied === undefined ? { decision: 'approve', ...named } : named);
}

function noGate({ closed, currentStep }: GateSituation): string {
  const last = closed.at(-1);
  if (last !== undefined) return `gate "${last.id}" was decided already: ${last.result}`;
  return `no gate is open: the run is at "${currentStep}". Wait until it shows a gate, then decide`;
}

function foreignGate(sent: string, { closed }: GateSituation, gate: Gate): string {
  const earlier = closed.find((one) => one.id === sent);
  if (earlier !== undefined)
    return `gate "${earlier.id}" was decided already: ${earlier.result}; this run waits at gate "${gate.id}"`;
  return `this run waits at gate "${gate.id}", not at "${excerpt(sent)}"`;
}

function readLine(value: unknown, most: number): string | undefined {
  if (typeof value !== 'string') return undefined;
  const line = value.trim();
  return line.length > 0 && line.length <= most && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(line)
    ? line
    : undefined;
}

function printable(value: unknown): string {
  return typeof value === 'string' ? value : typeof value;
}

function refuse(refusal: string): Judgement {
  return { ok: false, refusal };
}
