import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { signCheckpoint, type NotSigned } from '../../../src/activities/audit/checkpoint.ts';
import { translate } from '../../../src/activities/kubernetes/failures.ts';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { auditNames, type Checkpoint, type SignedCheckpoint } from '../../../src/contracts/audit.ts';
import type { ObjectRef } from '../../../src/contracts/kubernetes.ts';
import { lockAnnotations } from '../../../src/contracts/lock.ts';
import { lockNamespace } from '../../../src/contracts/names.ts';
import type { Target } from '../../../src/contracts/target.ts';
import { checkpointStatement } from '../../../src/domain/audit.ts';
import { leaseName } from '../../../src/domain/lock.ts';
import { generateSigningKey } from '../../../src/encryption/key-pairs.ts';
import { verifyDetached } from '../../../src/encryption/signatures.ts';
import { unique } from '../../support/stack.ts';
import { Place } from '../support/place.ts';
import { act, failureOf, textOf } from '../support/run-activity.ts';

type Key = Awaited<ReturnType<typeof generateSigningKey>>;
type Result = SignedCheckpoint | NotSigned;

const passphrase = 'canary-passphrase-71c0';
let place: Place;
let key: Key;
let locked: Key;
let target: Target;

beforeAll(async () => {
  place = await Place.open();
  key = await generateSigningKey({ name: 'audit' });
  locked = await generateSigningKey({ name: 'audit' }, passphrase);
});
afterAll(async () => {
  await place.close();
});
beforeEach(async () => {
  const name = unique('target');
  place.writeProfile(name);
  ({ target } = await act(place.activities.resolveTarget, { target: name }));
});

/** The cluster with another behaviour of some methods. Other tests share its Secret, so each brings its own. */
function gatewayWith(change: Partial<KubernetesGateway>): KubernetesGateway {
  return new Proxy(place.gateway, {
    get: (original, name: keyof KubernetesGateway) => {
      const method: unknown = change[name] ?? Reflect.get(original, name);
      return typeof method === 'function' ? (method.bind(original) as unknown) : method;
    },
  });
}

/** The cluster in which the Secret holds this; or reading it ends with that status. */
function clusterWith(content: Record<string, string> | number, change: Partial<KubernetesGateway> = {}) {
  return gatewayWith({
    get: async (ref: ObjectRef, options) => {
      if (ref.kind !== 'Secret') return await place.gateway.get(ref, options);
      expect(ref).toMatchObject({ namespace: lockNamespace, name: auditNames.keySecret });
      if (typeof content === 'number')
        throw new KubernetesError({
          operation: 'GET secrets',
          reason: 'X',
          status: content,
          retryable: content >= 500,
        });
      const data = Object.fromEntries(
        Object.entries(content).map(([name, value]) => [name, Buffer.from(value).toString('base64')]),
      );
      return { apiVersion: 'v1', kind: 'Secret', metadata: { name: ref.name }, data };
    },
    ...change,
  });
}

const good = (): Record<string, string> => ({ 'private.asc': key.privateKey, 'public.asc': key.publicKey });

async function sign(checkpoint: Checkpoint, gateway = clusterWith(good())): Promise<Result> {
  const { signal } = new AbortController();
  return await act(
    (one: Checkpoint) => translate(() => signCheckpoint(gateway, target, one, signal)),
    checkpoint,
  );
}

function at(sequence: number, head = 'a'.repeat(64)): Checkpoint {
  return { target: target.profile.target, sequence, head };
}

const leaseRef = (): ObjectRef => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: lockNamespace,
  name: leaseName(target.profile),
});

async function annotations(): Promise<Record<string, string>> {
  return (await place.gateway.get(leaseRef())).metadata.annotations ?? {};
}

async function noted(): Promise<SignedCheckpoint> {
  return JSON.parse((await annotations())[auditNames.checkpoint] ?? 'null') as SignedCheckpoint;
}

async function annotate(text: string): Promise<void> {
  const lease = await place.gateway.get(leaseRef());
  const metadata = {
    ...lease.metadata,
    annotations: { ...lease.metadata.annotations, [auditNames.checkpoint]: text },
  };
  await place.gateway.replace({ ...lease, metadata }, { fieldManager: 'someone' });
}

test('a checkpoint is signed, and kept on the Lease of the target, which may be new', async () => {
  const signed = (await sign(at(7))) as SignedCheckpoint;
  expect(signed).toMatchObject({ ...at(7), fingerprint: key.fingerprint });
  expect(await verifyDetached(checkpointStatement(signed), signed.signature, key.publicKey)).toMatchObject({
    fingerprint: key.fingerprint,
  });
  expect(await noted()).toEqual(signed);
});

test('a key with a passphrase signs, too', async () => {
  const content = { 'private.asc': locked.privateKey, 'public.asc': locked.publicKey, passphrase };
  expect(await sign(at(1), clusterWith(content))).toMatchObject({ fingerprint: locked.fingerprint });
});

describe('the Lease', () => {
  test('keeps everything else that is on it', async () => {
    await place.hold(target.profile.target);
    const before = (await annotations())[lockAnnotations.holder];
    await sign(at(1));
    expect((await annotations())[lockAnnotations.holder]).toBe(before);
    expect(await noted()).toMatchObject(at(1));
  });

  test.each([
    [6, 7],
    [7, 7],
    [8, 8],
  ])('with a checkpoint of entry 7 gets one of entry %i: then it has %i', async (next, kept) => {
    await sign(at(7));
    expect(await sign(at(next))).toMatchObject({ sequence: next });
    expect(await noted()).toMatchObject({ sequence: kept });
  });

  test('with another history is said to be so, and keeps what it has', async () => {
    await sign(at(7));
    const failure = await failureOf(sign(at(7, 'b'.repeat(64))));
    expect(failure).toMatchObject({ type: 'AuditBroken', nonRetryable: true });
    expect(failure.message).toContain(`Lease runbooks/${leaseName(target.profile)}`);
    expect(await noted()).toMatchObject(at(7));
  });

  test.each(['', 'no JSON', '{"sequence":99}'])(
    'with an annotation that is none (%j) gets a new one',
    async (text) => {
      await sign(at(1));
      await annotate(text);
      await sign(at(2));
      expect(await noted()).toMatchObject(at(2));
    },
  );

  test('that someone writes at the same moment is written again', async () => {
    await sign(at(1));
    let conflicts = 0;
    const gateway = clusterWith(good(), {
      replace: async (object, options) => {
        if (conflicts++ === 0) await place.hold(target.profile.target);
        return await place.gateway.replace(object, options);
      },
    });
    await sign(at(2), gateway);
    expect(conflicts).toBe(2);
    expect(await noted()).toMatchObject(at(2));
    expect(Object.keys(await annotations())).toContain(lockAnnotations.holder);
  });

  test('of several workers that write at once has the newest in the end', async () => {
    await Promise.all([3, 1, 4, 2].map((sequence) => sign(at(sequence))));
    expect(await noted()).toMatchObject({ sequence: 4 });
  });
});

describe('not signed, with what to do', () => {
  async function noteOf(gateway: KubernetesGateway): Promise<string> {
    const result = await sign(at(1), gateway);
    expect(result).toEqual({ state: 'notSigned', note: expect.any(String) as unknown });
    await expect(place.gateway.get(leaseRef())).rejects.toMatchObject({ status: 404 });
    return (result as NotSigned).note;
  }

  test('without the Secret', async () => {
    expect(await noteOf(clusterWith(404))).toBe(
      'there is no Secret runbooks/runbook-audit-key; make it with: runbook setup',
    );
  });

  test('without the right to read it', async () => {
    expect(await noteOf(clusterWith(403))).toContain('grant it the role of deploy/kubernetes/worker.yaml');
  });

  test.each([{}, { 'private.asc': 'x' }, { 'public.asc': 'x' }])(
    'with a part missing (%j)',
    async (content) => {
      expect(await noteOf(clusterWith(content as Record<string, string>))).toContain(
        'has no private.asc or no public.asc',
      );
    },
  );

  test('with a key that cannot sign, and never shows it', async () => {
    const other = { ...good(), 'public.asc': locked.publicKey };
    const wrong = {
      'private.asc': locked.privateKey,
      'public.asc': locked.publicKey,
      passphrase: 'canary-wrong',
    };
    const none = { 'private.asc': 'canary-no-key', 'public.asc': key.publicKey };
    for (const content of [other, wrong, none]) {
      const note = await noteOf(clusterWith(content));
      expect(note).toContain('the key in Secret runbooks/runbook-audit-key cannot sign');
      expect(note).not.toMatch(/canary|BEGIN/);
    }
  });
});

test('a cluster that does not answer is repeated, and nothing of the key is shown', async () => {
  const broken = new KubernetesError({ operation: 'PUT leases', reason: 'X', status: 500, retryable: true });
  await sign(at(1));
  for (const gateway of [clusterWith(500), clusterWith(good(), { replace: () => Promise.reject(broken) })]) {
    const failure = await failureOf(sign(at(2), gateway));
    expect(failure).toMatchObject({ type: 'Unavailable', nonRetryable: false });
    expect(textOf(failure)).not.toContain('PRIVATE KEY');
  }
});
