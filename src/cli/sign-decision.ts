import { readFile } from 'node:fs/promises';
import type { StatementFields } from '../contracts/approval.ts';
import type { Decision, Gate } from '../contracts/run.ts';
import { signingCommand, statementOf } from '../domain/statement.ts';
import { KeyUnusable, mostKeyCharacters, needsPassphrase } from '../encryption/keys.ts';
import { signDetached } from '../encryption/signatures.ts';
import { askSecret } from './ask-secret.ts';
import { UsageError } from './exit-codes.ts';

/** How a decision is signed, as it was typed. */
export interface SignOptions {
  /** File with an armored private key. */
  sign?: string;
  passphraseFile?: string;
}

/**
 * The decision with a signature where the gate asks for one. Nothing is sent, and nothing of the key is shown or kept.
 * @throws UsageError: a signature is missing, or not wanted; a key that cannot be read, opened or used
 */
export async function signDecision(
  workflowId: string,
  gate: Gate,
  decision: Decision,
  { sign, passphraseFile }: SignOptions,
  ask: (question: string) => Promise<string> = askSecret,
): Promise<Decision> {
  if (passphraseFile !== undefined && sign === undefined)
    throw new UsageError('--passphrase-file goes with --sign FILE');
  const fields = fieldsOf(workflowId, gate, decision);
  if (!gate.signed) {
    if (sign === undefined) return decision;
    throw new UsageError('this run takes decisions without a signature; leave --sign out');
  }
  if (sign === undefined) throw new UsageError(howToSign(fields, decision));
  const key = await readKey(sign);
  try {
    const passphrase = (await needsPassphrase(key))
      ? await passphraseFor(sign, passphraseFile, ask)
      : undefined;
    return { ...decision, signature: await signDetached(statementOf(fields), key, passphrase) };
  } catch (error) {
    if (error instanceof KeyUnusable) throw new UsageError(`--sign ${sign}: ${error.message}`);
    throw error;
  }
}

function fieldsOf(workflowId: string, gate: Gate, { decision, reason }: Decision): StatementFields {
  return {
    workflowId,
    runId: gate.runId,
    gate: gate.id,
    planHash: gate.planHash,
    decision,
    ...(reason === undefined ? {} : { reason }),
  };
}

function howToSign(fields: StatementFields, decision: Decision): string {
  const example = { ...decision, signature: 'WHAT THE COMMAND PRINTED' };
  return `this run takes signed decisions only. Either add --sign FILE, with your armored private key; or sign with your own gpg:

${signingCommand(fields)}

and paste this into the Temporal UI (More Actions, Send an Update, decide):

${JSON.stringify(example)}
`;
}

async function readKey(file: string): Promise<string> {
  const key = await readText('--sign', file);
  if (key.length > mostKeyCharacters) throw new UsageError(`--sign ${file}: this is too large for a key`);
  return key;
}

async function passphraseFor(
  key: string,
  file: string | undefined,
  ask: (question: string) => Promise<string>,
): Promise<string> {
  if (file === undefined) return await ask(`Passphrase of ${key}: `);
  // An editor ends the line; a passphrase does not.
  return (await readText('--passphrase-file', file)).replace(/\r?\n$/, '');
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`${option} ${file}: cannot be read (${code ?? 'unknown'})`);
  }
}
