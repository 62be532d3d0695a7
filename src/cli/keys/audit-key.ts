import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { auditNames } from '../../contracts/audit.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { TargetProfile } from '../../contracts/target.ts';
import { makeKeyPair } from '../../encryption/key-pairs.ts';
import { readPublicKey } from '../../encryption/keys.ts';
import { sentenceOf, statusOf } from '../doctor/answers.ts';
import { mendForServer } from '../doctor/cluster.ts';
import { questionSeconds, type Mended } from '../doctor/finding.ts';

const limit = { fieldManager, timeoutSeconds: questionSeconds };

/**
 * Makes the key that signs checkpoints, unless there is one: the Secret is only ever created. The public part goes
 * into a ConfigMap, for auditors. The private one goes nowhere else.
 */
export async function mendAuditKey(
  gateway: KubernetesGateway,
  profile: TargetProfile,
  validDays?: number,
): Promise<Mended[]> {
  const where = inCluster(profile);
  const thing = `Secret ${lockNamespace}/${auditNames.keySecret}${where}`;
  try {
    const made = await makeKey(gateway, validDays);
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
async function makeKey(
  gateway: KubernetesGateway,
  validDays: number | undefined,
): Promise<string | undefined> {
  try {
    await gateway.getMetadata(secretRef, limit);
    return undefined;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
  const { privateKey, publicKey } = await makeKeyPair({
    owner: { name: 'runbook audit log' },
    ...(validDays === undefined ? {} : { validDays }),
  });
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

/** Which cluster, for people. */
export function inCluster({ cluster }: TargetProfile): string {
  return ` in the cluster${cluster === undefined ? '' : ` ${cluster.context}`}`;
}
