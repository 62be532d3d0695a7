import { readFileSync, writeFileSync } from 'node:fs';
import { renderExclusions } from '../src/domain/backups/exclusions-page.ts';

/**
 * Writes the parts of pages that come from the code, between their markers. With --check it writes nothing and exits
 * with 1 when a page does not say what the code says.
 */
const parts = [{ path: 'docs/runbooks/backup.md', name: 'exclusions', render: renderExclusions }];

for (const { path, name, render } of parts) {
  const file = new URL(`../${path}`, import.meta.url);
  const page = readFileSync(file, 'utf8');
  const begin = `<!-- ${name}: written by scripts/write-pages.ts -->\n`;
  const end = `<!-- end of ${name} -->`;
  const [before, rest] = split(page, begin);
  const [, after] = split(rest, end);
  if (before === undefined || after === undefined) {
    process.stderr.write(`${path} has no place for ${name}: it needs the lines ${begin.trim()} and ${end}\n`);
    process.exitCode = 1;
    continue;
  }
  const written = `${before}${begin}\n${render()}\n\n${end}${after}`;
  if (!process.argv.includes('--check')) {
    writeFileSync(file, written);
  } else if (written !== page) {
    process.stderr.write(`${path} is stale; run: node scripts/write-pages.ts\n`);
    process.exitCode = 1;
  }
}

/** What stands before and after the first occurrence; nothing when there is none. */
function split(text: string | undefined, marker: string): [string | undefined, string | undefined] {
  const place = text?.indexOf(marker) ?? -1;
  if (text === undefined || place === -1) return [undefined, undefined];
  return [text.slice(0, place), text.slice(place + marker.length)];
}
