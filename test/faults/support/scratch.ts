import { mkdirSync, mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { stack } from '../../support/stack.ts';

/** A new folder inside the stack's own, which goes with it even if this process is killed. */
export function scratch(name: string): string {
  const parent = join(stack().directory, 'faults');
  mkdirSync(parent, { recursive: true });
  return mkdtempSync(join(parent, `${name}-`));
}
