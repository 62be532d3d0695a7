import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signDecision } from '../../../src/cli/sign-decision.ts';
import { UsageError } from '../../../src/cli/exit-codes.ts';
import type { Decision } from '../../../src/contracts/run.ts';
import { statementOf } from '../../../src/domain/statement.ts';
import { generateSigningKey } from '../../../src/encryption/key-pairs.ts';
import { verifyStatement } from '../../../src/encryption/signatures.ts';
import { aGate } from '../../support/builders.ts';

const gate = aGate({ signed: true, runId: 'run-1' });
const decision: Decision = { decision: 'approve', gate: gate.id, planHash: gate.planHash, approver: 'Ann' };
const folder = mkdtempSync(join(tmpdir(), 'runbook-signing-'));
const file = (name: string): string => join(folder, name);
const nobodyAsks: (question: string) => Promise<string> = () =>
  Promise.reject(new Error('asked for a passphrase'));

let openKey = { privateKey: '', publicKey: '', fingerprint: '' };
let lockedKey = openKey;
beforeAll(async () => {
  openKey = await generateSigningKey({ name: 'Ann' });
  lockedKey = await generateSigningKey({ name: 'Ann' }, 'open sesame');
  writeFileSync(file('open.asc'), openKey.privateKey);
  writeFileSync(file('locked.asc'), lockedKey.privateKey);
  writeFileSync(file('public.asc'), openKey.publicKey);
  writeFileSync(file('passphrase'), 'open sesame\n');
  writeFileSync(file('wrong'), 'canary-4711\n');
  writeFileSync(file('large.asc'), 'x'.repeat(300 * 1024));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const sign = (options: Parameters<typeof signDecision>[3], ask = nobodyAsks, taken = decision) =>
  signDecision('update-1', gate, taken, options, ask);

async function usageOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((thrown: unknown) => thrown);
  if (error instanceof UsageError) return error.message;
  throw new Error(`expected a UsageError, not ${String(error)}`);
}

async function expectGood(signed: Decision, publicKey: string): Promise<void> {
  const { signature = '', reason, ...rest } = signed;
  const fields = {
    workflowId: 'update-1',
    runId: 'run-1',
    ...rest,
    ...(reason === undefined ? {} : { reason }),
  };
  const text = statementOf(fields);
  expect(await verifyStatement({ candidates: [text], signature, publicKey, now: new Date() })).toMatchObject({
    text,
  });
}

describe('a decision is signed', () => {
  test('with a key that is not locked, and nobody is asked', async () => {
    const signed = await sign({ sign: file('open.asc') });
    expect(signed).toEqual({ ...decision, signature: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) });
    await expectGood(signed, openKey.publicKey);
  });

  test('with its reason', async () => {
    const signed = await sign({ sign: file('open.asc') }, nobodyAsks, { ...decision, reason: 'the fix 🚒' });
    await expectGood(signed, openKey.publicKey);
  });

  test('with a locked key and its passphrase, from a file or from whom it asks', async () => {
    const asked: string[] = [];
    const ask = (question: string): Promise<string> => {
      asked.push(question);
      return Promise.resolve('open sesame');
    };
    await expectGood(await sign({ sign: file('locked.asc') }, ask), lockedKey.publicKey);
    expect(asked).toEqual([`Passphrase of ${file('locked.asc')}: `]);
    await expectGood(
      await sign({ sign: file('locked.asc'), passphraseFile: file('passphrase') }),
      lockedKey.publicKey,
    );
  });
});

test('a gate that takes names as they are given gets no signature, and refuses one', async () => {
  const declared = aGate({ signed: false });
  expect(await signDecision('update-1', declared, decision, {})).toEqual(decision);
  expect(await usageOf(signDecision('update-1', declared, decision, { sign: file('open.asc') }))).toMatch(
    /leave --sign out/,
  );
});

test('without a key, both ways are shown: --sign, and a command with what to paste', async () => {
  const answer = await usageOf(sign({}));
  expect(answer).toMatch(/add --sign FILE/);
  const [command] = /^printf .*$/m.exec(answer) ?? [];
  const [json = ''] = /^\{.*\}$/m.exec(answer) ?? [];
  expect(JSON.parse(json)).toEqual({ ...decision, signature: 'WHAT THE COMMAND PRINTED' });
  // What stands before the first pipe prints the statement.
  const printed = execFileSync('sh', ['-c', command?.split(' | ')[0] ?? ''], { encoding: 'utf8' });
  expect(printed).toBe(statementOf({ workflowId: 'update-1', runId: 'run-1', ...decision }));
});

test.each([
  ['a file that is missing', { sign: 'nowhere.asc' }, /--sign .*nowhere\.asc: cannot be read \(ENOENT\)/],
  ['a file that is far too large', { sign: 'large.asc' }, /too large for a key/],
  ['a public key', { sign: 'public.asc' }, /public\.asc: it is no private key/],
  ['what is no key', { sign: 'passphrase' }, /it is no private key/],
  ['a wrong passphrase', { sign: 'locked.asc', passphraseFile: 'wrong' }, /passphrase does not open the key/],
  [
    'no file of a passphrase',
    { sign: 'locked.asc', passphraseFile: 'x' },
    /--passphrase-file .*cannot be read/,
  ],
  ['a passphrase without a key', { passphraseFile: 'passphrase' }, /goes with --sign/],
])('%s is a mistake of usage', async (_what, options, sentence) => {
  const paths = Object.fromEntries(Object.entries(options).map(([name, value]) => [name, file(value)]));
  const answer = await usageOf(sign(paths));
  expect(answer).toMatch(sentence);
  expect(answer).not.toMatch(/canary|sesame|BEGIN/);
});
