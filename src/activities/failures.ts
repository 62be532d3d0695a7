import { ApplicationFailure, CancelledFailure } from '@temporalio/activity';
import { failures, type FailureType } from '../contracts/failures.ts';

/** A failure of our own catalogue: its sentence is safe to show, its type says whether it is worth repeating. */
export function failure(type: FailureType, message: string, retryAfterSeconds?: number): ApplicationFailure {
  return ApplicationFailure.create({
    type,
    message,
    nonRetryable: !failures[type].retryable,
    ...(retryAfterSeconds === undefined ? {} : { nextRetryDelay: retryAfterSeconds * 1000 }),
  });
}

/** What passes through a translator untouched: our own failures, and Temporal's word that we shall stop. */
export function isOurs(error: unknown): boolean {
  return error instanceof ApplicationFailure || error instanceof CancelledFailure;
}
