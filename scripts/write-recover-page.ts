// Writes the tables of docs/runbooks/recover.md from the data that the code goes by; with --check only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { recoveryTables } from '../src/domain/recovery/tables.ts';

const page = fileURLToPath(new URL('../docs/runbooks/recover.md', import.meta.url));
const before = readFileSync(page, 'utf8');
let after = before;
for (const [name, lines] of Object.entries(recoveryTables())) {
  const [begin, end] = [
    `<!-- ${name}: written by scripts/write-recover-page.ts -->`,
    `<!-- end of ${name} -->`,
  ];
  const [from, to] = [after.indexOf(begin), after.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`the page has no place for the table ${name}`);
  after = `${after.slice(0, from + begin.length)}\n\n${lines.join('\n')}\n\n${after.slice(to)}`;
}
if (process.argv.includes('--check')) {
  if (after !== before) {
    console.error(
      'docs/runbooks/recover.md is not what the code says; run: node scripts/write-recover-page.ts',
    );
    process.exit(1);
  }
} else writeFileSync(page, after);
