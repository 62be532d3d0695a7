import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import { backupKeyNames, type ClusterKey } from '../../contracts/backup-keys.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import { KeyUnusable, readPrivateKeyFacts } from '../../encryption/keys.ts';
import { questionSeconds } from '../doctor/finding.ts';
import { UsageError } from '../exit-codes.ts';

/** The Secret with the private keys of one target, as it was read; without `object` it is not there. */
export interface KeySecret {
  /** How people are told of it. */
  name: string;
  object?: KubernetesObject;
  /** Still in base64: nothing is decoded that is not needed. */
  data: Record<string, string>;
}

const limit = { fieldManager, timeoutSeconds: questionSeconds };

/** Reads a Secret with private keys, in the namespace of locks. */
export async function readKeySecret(gateway: KubernetesGateway, secret: string): Promise<KeySecret> {
  const ref = refOf(secret);
  const name = `Secret ${ref.namespace}/${ref.name}`;
  try {
    const object = await gateway.get(ref, limit);
    const data = Object.entries(object.data ?? {}).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    );
    return { name, object, data: Object.fromEntries(data) };
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 404) return { name, data: {} };
    throw error;
  }
}

/** The text under one of its data keys. */
export function textIn({ data }: KeySecret, dataKey: string): string | undefined {
  const value = data[dataKey];
  return value === undefined ? undefined : Buffer.from(value, 'base64').toString();
}

/**
 * Puts a private key into the Secret as it was read; a Secret that changed meanwhile is refused by the server. Of an
 * online key the former one stays under a name of its own, since backups from before are encrypted to it.
 * Returns the data key that the former one got. @throws UsageError
 */
export async function writePrivateKey(
  gateway: KubernetesGateway,
  target: string,
  secret: KeySecret,
  which: ClusterKey,
  privateKey: string,
): Promise<string | undefined> {
  const former = which === 'online' ? await formerKey(secret) : undefined;
  const data = { ...secret.data, ...former?.data, [backupKeyNames.privateKey(which)]: base64(privateKey) };
  // It belongs to the key before; the new one has none.
  Reflect.deleteProperty(data, backupKeyNames.passphrase(which));
  const { namespace, name, ...kind } = refOf(backupKeyNames.secret(target));
  try {
    if (secret.object === undefined)
      await gateway.create({ ...kind, metadata: { namespace, name }, type: 'Opaque', data }, limit);
    else await gateway.replace({ ...secret.object, ...kind, data }, limit);
    return former?.dataKey;
  } catch (error) {
    throw refusalOf(error, secret);
  }
}

async function formerKey(
  secret: KeySecret,
): Promise<{ dataKey: string; data: Record<string, string> } | undefined> {
  const current = backupKeyNames.privateKey('online');
  const text = textIn(secret, current);
  if (text === undefined) return undefined;
  try {
    const names = backupKeyNames.former((await readPrivateKeyFacts(text)).fingerprint);
    const key = secret.data[current] ?? '';
    const passphrase = secret.data[backupKeyNames.passphrase('online')];
    if ((secret.data[names.privateKey] ?? key) !== key)
      throw new UsageError(`${secret.name} has another key under ${names.privateKey}; rename that first`);
    return {
      dataKey: names.privateKey,
      data: {
        [names.privateKey]: key,
        ...(passphrase === undefined ? {} : { [names.passphrase]: passphrase }),
      },
    };
  } catch (error) {
    if (!(error instanceof KeyUnusable)) throw error;
    throw new UsageError(
      `${secret.name}, ${current}: ${error.message}. It is not replaced, since nobody could open it any more; move it away by hand first`,
    );
  }
}

function refusalOf(error: unknown, { name, object }: KeySecret): unknown {
  const status = error instanceof KubernetesError ? error.status : undefined;
  if (status === 409)
    return new UsageError(`somebody else wrote ${name} meanwhile; nothing was changed, run this again`);
  if (status === 404 && object === undefined)
    return new UsageError(`there is no namespace ${lockNamespace} in the cluster; run first: runbook setup`);
  return error;
}

function refOf(name: string): { apiVersion: string; kind: string; namespace: string; name: string } {
  return { apiVersion: 'v1', kind: 'Secret', namespace: lockNamespace, name };
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
