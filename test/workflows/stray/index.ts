import type { RunReport } from '../../../src/contracts/run.ts';
import { beginRun } from '../../../src/workflows/run/run.ts';

/** A procedure with a fault in its code, after it registered an undo (or before, when `early`). */
export async function strayError(input: { early: boolean }): Promise<RunReport> {
  const run = beginRun('strayError', { input, carried: undefined });
  try {
    if (input.early) await run.step('Break early', breakDown);
    run.onFailure('Put it back', () => Promise.resolve({ note: 'put back', drift: [] }));
    await run.step('Break', breakDown);
    return await run.succeeded('never');
  } catch (error) {
    return await run.ended(error);
  }
}

function breakDown(): never {
  const nothing = JSON.parse('null') as { field: { deeper: string } };
  throw new Error(nothing.field.deeper);
}

export { uploadEvidence } from '../../../src/workflows/run/evidence.ts';
