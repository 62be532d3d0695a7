// Writes the tables of the pages about recovery and drills from the data that the code goes by; --check only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drillTables, recoveryTables } from '../src/domain/recovery/tables.ts';

const pages = {
  'docs/runbooks/recover.md': recoveryTables(),
  'docs/runbooks/drill-disaster-recovery.md': drillTables(),
};
for (const [name, tables] of Object.entries(pages)) {
  const file = fileURLToPath(new URL(`../${name}`, import.meta.url));
  const before = readFileSync(file, 'utf8');
  const after = withTables(before, tables);
  if (!process.argv.includes('--check')) writeFileSync(file, after);
  else if (after !== before) {
    console.error(`${name} is not what the code says; run: node scripts/write-recover-page.ts`);
    process.exitCode = 1;
  }
}

function withTables(page: string, tables: Record<string, string[]>): string {
  return Object.entries(tables).reduce((text, [name, lines]) => {
    const begin = `<!-- ${name}: written by scripts/write-recover-page.ts -->`;
    const [from, to] = [text.indexOf(begin), text.indexOf(`<!-- end of ${name} -->`)];
    if (from < 0 || to < from) throw new Error(`the page has no place for the table ${name}`);
    return `${text.slice(0, from + begin.length)}\n\n${lines.join('\n')}\n\n${text.slice(to)}`;
  }, page);
}
