import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { auditNames, type Checkpoint, type SignedCheckpoint } from '../../contracts/audit.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { fieldManager, lockNamespace } from '../../contracts/names.ts';
import type { Target } from '../../contracts/target.ts';
import { checkpointStatement, readCheckpoint } from '../../domain/audit.ts';
import { updatedLease } from '../../domain/lock.ts';
import { readPublicKey } from '../../encryption/keys.ts';
import { signDetached, verifyDetached } from '../../encryption/signatures.ts';
import { failure } from '../failures.ts';
import { getLease, leaseRef } from '../locks/lease.ts';

/** The checkpoint stays unsigned; the note says why and what to do. */
export interface NotSigned {
  state: 'notSigned';
  note: string;
}

/** A key as the Secret has it. It leaves this file only as a signature. */
interface SigningKey {
  privateKey: string;
  publicKey: string;
  passphrase?: string;
}

/**
 * Signs a checkpoint with the key of the target's cluster and notes it on the target's Lease, outside the bucket.
 * Idempotent: a second attempt signs the same statement at another time, and a newer checkpoint is never replaced by
 * an older one.
 * @throws AuditBroken when the Lease has another history
 */
export async function signCheckpoint(
  gateway: KubernetesGateway,
  target: Target,
  checkpoint: Checkpoint,
  signal: AbortSignal,
): Promise<SignedCheckpoint | NotSigned> {
  const key = await readKey(gateway, signal);
  if ('state' in key) return key;
  const signed = await sign(checkpoint, key);
  if ('state' in signed) return signed;
  await note(gateway, target, signed, signal);
  return signed;
}

const secret = `Secret ${lockNamespace}/${auditNames.keySecret}`;

async function readKey(gateway: KubernetesGateway, signal: AbortSignal): Promise<SigningKey | NotSigned> {
  try {
    const ref = { apiVersion: 'v1', kind: 'Secret', namespace: lockNamespace, name: auditNames.keySecret };
    const { data } = await gateway.get(ref, { signal });
    const [privateKey, publicKey, passphrase] = ['private.asc', 'public.asc', 'passphrase'].map((name) =>
      decoded(data, name),
    );
    if (privateKey === undefined || publicKey === undefined)
      return notSigned(`${secret} has no private.asc or no public.asc; see docs/audit.md`);
    return { privateKey, publicKey, ...(passphrase === undefined ? {} : { passphrase }) };
  } catch (error) {
    const status = error instanceof KubernetesError ? error.status : undefined;
    if (status === 404) return notSigned(`there is no ${secret}; make it with: runbook setup`);
    if (status === 403)
      return notSigned(
        `the worker may not read ${secret}; grant it the role of deploy/kubernetes/worker.yaml`,
      );
    throw error;
  }
}

function decoded(data: unknown, name: string): string | undefined {
  const value = (data as Record<string, unknown> | undefined)?.[name];
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined;
}

/** What goes wrong with a key is said without its text: errors of the library may quote it. */
async function sign(checkpoint: Checkpoint, key: SigningKey): Promise<SignedCheckpoint | NotSigned> {
  const { target, sequence, head } = checkpoint;
  const at = new Date().toISOString();
  const statement = checkpointStatement({ target, sequence, head, at });
  try {
    const signature = await signDetached(statement, key.privateKey, key.passphrase);
    // A public key that belongs to another private one would make a signature that nobody can verify.
    await verifyDetached(statement, signature, key.publicKey);
    const { fingerprint } = await readPublicKey(key.publicKey);
    return { target, sequence, head, at, fingerprint, signature };
  } catch {
    return notSigned(
      `the key in ${secret} cannot sign: it is no OpenPGP key, has expired, has another passphrase, or public.asc is not its public part`,
    );
  }
}

/** So many writers of one Lease in one moment are no accident. */
const mostConflicts = 5;

async function note(
  gateway: KubernetesGateway,
  target: Target,
  signed: SignedCheckpoint,
  signal: AbortSignal,
): Promise<void> {
  for (let conflicts = 0; ; conflicts++) {
    const lease = await getLease(gateway, target, signal);
    if (!replaces(target, signed, lease)) return;
    try {
      await write(gateway, target, lease, signed, signal);
      return;
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status !== 409 || conflicts === mostConflicts)
        throw error;
    }
  }
}

/** @throws AuditBroken when the Lease has the same number with another hash */
function replaces(target: Target, signed: SignedCheckpoint, lease: KubernetesObject | undefined): boolean {
  const former = readCheckpoint(parseJson(lease?.metadata.annotations?.[auditNames.checkpoint]));
  if (former?.target !== signed.target || former.sequence < signed.sequence) return true;
  if (former.sequence > signed.sequence) return false;
  if (former.head === signed.head) return true;
  throw failure(
    'AuditBroken',
    `entry ${signed.sequence} of the audit log of target ${target.profile.target} is another one than the checkpoint on Lease ${lockNamespace}/${leaseRef(target).name} was signed for; compare the log with that checkpoint: runbook audit verify --checkpoint`,
  );
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return undefined;
  }
}

async function write(
  gateway: KubernetesGateway,
  target: Target,
  lease: KubernetesObject | undefined,
  signed: SignedCheckpoint,
  signal: AbortSignal,
): Promise<void> {
  const content = updatedLease(lease, leaseRef(target).name, {}, new Date().toISOString());
  const annotations = { ...content.metadata.annotations, [auditNames.checkpoint]: JSON.stringify(signed) };
  const object = { ...content, metadata: { ...content.metadata, annotations } };
  if (lease === undefined) await gateway.create(object, { fieldManager, signal });
  else await gateway.replace(object, { fieldManager, signal });
}

function notSigned(note: string): NotSigned {
  return { state: 'notSigned', note };
}
