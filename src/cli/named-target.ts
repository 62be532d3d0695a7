import { ApplicationFailure } from '@temporalio/common';
import { loadTarget } from '../activities/targets/profiles.ts';
import type { Target } from '../contracts/target.ts';
import { UsageError } from './exit-codes.ts';

/** The target that was named. @throws UsageError when there is none of that name; InvalidProfile */
export async function loadNamedTarget(...asked: Parameters<typeof loadTarget>): Promise<Target> {
  try {
    return await loadTarget(...asked);
  } catch (error) {
    if (error instanceof ApplicationFailure && error.type === 'NotFound') throw new UsageError(error.message);
    throw error;
  }
}
