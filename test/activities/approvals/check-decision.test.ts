import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApprovalActivities } from '../../../src/activities/approvals/index.ts';
import { loadTarget } from '../../../src/activities/targets/profiles.ts';
import type { CheckedDecision, DecisionToCheck } from '../../../src/contracts/approval.ts';
import { statementOf } from '../../../src/domain/statement.ts';
import { GnuPg, hasGnuPg } from '../../encryption/support/gnupg.ts';
import { act, failureOf, textOf } from '../support/run-activity.ts';

const minute = 60_000;
const root = mkdtempSync(join(tmpdir(), 'runbook-approvals-'));
const folder = join(root, 'targets');
const describeWithGnuPg = hasGnuPg ? describe : describe.skip;

const activities = createApprovalActivities({
  loadTarget: (name) => loadTarget(folder, name, undefined),
  targetsFolder: folder,
});
const check = (asked: DecisionToCheck): Promise<CheckedDecision> =>
  act((input: DecisionToCheck) => activities.checkDecision(input), asked);
const digestNow = async (): Promise<string> => (await loadTarget(folder, 'shop', undefined)).digest;

/** Writes the profile; each line of `approvers` is YAML. */
function writeProfile(approvers: string[], identity?: 'declared' | 'signed'): void {
  const profile = [
    'target: shop',
    'namespace: shop',
    'workload: web',
    'workloads: { web: { kind: Deployment, container: main } }',
    'health: { via: port-forward, path: /health, port: 8080 }',
    ...(approvers.length === 0 ? [] : ['approvers:', ...approvers.map((line) => `  ${line}`)]),
    ...(identity === undefined ? [] : [`approvals: { identity: ${identity} }`]),
  ];
  writeFileSync(join(folder, 'shop.yaml'), `${profile.join('\n')}\n`);
}

async function asked(change: Partial<DecisionToCheck> = {}, approver = 'Ann'): Promise<DecisionToCheck> {
  const planHash = 'a'.repeat(64);
  return {
    target: 'shop',
    digest: await digestNow(),
    decision: { decision: 'approve', gate: 'gate-1', planHash, approver },
    statement: { workflowId: 'update-1', gate: 'gate-1', planHash, decision: 'approve' },
    runIds: ['run-2', 'run-1'],
    openedAt: new Date(Date.now() - minute).toISOString(),
    ...change,
  };
}

beforeEach(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'keys'), { recursive: true });
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

describe('a declared decision', () => {
  const people = ['Ann: { roles: [lead] }', 'Bob: { roles: [lead] }', 'Cid: { roles: [lead] }'];

  test('is taken from anyone where nobody is listed', async () => {
    writeProfile([]);
    expect(await check(await asked({}, 'whoever'))).toEqual({ person: 'whoever', identity: 'declared' });
  });

  test('is taken from those who are listed, by the name as it is written', async () => {
    writeProfile(people);
    expect(await check(await asked())).toEqual({ person: 'Ann', identity: 'declared' });
    for (const name of ['ann', 'Eve', 'ANN', 'constructor', '__proto__', 'Ann\u200b']) {
      const failure = await failureOf(check(await asked({}, name)));
      expect([name, failure.type, failure.nonRetryable]).toEqual([name, 'InvalidRequest', true]);
      expect(failure.message).toMatch(/is not among the approvers of target shop; give the name exactly/);
    }
  });

  test('counts under the profile that the plan was made with, and no other', async () => {
    writeProfile(people);
    const before = await asked();
    writeProfile([...people, 'Dot: { roles: [lead] }']);
    const failure = await failureOf(check(before));
    expect([failure.type, failure.nonRetryable]).toEqual(['ProfileChanged', true]);
    expect(failure.message).toMatch(/was changed since this plan was made; look at the new plan/);
    const { digest: _digest, ...underTheLock } = before;
    expect(await check(underTheLock)).toMatchObject({ person: 'Ann' });
  });

  test('for a profile that is gone is NotFound', async () => {
    writeProfile(people);
    const before = await asked();
    rmSync(join(folder, 'shop.yaml'));
    expect((await failureOf(check(before))).type).toBe('NotFound');
  });
});

describeWithGnuPg('a signed decision', () => {
  let gpg: GnuPg;
  const prints: Record<string, string> = {};

  beforeAll(() => {
    gpg = new GnuPg();
    for (const name of ['Ann', 'Bob', 'Cid'])
      prints[name] = gpg.makeKey(name, { at: new Date(Date.now() - 30 * 24 * 60 * minute) });
  }, 60_000);
  afterAll(() => {
    gpg.close();
  });
  beforeEach(() => {
    for (const name of Object.keys(prints))
      writeFileSync(join(folder, 'keys', `${name}.asc`), gpg.publicKey(name));
    writeProfile(peopleWith({}), 'signed');
  });

  const peopleWith = (change: Record<string, { fingerprint?: string; publicKey?: string }>): string[] =>
    Object.keys(prints).map((name) => {
      const { fingerprint = prints[name], publicKey = `keys/${name}.asc` } = change[name] ?? {};
      return `${name}: { roles: [lead], fingerprint: '${fingerprint ?? ''}', publicKey: ${publicKey} }`;
    });

  /** A decision of Ann's, signed by a key for a run at a time. */
  async function signed({
    by = 'Ann',
    approver = 'Ann',
    runId = 'run-2',
    at = undefined as Date | undefined,
    change = {},
  } = {}): Promise<DecisionToCheck> {
    const question = await asked(change, approver);
    const text = statementOf({ ...question.statement, runId });
    const signature = gpg.signLine(text, { by, ...(at === undefined ? {} : { at }) });
    return { ...question, decision: { ...question.decision, signature } };
  }
  const badSignature = async (question: DecisionToCheck): Promise<string> => {
    const failure = await failureOf(check(question));
    expect([failure.type, failure.nonRetryable]).toEqual(['BadSignature', true]);
    expect(textOf(failure)).not.toContain(question.decision.signature?.slice(0, 40) ?? 'PGP');
    return failure.message;
  };
  const badProfile = async (question: DecisionToCheck): Promise<string> => {
    const failure = await failureOf(check(question));
    expect(failure.type).toBe('InvalidProfile');
    return failure.message;
  };

  test('names the person, the key and the time, and does so every time it is asked', async () => {
    const question = await signed();
    const checked = await check(question);
    expect(checked).toMatchObject({ person: 'Ann', identity: 'signed', fingerprint: prints.Ann });
    expect(await check(question)).toEqual(checked);
  });

  test('counts for the current run and those that it continues, not for one before a reset', async () => {
    expect(await check(await signed({ runId: 'run-1' }))).toMatchObject({ person: 'Ann' });
    expect(await badSignature(await signed({ runId: 'run-0' }))).toMatch(
      /not the statement that this run asks/,
    );
  });

  test('without a signature, or with that of another approver, is refused', async () => {
    expect(await badSignature(await asked())).toMatch(/has no signature.*runbook approve --sign/);
    expect(await badSignature(await signed({ by: 'Bob' }))).toMatch(/no part of this person's key/);
    expect(await badSignature(await signed({ by: 'Ann', approver: 'Bob' }))).toMatch(
      /no part of this person's key/,
    );
  });

  test('by someone who is no approver is refused, however well it is signed', async () => {
    const failure = await failureOf(check(await signed({ approver: 'Eve' })));
    expect(failure.type).toBe('InvalidRequest');
  });

  test('for another plan is refused', async () => {
    const question = await signed();
    const statement = { ...question.statement, planHash: 'b'.repeat(64) };
    expect(await badSignature({ ...question, statement })).toMatch(/not the statement that this run asks/);
  });

  test.each([
    [
      'an hour behind',
      -60,
      /59 minutes before gate "gate-1" opened .*: if you signed just now, set your clock/,
    ],
    ['a day behind', -24 * 60, /minutes before gate "gate-1" opened/],
    ['an hour ahead', 60, /60 minutes from now: set your clock/],
  ])('with a clock %s is refused', async (_case, minutes, sentence) => {
    const at = new Date(Date.now() + minutes * minute + 500);
    expect(await badSignature(await signed({ at }))).toMatch(sentence);
  });

  test.each([
    ['under', -1000, true],
    ['exactly', 0, true],
    ['over', 1000, false],
  ])('made %s five minutes before the gate opened', async (_case, earlier, taken) => {
    const openedAt = new Date(Math.floor(Date.now() / 1000) * 1000);
    const question = await signed({
      at: new Date(openedAt.getTime() - 5 * minute),
      change: { openedAt: new Date(openedAt.getTime() + earlier).toISOString() },
    });
    if (taken) expect(await check(question)).toMatchObject({ person: 'Ann' });
    else expect(await badSignature(question)).toMatch(/5 minutes before gate "gate-1" opened/);
  });

  test('for a gate whose time cannot be read is refused', async () => {
    expect(await badSignature(await signed({ change: { openedAt: '' } }))).toMatch(/before gate "gate-1"/);
  });

  test('junk of any size is refused with a sentence', async () => {
    const question = await asked();
    for (const signature of ['junk!', 'A'.repeat(1024 * 1024)])
      expect(
        (await badSignature({ ...question, decision: { ...question.decision, signature } })).length,
      ).toBeLessThan(300);
  });

  test('is checked with the key that the profile names, and with no other', async () => {
    writeFileSync(join(folder, 'keys', 'Ann.asc'), gpg.publicKey('Bob'));
    expect(await badProfile(await signed({ by: 'Bob' }))).toBe(
      `approvers.Ann.publicKey: keys/Ann.asc has the key ${prints.Bob ?? ''}, but the profile names ${prints.Ann ?? ''}`,
    );
  });

  test('with a key file that is missing, no file, no key, too large or private is a fault of the profile', async () => {
    const question = await signed();
    const file = join(folder, 'keys', 'Ann.asc');
    const broken: [() => void, RegExp][] = [
      [() => undefined, /^approvers\.Ann\.publicKey: keys\/Ann\.asc cannot be read \(ENOENT\)$/],
      [
        () => {
          mkdirSync(file);
        },
        /it is no file$/,
      ],
      [
        () => {
          writeFileSync(file, 'canary-4711');
        },
        /it is no public key in text form/,
      ],
      [
        () => {
          writeFileSync(file, 'k'.repeat(256 * 1024 + 1));
        },
        /larger than 262144 bytes$/,
      ],
      [
        () => {
          writeFileSync(file, gpg.privateKey('Ann'));
        },
        /it is a private key/,
      ],
    ];
    for (const [breakIt, sentence] of broken) {
      rmSync(file, { recursive: true, force: true });
      breakIt();
      const message = await badProfile(question);
      expect(message).toMatch(sentence);
      expect(message).not.toContain('canary');
    }
  });

  test('follows links inside the folder, as a mounted ConfigMap has them, and none that lead out of it', async () => {
    const question = await signed();
    rmSync(join(folder, 'keys'), { recursive: true });
    mkdirSync(join(folder, '..data'));
    writeFileSync(join(folder, '..data', 'Ann.asc'), gpg.publicKey('Ann'));
    symlinkSync('..data', join(folder, 'keys'));
    expect(await check(question)).toMatchObject({ person: 'Ann' });
    writeFileSync(join(root, 'outside.asc'), gpg.publicKey('Ann'));
    rmSync(join(folder, '..data', 'Ann.asc'));
    symlinkSync(join(root, 'outside.asc'), join(folder, '..data', 'Ann.asc'));
    expect(await badProfile(question)).toMatch(/it lies outside the folder of profiles$/);
  });
});
