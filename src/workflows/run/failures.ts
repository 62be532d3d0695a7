import {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
} from '@temporalio/workflow';
import type { FailureType } from '../../contracts/failures.ts';
import type { Outcome } from '../../contracts/run.ts';

/** Ends a run that changed nothing without failing it: rejected, timed out. Caught by `run.ended`. */
export class RunEnded extends Error {
  readonly outcome: Outcome;

  constructor(outcome: Outcome, message: string) {
    super(message);
    this.name = 'RunEnded';
    this.outcome = outcome;
  }
}

/** A failure of our own catalogue, thrown in workflow code. */
export function failure(type: FailureType, message: string): ApplicationFailure {
  return ApplicationFailure.nonRetryable(message, type);
}

/** Type and sentence of whatever was thrown, from inside the SDK's wrappers. */
export function explain(error: unknown): { type: string; message: string } {
  if (error instanceof ActivityFailure || error instanceof ChildWorkflowFailure) {
    if (error.cause instanceof TimeoutFailure) {
      return {
        type: 'Unavailable',
        message: `no worker finished ${name(error)} in time; runbook doctor says who serves the queue and what they reach`,
      };
    }
    return explain(error.cause ?? new Error(`${name(error)} was cancelled`));
  }
  if (error instanceof ApplicationFailure) return { type: error.type ?? 'Internal', message: error.message };
  if (error instanceof Error)
    return { type: 'Internal', message: `fault in the runbook: ${error.name}: ${error.message}` };
  return { type: 'Internal', message: 'fault in the runbook: something that is not an error was thrown' };
}

/** True when an earlier attempt of a write took effect and someone else wrote the object then: there is something to undo. */
export function isOverwritten(error: unknown): boolean {
  return explain(error).type === 'Overwritten';
}

/** True when an activity reports that its object was written by someone else since it was read. */
export function isMoved(error: unknown): boolean {
  return explain(error).type === 'Moved';
}

function name(error: ActivityFailure | ChildWorkflowFailure): string {
  return error instanceof ActivityFailure
    ? `activity ${error.activityType}`
    : `child workflow ${error.workflowType}`;
}
