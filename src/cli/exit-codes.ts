import type { Outcome } from '../contracts/run.ts';

/** What the command's exit status means; documented in the README. */
export const exitCodes = { done: 0, failed: 1, usage: 2, notApproved: 3, unknown: 4 } as const;

/** The exit status for the outcome of a run. */
export function exitCodeOf(outcome: Outcome): number {
  switch (outcome) {
    case 'succeeded':
    case 'planned':
      return exitCodes.done;
    case 'rejected':
    case 'timedOut':
      return exitCodes.notApproved;
    case 'aborted':
    case 'undone':
    case 'undoFailed':
    case 'failed':
      return exitCodes.failed;
  }
}

/** A mistake of the person who typed: its message is the whole answer, without a stack. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
