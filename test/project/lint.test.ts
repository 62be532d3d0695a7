import { beforeAll, describe, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** Real files whose text is replaced: the rules go by the path. */
const workflow = 'src/workflows/steps/check-request.ts';
const domain = 'src/domain/health.ts';
const nested = 'src/domain/guards/paused.ts';
const contract = 'src/contracts/plan.ts';
const activity = 'src/activities/heartbeat.ts';

const cases: [what: string, file: string, rule: string | null, text: string][] = [
  [
    'a file system',
    workflow,
    'no-restricted-imports',
    `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;`,
  ],
  [
    'a file system by its old name',
    workflow,
    'no-restricted-imports',
    `import { readFileSync } from 'fs';\nexport const x = readFileSync;`,
  ],
  [
    'a part of a file system',
    workflow,
    'no-restricted-imports',
    `import { readFile } from 'fs/promises';\nexport const x = readFile;`,
  ],
  ['a file system handed on', workflow, 'no-restricted-imports', `export * from 'node:fs';`],
  [
    'a file system later',
    workflow,
    'no-restricted-syntax',
    `export const x = (): Promise<unknown> => import('node:fs');`,
  ],
  ['the process', workflow, 'no-restricted-globals', `export const x = process.env;`],
  ['the network', workflow, 'no-restricted-globals', `export const x = fetch;`],
  [
    'an import that stays at run time',
    workflow,
    '@typescript-eslint/no-import-type-side-effects',
    `import { type Activities } from '../../activities/index.ts';\nexport type X = Activities;`,
  ],
  [
    'a promise that nobody waits for',
    workflow,
    '@typescript-eslint/no-floating-promises',
    `export function x(): void {\n  Promise.resolve(1);\n}`,
  ],
  ['the time, which the sandbox replays', workflow, null, `export const x = Date.now();`],
  [
    'a file system',
    domain,
    'no-restricted-imports',
    `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;`,
  ],
  [
    'a file system in a folder below',
    nested,
    'no-restricted-imports',
    `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;`,
  ],
  [
    'a file system',
    contract,
    'no-restricted-imports',
    `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;`,
  ],
  ['the process', domain, 'no-restricted-globals', `export const x = process.env;`],
  ['the process by another name', domain, 'no-restricted-globals', `export const x = globalThis;`],
  ['a timer', domain, 'no-restricted-globals', `export const x = setTimeout;`],
  ['the time', domain, 'no-restricted-properties', `export const x = Date.now();`],
  ['the time as an object', domain, 'no-restricted-syntax', `export const x = new Date();`],
  ['the time as text', domain, 'no-restricted-syntax', `export const x = Date();`],
  ['the time', contract, 'no-restricted-properties', `export const x = Date.now();`],
  ['chance', domain, 'no-restricted-properties', `export const x = Math.random();`],
  [
    'a time that it is told',
    domain,
    null,
    `export const x = (text: string): number => Date.parse(text) + new Date(0).getTime();`,
  ],
  ['a value of any type', domain, '@typescript-eslint/no-explicit-any', `export type X = any;`],
  [
    'a file system',
    activity,
    null,
    `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;`,
  ],
];

/** One process for all cases: starting the type checker is what takes time. */
const lintAll = `
  import { ESLint } from 'eslint';
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  const eslint = new ESLint();
  const answers = [];
  for (const [file, text] of JSON.parse(input)) {
    const [result] = await eslint.lintText(text + '\\n', { filePath: file });
    answers.push(result.messages.map((message) => message.ruleId ?? message.message));
  }
  console.log(JSON.stringify(answers));
`;

describe('eslint', () => {
  let answers: string[][] = [];

  beforeAll(async () => {
    const running = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', lintAll], {
      cwd: root,
    });
    running.child.stdin?.end(JSON.stringify(cases.map(([, file, , text]) => [file, text])));
    answers = JSON.parse((await running).stdout) as string[][];
  }, 120_000);

  test.each(cases.map(([what, file, rule], index) => ({ what, file, rule, index })))(
    '$what in $file: $rule',
    ({ rule, index }) => {
      expect(answers[index]).toEqual(rule === null ? [] : [rule]);
    },
  );
});
