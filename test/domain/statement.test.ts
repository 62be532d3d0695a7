import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StatementFields } from '../../src/contracts/approval.ts';
import { signingCommand, statementOf } from '../../src/domain/statement.ts';
import { hostileTexts, seeded } from '../support/builders.ts';

const fields: StatementFields = {
  workflowId: 'update-1',
  runId: '0198-run',
  gate: 'gate-1',
  planHash: 'a'.repeat(64),
  decision: 'approve',
};

const withReason = (reason: string): string => statementOf({ ...fields, reason });
const reasonOf = (statement: string): string | undefined => /^reason: (.*)$/mu.exec(statement)?.[1];

describe('a statement', () => {
  test('is key and value in a fixed order, with a line feed at every end', () => {
    expect(statementOf({ ...fields, reason: 'the fix for #42 🚒' })).toBe(
      `runbook decision/1
workflow: update-1
run: 0198-run
gate: gate-1
plan: ${'a'.repeat(64)}
decision: approve
reason: the fix for #42 🚒
`,
    );
  });

  test('says with a dash that there is no reason, and encodes a reason that is a dash', () => {
    expect(reasonOf(statementOf(fields))).toBe('-');
    expect(reasonOf(withReason('-'))).toBe('%2D');
    expect(reasonOf(withReason('a - b'))).toBe('a - b');
  });

  test.each([
    ['a line feed', 'a\nb', 'a%0Ab'],
    ['a carriage return and a tab', 'a\r\tb', 'a%0D%09b'],
    ['a control character of two bytes', 'a\u0085b', 'a%C2%85b'],
    ['rare line and paragraph breaks', 'a\u2028b\u2029c', 'a%E2%80%A8b%E2%80%A9c'],
    ['marks that reorder text', '\u202eevil\u2066', '%E2%80%AEevil%E2%81%A6'],
    ['quotes of every kind', `'"\``, '%27%22%60'],
    ['backslash, percent, dollar', '\\ % $(x)', '%5C %25 %24(x)'],
    ['placeholders of the Temporal UI', '{runId}', '%7BrunId%7D'],
    ['spaces at the ends, which a clear-signed text loses', '  a b ', '%20%20a b%20'],
    ['half a character', 'a\ud800b', 'a\ufffdb'],
  ])('encodes %s', (_what, reason, encoded) => {
    expect(reasonOf(withReason(reason))).toBe(encoded);
  });

  test.each(['Zoë Müller', '日本語', '🚒👩‍🚒', 'a #1 & b; c | d > e < f * ? ! ~ (g) [h]'])(
    'leaves %j as it is',
    (reason) => {
      expect(reasonOf(withReason(reason))).toBe(reason);
    },
  );

  test('differs when any field does', () => {
    const others = Object.keys(fields).map((key) => statementOf({ ...fields, [key]: 'reject' }));
    expect(new Set([statementOf(fields), withReason('%2D'), withReason('-'), ...others]).size).toBe(
      others.length + 3,
    );
  });

  test('has seven lines, whatever its values are', () => {
    for (const text of [...hostileTexts, 'x\nplan: other\ndecision: reject']) {
      const statement = statementOf({ ...fields, workflowId: text, gate: text, reason: text });
      expect(statement.split(/[\p{Cc}\p{Zl}\p{Zp}]/u)).toHaveLength(8);
      expect(statement).not.toMatch(/['"`\\$]/);
    }
  });
});

describe('the command that signs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'statement-'));
  beforeAll(() => {
    // Hands its input on, so that what gpg would have signed comes out of the command.
    writeFileSync(join(folder, 'gpg'), '#!/bin/sh\n[ "$*" = --detach-sign ] && exec cat\n', { mode: 0o755 });
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const signedBy = (of: StatementFields, shell: string): string =>
    Buffer.from(
      execFileSync(shell, ['-c', signingCommand(of)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        encoding: 'utf8',
        cwd: folder,
        env: { PATH: `${folder}:${process.env.PATH ?? ''}` },
      }),
      'base64',
    ).toString();

  const alphabet = [
    ...Array.from(`abc XYZ-%$'"\`\\\n\r\t\u0000\u001b!;&|<>()[]{}*?~#=@^é日🚒\u202e\u2028\u0085`),
    '$(id)',
    "'\\''",
  ];

  test.each(['sh', 'bash'])('is one line, and makes %s print exactly the statement', (shell) => {
    const random = seeded(11);
    const text = (): string =>
      Array.from(
        { length: Math.floor(random() * 30) },
        () => alphabet[Math.floor(random() * alphabet.length)] ?? '',
      ).join('');
    for (let round = 0; round < 40; round++) {
      const of: StatementFields = {
        ...fields,
        workflowId: text(),
        runId: text(),
        gate: text(),
        reason: text(),
      };
      expect(signingCommand(of)).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
      expect(signedBy(of, shell)).toBe(statementOf(of));
    }
  });

  test('prints one base64 line', () => {
    const long = { ...fields, reason: 'r'.repeat(200) };
    const printed = execFileSync('sh', ['-c', signingCommand(long)], {
      encoding: 'utf8',
      env: { PATH: `${folder}:${process.env.PATH ?? ''}` },
    });
    expect(printed).toMatch(/^[A-Za-z0-9+/]+=*\n$/);
  });
});
