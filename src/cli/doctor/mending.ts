import { registerSearchAttributes } from '../../clients/temporal/search-attributes.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Config } from '../../config.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { sentenceOf, statusOf } from './answers.ts';
import { lookForLockNamespace, mendForServer, openCluster } from './cluster.ts';
import { inCluster, mendAuditKey } from '../keys/audit-key.ts';
import { questionSeconds, type Mended } from './finding.ts';
import { attributeCommand, connect, lookForSearchAttributes } from './temporal.ts';

/** Registers what is missing of the search attributes. Done twice, the second time finds them there. */
export async function mendSearchAttributes(): Promise<Mended[]> {
  const all = 'search attributes';
  const { client, finding } = await connect();
  if (client === undefined)
    return [{ thing: all, state: 'cannot', because: finding.found, mend: finding.mend ?? '' }];
  const command = (name: string, verb: 'create' | 'remove'): string => attributeCommand(client, name, verb);
  try {
    const before = await lookForSearchAttributes(client);
    const registered = await registerSearchAttributes(client);
    return before.map(({ name, state }) => {
      const thing = `search attribute ${name}`;
      if (state === 'there') return { thing, state: 'was there' };
      if (state === 'wrong') {
        const because = 'it is there with another type than Keyword';
        return { thing, state: 'cannot', because, mend: `${command(name, 'remove')}; then: runbook setup` };
      }
      if (registered.ok) return { thing, state: 'made' };
      const because = 'Temporal refused it';
      return { thing, state: 'cannot', because, mend: `as someone who may: ${command(name, 'create')}` };
    });
  } catch {
    const because = 'Temporal does not let these credentials list them';
    return [{ thing: all, state: 'cannot', because, mend: 'run this as someone who may' }];
  }
}

/**
 * Makes in the cluster of each target the namespace of locks, and in it the key of the audit log. Targets that share a
 * cluster share both.
 */
export async function mendClusters(config: Config, profiles: TargetProfile[]): Promise<Mended[]> {
  const byContext = new Map(profiles.map((profile) => [profile.cluster?.context ?? '', profile]));
  const mended = await Promise.all([...byContext.values()].map((profile) => mendCluster(config, profile)));
  return mended.flat();
}

/** The same for the cluster of one target. */
export async function mendCluster(
  config: Config,
  profile: TargetProfile,
  auditKeyDays?: number,
): Promise<Mended[]> {
  const { gateway, finding } = openCluster(config, profile);
  const namespace = `namespace ${lockNamespace}${inCluster(profile)}`;
  if (gateway === undefined)
    return [{ thing: namespace, state: 'cannot', because: finding.found, mend: finding.mend ?? '' }];
  try {
    const mended = await mendLockNamespace(gateway, namespace, profile);
    return mended.state === 'cannot'
      ? [mended]
      : [mended, ...(await mendAuditKey(gateway, profile, auditKeyDays))];
  } finally {
    await gateway.close();
  }
}

/** How someone else would call kubectl for that cluster. */
function kubectlFor({ cluster }: TargetProfile): string {
  return cluster === undefined ? 'kubectl' : `kubectl --context ${cluster.context}`;
}

async function mendLockNamespace(
  gateway: KubernetesGateway,
  thing: string,
  profile: TargetProfile,
): Promise<Mended> {
  try {
    if ((await lookForLockNamespace(gateway)) === 'there') return { thing, state: 'was there' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lockNamespace } };
    await gateway.create(namespace, { fieldManager, timeoutSeconds: questionSeconds });
    return { thing, state: 'made' };
  } catch (error) {
    // Somebody else was faster.
    if (statusOf(error) === 409) return { thing, state: 'was there' };
    const mend =
      statusOf(error) === 403
        ? `as someone who may: ${kubectlFor(profile)} create namespace ${lockNamespace}`
        : mendForServer(error, gateway.server);
    return { thing, state: 'cannot', because: sentenceOf(error), mend };
  }
}
