import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { targetProfileSchema } from '../src/contracts/target.ts';

/**
 * Writes the JSON Schema that editors use for target profiles. With --check it writes nothing and
 * exits with 1 when the file is not what the code says.
 */
const file = new URL('../schemas/target.schema.json', import.meta.url);
const schema = z.toJSONSchema(targetProfileSchema, { io: 'input', target: 'draft-2020-12' });
const text = `${JSON.stringify({ ...schema, title: 'Target profile of alecs-runbooks' }, null, 2)}\n`;

if (!process.argv.includes('--check')) {
  writeFileSync(file, text);
} else if (read(file) !== text) {
  process.stderr.write('schemas/target.schema.json is stale; run: node scripts/write-schemas.ts\n');
  process.exitCode = 1;
}

function read(path: URL): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
