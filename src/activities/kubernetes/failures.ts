import { Context, type ApplicationFailure } from '@temporalio/activity';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { FailureType } from '../../contracts/failures.ts';
import { KeyUnusable } from '../../encryption/keys.ts';
import { failure, isOurs } from '../failures.ts';

/**
 * Runs calls to a cluster and turns their errors into failures of the catalogue: the one place that judges
 * which errors of the API server are worth repeating. Messages of KubernetesError are safe by construction.
 */
export async function translate<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // What ends a cancelled activity is Temporal's to recognise.
    if (isOurs(error) || Context.current().cancellationSignal.aborted) throw error;
    throw asFailure(error);
  }
}

/** An error of no known kind is a fault of ours: repeating it would not help, and its text may hold anything. */
function asFailure(error: unknown): ApplicationFailure {
  if (error instanceof KubernetesError) return failure(typeOf(error), error.message, error.retryAfterSeconds);
  // Its sentences are safe by construction, too.
  if (error instanceof KeyUnusable)
    return failure('InvalidProfile', `${error.message}; runbook keys list tells how each key stands`);
  return failure('Internal', `fault in an activity: ${error instanceof Error ? error.name : typeof error}`);
}

function typeOf(error: KubernetesError): FailureType {
  if (error.status === undefined) return error.retryable ? 'Unavailable' : ownRefusal(error);
  if (error.status === 401) return 'Unauthenticated';
  if (error.status === 403) return 'Forbidden';
  if (error.status === 404) return 'NotFound';
  if (error.status === 429) return 'RateLimited';
  return error.retryable ? 'Unavailable' : 'Refused';
}

function ownRefusal(error: KubernetesError): FailureType {
  return error.reason === 'NoCredentials' || error.reason === 'CertificateNotTrusted'
    ? 'Unauthenticated'
    : 'InvalidRequest';
}
