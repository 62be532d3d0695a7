import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { procedures } from '../../src/contracts/procedures.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** What a commit would hold: tracked files and new ones that are not ignored. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(root, path)));
const pages = files.filter((path) => path.endsWith('.md'));
const readme = read('README.md');
const namesIn = (text: string): string[] => [
  ...new Set([...text.matchAll(/\bRUNBOOK_[A-Z]+(?:_[A-Z]+)*\b/g)].map(([name]) => name)),
];

/** Code is no place for links and headings. */
function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, 'code');
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- _]/gu, '')
    .replaceAll(' ', '-');
}

function headingsOf(path: string): string[] {
  return [...prose(read(path)).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
}

describe.each(procedures)('procedure $name', ({ name, workflowType, page, steps }) => {
  test('has a page whose numbered headings are its steps, in order', () => {
    const numbered = [...prose(read(page)).matchAll(/^## (\d+)\. (.+)$/gm)].map(
      ([, number = '', heading = '']) => `${number}. ${heading}`,
    );
    expect(numbered).toEqual(steps.map((step, index) => `${index + 1}. ${step}`));
  });

  test('has a page that ends with how to do it by hand', () => {
    const top = [...prose(read(page)).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    expect(top.at(-1)).toBe('By hand');
  });

  test('has a row in the README, with its page and file', () => {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` |`));
    expect(row).toContain(`\`${workflowType}\``);
    expect(row).toContain(`(${page})`);
    expect(row).toContain(`(src/workflows/${name}.ts)`);
    expect(existsSync(join(root, 'src', 'workflows', `${name}.ts`))).toBe(true);
  });
});

test('every page about a procedure belongs to one', () => {
  const described = files.filter((path) => /^docs\/runbooks\/[^/]+\.md$/.test(path));
  expect(described.sort()).toEqual(procedures.map(({ page }) => page).sort());
});

describe.each(pages)('%s', (page) => {
  const targets = [...prose(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);

  test('links to files and headings that exist', () => {
    const broken = targets
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : join(dirname(page), path);
        if (!existsSync(join(root, file))) return true;
        return anchor !== undefined && !headingsOf(file).map(anchorOf).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  test('closes every block of code', () => {
    expect((read(page).match(/^\s*```/gm) ?? []).length % 2).toBe(0);
  });
});

test('the README has every variable of the configuration, and no other in its table', () => {
  const table = [...readme.matchAll(/^\| `(RUNBOOK_[A-Z_]+)` \|/gm)].map(([, name]) => name);
  expect(table).toEqual(namesIn(read('src/config.ts')));
});

test('every variable that a page names is read somewhere', () => {
  const sources = files.filter(
    (path) => /^(src|bin|scripts|test)\//.test(path) && !path.startsWith('test/project/'),
  );
  // A name that ends in an underscore in the code stands for a family, such as one variable per tool.
  const known = sources.flatMap((path) => [...read(path).matchAll(/RUNBOOK_[A-Z_]+/g)].map(([name]) => name));
  const families = known.filter((name) => name.endsWith('_') && name !== 'RUNBOOK_');
  const strange = pages
    .flatMap((page) => namesIn(read(page)))
    .filter((name) => !known.includes(name) && !families.some((family) => `${name}_`.startsWith(family)));
  expect([...new Set(strange)]).toEqual([]);
});

test("the commands of the README's table are those of the program", () => {
  const help = execFileSync(process.execPath, [join(root, 'src', 'cli', 'main.ts'), '--help'], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '200' },
  });
  const commands = [...help.slice(help.indexOf('Commands:')).matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map(
    ([, name]) => name,
  );
  const table = [...readme.matchAll(/^\| `runbook ([a-z]+)/gm)].map(([, name]) => name);
  expect(table).toEqual(commands);
});

/** Prints every command with its options, as the files of the commands add them to a program. */
const listOptions = `
  import { readdirSync } from 'node:fs';
  import { Command } from 'commander';
  const program = new Command();
  for (const file of readdirSync('src/cli/commands')) {
    const added = await import(process.cwd() + '/src/cli/commands/' + file);
    for (const [name, add] of Object.entries(added)) if (name.startsWith('add')) add(program);
  }
  const rows = program.commands.map((command) => [command.name(), command.options.map((option) => option.long)]);
  console.log(JSON.stringify(Object.fromEntries(rows)));
  process.exit();
`;

test("the options of the README's table are those of the program", () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', listOptions], {
    cwd: root,
    encoding: 'utf8',
  });
  const options = JSON.parse(output) as Record<string, string[]>;
  const rows = [...readme.matchAll(/^\| `runbook ([a-z]+)[^|]*\|(.*)\|$/gm)];
  for (const [, command = '', text = ''] of rows) {
    // `reject` refers to the row of `approve` instead of repeating it.
    if (command === 'reject') continue;
    const named = [...text.matchAll(/`(--[a-z-]+)/g)].map(([, option]) => option);
    expect([command, ...named.sort()]).toEqual([command, ...(options[command] ?? []).sort()]);
  }
});

test('the exit codes of the README are those of the program', () => {
  const codes = [...read('src/cli/exit-codes.ts').matchAll(/\b[a-zA-Z]+: (\d)\b/g)].map(([, code]) => code);
  const table = [...readme.matchAll(/^\| (\d) \|/gm)].map(([, code]) => code);
  expect(table).toEqual(codes);
});

test('nothing tells of the machine that it was written on', () => {
  // Written in parts, so that this file is not its own finding.
  const places = ['/wor' + 'k/', '../sha' + 'red', '/tmp/bash' + '_jobs'];
  const text = files.filter((path) => !/\.(png|gz|tgz)$/.test(path));
  const found = text.flatMap((path) =>
    places.filter((place) => read(path).includes(place)).map((place) => `${path}: ${place}`),
  );
  expect(found).toEqual([]);
});

test('the lockfile names no host of a registry', () => {
  expect(read('package-lock.json')).not.toMatch(/"resolved": "https?:/);
});
