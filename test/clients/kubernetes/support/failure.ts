import { KubernetesError } from '../../../../src/clients/kubernetes/errors.ts';

/** The KubernetesError that the promise fails with; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<KubernetesError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof KubernetesError) return error;
    throw error;
  }
  throw new Error('expected a KubernetesError, but the call succeeded');
}
