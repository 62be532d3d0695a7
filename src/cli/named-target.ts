import { ApplicationFailure } from '@temporalio/common';
import { loadTarget } from '../activities/targets/profiles.ts';
import type { Target } from '../contracts/target.ts';
import { UsageError } from './exit-codes.ts';

/** Faults of what was asked; a profile that is there and wrong is not one of them. */
const ofUsage = ['NotFound', 'InvalidRequest'];

/** The target that was named. @throws UsageError when there is none of that name, or none was named; InvalidProfile */
export async function loadNamedTarget(...asked: Parameters<typeof loadTarget>): Promise<Target> {
  try {
    return await loadTarget(...asked);
  } catch (error) {
    if (error instanceof ApplicationFailure && ofUsage.includes(error.type ?? ''))
      throw new UsageError(error.message);
    throw error;
  }
}
