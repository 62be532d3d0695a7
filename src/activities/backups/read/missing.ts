import { KubernetesError } from '../../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../clients/kubernetes/gateway.ts';
import type { Missing } from '../../../contracts/backup-manifest.ts';
import { groupOf, kindName } from '../../../domain/backups/archive-path.ts';
import { isBuiltIn } from '../../../domain/backups/kinds.ts';

/**
 * What an error means for one kind: that it is missing from the backup, with the reason; undefined when the cluster as a
 * whole is in trouble, so that reading has to be tried again. A kind of somebody else may fail for ever (its server is
 * down, its conversion webhook answers nothing) while the API server is well.
 */
export async function missingFor(
  gateway: KubernetesGateway,
  kind: { apiVersion: string; plural: string },
  error: unknown,
  signal: AbortSignal,
): Promise<Missing | undefined> {
  if (!(error instanceof KubernetesError) || signal.aborted) return undefined;
  const what = kindName(kind);
  const { status } = error;
  if (status === 403) return { what, why: `the worker may not list it: ${error.message}` };
  if (status === 404 || status === 405) return { what, why: 'the API server does not serve it any more' };
  const itsOwnFault = (status ?? 0) >= 500 || error.reason === 'InvalidResponse';
  if (!itsOwnFault || isBuiltIn(groupOf(kind.apiVersion))) return undefined;
  return (await isReady(gateway, signal)) ? { what, why: error.message } : undefined;
}

async function isReady(gateway: KubernetesGateway, signal: AbortSignal): Promise<boolean> {
  try {
    await gateway.raw('GET', '/readyz', { signal });
    return true;
  } catch {
    return false;
  }
}
