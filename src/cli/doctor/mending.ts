import { registerSearchAttributes } from '../../clients/temporal/search-attributes.ts';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { Config } from '../../config.ts';
import { auditNames } from '../../contracts/audit.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { generateSigningKey, readPublicKey } from '../../encryption/keys.ts';
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

/**
 * Makes in the cluster of each target the namespace of locks, and in it the key of the audit log. Targets that share a
 * cluster share both.
 */
export async function mendClusters(config: Config, profiles: TargetProfile[]): Promise<Mended[]> {
  const byContext = new Map(profiles.map((profile) => [profile.cluster?.context ?? '', profile]));
  const mended = await Promise.all([...byContext.values()].map((profile) => mendCluster(config, profile)));
  return mended.flat();
}

async function mendCluster(config: Config, profile: TargetProfile): Promise<Mended[]> {
  const { gateway, finding } = openCluster(config, profile);
  const namespace = `namespace ${lockNamespace}${inCluster(profile)}`;
  if (gateway === undefined)
    return [{ thing: namespace, state: 'cannot', because: finding.found, mend: finding.mend ?? '' }];
  try {
    const mended = await mendLockNamespace(gateway, namespace, profile);
    return mended.state === 'cannot' ? [mended] : [mended, ...(await mendAuditKey(gateway, profile))];
  } finally {
    await gateway.close();
  }
}

function inCluster({ cluster }: TargetProfile): string {
  return ` in the cluster${cluster === undefined ? '' : ` ${cluster.context}`}`;
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
    await gateway.create(namespace, limit);
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

const limit = { fieldManager, timeoutSeconds: questionSeconds };

/**
 * Makes the key that signs checkpoints, unless there is one: the Secret is only ever created. The public part goes
 * into a ConfigMap, for auditors. The private one goes nowhere else.
 */
async function mendAuditKey(gateway: KubernetesGateway, profile: TargetProfile): Promise<Mended[]> {
  const where = inCluster(profile);
  const thing = `Secret ${lockNamespace}/${auditNames.keySecret}${where}`;
  try {
    const made = await makeKey(gateway);
    const publicKey = made ?? (await readOwnKey(gateway));
    const { fingerprint } = await readPublicKey(publicKey);
    const secret: Mended = {
      thing: `${thing}, the key ${fingerprint} of the audit log`,
      state: made === undefined ? 'was there' : 'made',
    };
    const published = await create(gateway, configMap(publicKey));
    const copy = `ConfigMap ${lockNamespace}/${auditNames.publicKey}${where}, its public part`;
    return [secret, { thing: copy, state: published ? 'made' : 'was there' }];
  } catch (error) {
    return [{ thing, state: 'cannot', ...refusalOf(error, gateway.server) }];
  }
}

function refusalOf(error: unknown, server: string): { because: string; mend: string } {
  if (!(error instanceof KubernetesError))
    return {
      because: `its public.asc is missing or no public key`,
      mend: 'put the public key of private.asc into the Secret as public.asc; docs/audit.md says how',
    };
  const mend =
    error.status === 403
      ? 'run this as someone who may get and create secrets and configmaps in that namespace'
      : mendForServer(error, server);
  return { because: sentenceOf(error), mend };
}

/** The public part of the key that was made; undefined when there is one already. */
async function makeKey(gateway: KubernetesGateway): Promise<string | undefined> {
  try {
    await gateway.getMetadata(secretRef, limit);
    return undefined;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
  const { privateKey, publicKey } = await generateSigningKey({ name: 'runbook audit log' });
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: auditNames.keySecret, namespace: lockNamespace },
    type: 'Opaque',
    stringData: { 'private.asc': privateKey, 'public.asc': publicKey },
  };
  return (await create(gateway, secret)) ? publicKey : undefined;
}

const secretRef = {
  apiVersion: 'v1',
  kind: 'Secret',
  namespace: lockNamespace,
  name: auditNames.keySecret,
};

async function readOwnKey(gateway: KubernetesGateway): Promise<string> {
  const { data } = await gateway.get(secretRef, limit);
  const value = (data as Record<string, unknown> | undefined)?.['public.asc'];
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : '';
}

function configMap(publicKey: string): KubernetesObject {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: auditNames.publicKey, namespace: lockNamespace },
    data: { 'public.asc': publicKey },
  };
}

/** Whether it was created; false when it was there. */
async function create(gateway: KubernetesGateway, object: KubernetesObject): Promise<boolean> {
  try {
    await gateway.create(object, limit);
    return true;
  } catch (error) {
    if (statusOf(error) === 409) return false;
    throw error;
  }
}
