import { KubernetesError } from '../../clients/kubernetes/errors.ts';

/** The status of the API server's answer; undefined when none came. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof KubernetesError ? error.status : undefined;
}

/** The gateway's own sentences are safe to show; of anything else only the kind is. */
export function sentenceOf(error: unknown): string {
  return error instanceof KubernetesError ? error.message : 'the answer is not what Kubernetes promises';
}
