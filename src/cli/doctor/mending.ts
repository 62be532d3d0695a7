import { registerSearchAttributes } from '../../clients/temporal/search-attributes.ts';
import type { Config } from '../../config.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { lookForLockNamespace, mendForServer, openCluster, sentenceOf, statusOf } from './cluster.ts';
import { questionSeconds } from './finding.ts';
import { attributeCommand, connect, lookForSearchAttributes } from './temporal.ts';

/** What became of one thing that was to be there. */
export type Mended =
  | { thing: string; state: 'made' | 'was there' }
  | { thing: string; state: 'cannot'; because: string; mend: string };

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

/** Makes the namespace of locks in the cluster of each target; targets that share a cluster share it. */
export async function mendLockNamespaces(config: Config, profiles: TargetProfile[]): Promise<Mended[]> {
  const byContext = new Map(profiles.map((profile) => [profile.cluster?.context ?? '', profile]));
  return await Promise.all([...byContext.values()].map((profile) => mendLockNamespace(config, profile)));
}

async function mendLockNamespace(config: Config, profile: TargetProfile): Promise<Mended> {
  const context = profile.cluster?.context;
  const thing = `namespace ${lockNamespace} in the cluster${context === undefined ? '' : ` ${context}`}`;
  const { gateway, finding } = openCluster(config, profile);
  if (gateway === undefined)
    return { thing, state: 'cannot', because: finding.found, mend: finding.mend ?? '' };
  try {
    if ((await lookForLockNamespace(gateway)) === 'there') return { thing, state: 'was there' };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: lockNamespace } };
    await gateway.create(namespace, { fieldManager, timeoutSeconds: questionSeconds });
    return { thing, state: 'made' };
  } catch (error) {
    // Somebody else was faster.
    if (statusOf(error) === 409) return { thing, state: 'was there' };
    const at = context === undefined ? '' : ` --context ${context}`;
    const mend =
      statusOf(error) === 403
        ? `as someone who may: kubectl${at} create namespace ${lockNamespace}`
        : mendForServer(error, gateway.server);
    return { thing, state: 'cannot', because: sentenceOf(error), mend };
  } finally {
    await gateway.close();
  }
}
