// Writes the parts of pages that come from the code, between their markers. With --check it writes nothing and exits
// with 1 when a page does not say what the code says.
import { readFileSync, writeFileSync } from 'node:fs';
import { renderExclusions } from '../src/domain/backups/exclusions-page.ts';
import { drillTables, recoveryTables } from '../src/domain/recovery/tables.ts';

/** Text by the name of its place in a page. */
const pages: Record<string, Record<string, string>> = {
  'docs/runbooks/backup.md': { exclusions: renderExclusions() },
  'docs/runbooks/recover.md': joined(recoveryTables()),
  'docs/runbooks/drill-disaster-recovery.md': joined(drillTables()),
};

for (const [path, parts] of Object.entries(pages)) {
  const file = new URL(`../${path}`, import.meta.url);
  const page = readFileSync(file, 'utf8');
  const written = Object.entries(parts).reduce(
    (text, [name, part]) => withPart(path, text, { name, part }),
    page,
  );
  if (!process.argv.includes('--check')) {
    writeFileSync(file, written);
  } else if (written !== page) {
    process.stderr.write(`${path} is stale; run: node scripts/write-pages.ts\n`);
    process.exitCode = 1;
  }
}

function joined(tables: Record<string, string[]>): Record<string, string> {
  return Object.fromEntries(Object.entries(tables).map(([name, lines]) => [name, lines.join('\n')]));
}

function withPart(path: string, page: string, { name, part }: { name: string; part: string }): string {
  const begin = `<!-- ${name}: written by scripts/write-pages.ts -->`;
  const end = `<!-- end of ${name} -->`;
  const [before, rest, more] = page.split(begin);
  const [, after, another] = rest?.split(end) ?? [];
  if (before === undefined || after === undefined || more !== undefined || another !== undefined)
    throw new Error(`${path} has no place for ${name}: it needs the lines ${begin} and ${end}, once`);
  return `${before}${begin}\n\n${part}\n\n${end}${after}`;
}
