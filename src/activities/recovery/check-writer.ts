import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { RestoreOptions } from '../../contracts/recovery.ts';
import type { Target } from '../../contracts/target.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { checkScratch } from '../drill/scratch.ts';
import { checkHolder } from '../locks/lease.ts';

/**
 * Whether this run may write now: a recovery while it holds the target, a drill while its own namespace is there.
 * @throws LockLost
 */
export async function checkWriter(
  gateway: KubernetesGateway,
  { target, options, holder }: { target: Target; options: RestoreOptions; holder: RunIdentity },
  signal: AbortSignal,
): Promise<void> {
  if (options.purpose === 'drill') await checkScratch(gateway, options.into, holder, signal);
  else await checkHolder(gateway, target, holder, signal);
}
