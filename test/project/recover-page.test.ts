import { expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { recoveryTables } from '../../src/domain/recovery/tables.ts';

const page = readFileSync(fileURLToPath(new URL('../../docs/runbooks/recover.md', import.meta.url)), 'utf8');

test.each(Object.entries(recoveryTables()))(
  'the table %s of the page about recovery is what the code goes by',
  (_name, lines) => {
    expect(lines.length).toBeGreaterThan(3);
    expect(page).toContain(lines.join('\n'));
  },
);
