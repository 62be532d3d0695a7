import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drillTables, recoveryTables } from '../../src/domain/recovery/tables.ts';

describe.each([
  ['recover', recoveryTables()],
  ['drill-disaster-recovery', drillTables()],
])('the page %s', (name, tables) => {
  const page = readFileSync(
    fileURLToPath(new URL(`../../docs/runbooks/${name}.md`, import.meta.url)),
    'utf8',
  );

  test.each(Object.entries(tables))('has in its table %s what the code goes by', (_name, lines) => {
    expect(lines.length).toBeGreaterThan(3);
    expect(page).toContain(lines.join('\n'));
  });
});
