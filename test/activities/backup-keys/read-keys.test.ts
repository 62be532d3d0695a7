import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ApplicationFailure } from '@temporalio/activity';
import { generateKey } from 'openpgp';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkOnlineKey,
  describeExpiring,
  readBackupKeys,
  readPublicKeys,
  readSealingKeys,
} from '../../../src/activities/backups/keys.ts';
import { KubernetesError } from '../../../src/clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../../src/clients/kubernetes/gateway.ts';
import { backupKeyNames } from '../../../src/contracts/backup-keys.ts';
import { targetProfileSchema, type Target } from '../../../src/contracts/target.ts';
import { makeKeyPair, type KeyPair } from '../../encryption/support/keys.ts';

const target: Target = {
  digest: 'd'.repeat(64),
  profile: targetProfileSchema.parse({
    target: 'shop',
    namespace: 'shop',
    workload: 'web',
    workloads: { web: { kind: 'Deployment', container: 'web' } },
    health: { via: 'url', url: 'http://web', path: '/health' },
  }),
};
const signal = new AbortController().signal;

async function failureOf(promise: Promise<unknown>): Promise<{ type: string; message: string }> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof ApplicationFailure) return { type: error.type ?? '', message: error.message };
    throw error;
  }
  throw new Error('expected a failure');
}

/** A cluster in which only the Secret of the target can be read; or reading it ends with that status. */
function clusterWith(content: Record<string, string> | number): KubernetesGateway {
  const get: KubernetesGateway['get'] = (ref) => {
    expect(ref).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      namespace: 'runbooks',
      name: 'runbook-backup-shop',
    });
    if (typeof content === 'number')
      throw new KubernetesError({
        operation: 'GET',
        reason: 'X',
        status: content,
        retryable: content >= 500,
      });
    const data = Object.entries(content).map(([name, text]) => [name, Buffer.from(text).toString('base64')]);
    return Promise.resolve({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: ref.name },
      data: Object.fromEntries(data) as Record<string, string>,
    });
  };
  return { get } as unknown as KubernetesGateway;
}

describe('the private keys of a target', () => {
  test('are the current one with its passphrase, then former online ones with theirs, and no other data', async () => {
    const former = backupKeyNames.former('ab12cd34'.padEnd(40, '0'));
    const cluster = clusterWith({
      'signing.asc': 'S',
      'online.asc': 'O',
      'online.passphrase': 'open\n',
      'online-FFFFFFFF.asc': 'F',
      [former.privateKey]: 'A',
      [former.passphrase]: 'sesame',
      'online-short.asc': 'x',
      'online.asc.bak': 'y',
      'escrow.asc': 'z',
    });
    expect(await readBackupKeys(cluster, target, 'online', signal)).toEqual([
      { armored: 'O', passphrase: 'open' },
      { armored: 'A', passphrase: 'sesame' },
      { armored: 'F' },
    ]);
    expect(await readBackupKeys(cluster, target, 'signing', signal)).toEqual([{ armored: 'S' }]);
  });

  test('that are missing are a failure that says how to make them', async () => {
    expect(await failureOf(readBackupKeys(clusterWith(404), target, 'online', signal))).toEqual({
      type: 'NotFound',
      message:
        "there is no Secret runbooks/runbook-backup-shop in the target's cluster; make it with: runbook keys create signing --target shop and runbook keys create online --target shop",
    });
    expect(
      await failureOf(readBackupKeys(clusterWith({ 'online.asc': 'O' }), target, 'signing', signal)),
    ).toEqual({
      type: 'NotFound',
      message:
        'Secret runbooks/runbook-backup-shop has no signing.asc; make it with: runbook keys create signing --target shop',
    });
    expect((await failureOf(readBackupKeys(clusterWith({}), target, 'online', signal))).type).toBe(
      'NotFound',
    );
  });

  test('that may not be read say which role is missing; a server that is away stays what it is', async () => {
    expect(await failureOf(readBackupKeys(clusterWith(403), target, 'online', signal))).toEqual({
      type: 'Forbidden',
      message: expect.stringContaining('deploy/kubernetes/backup.yaml') as unknown,
    });
    await expect(readBackupKeys(clusterWith(503), target, 'online', signal)).rejects.toBeInstanceOf(
      KubernetesError,
    );
  });
});

describe('the public keys that a profile names', () => {
  const folder = mkdtempSync(join(tmpdir(), 'runbook-keys-'));
  const keys = {
    signing: ['keys/a.asc', 'keys/b.asc'],
    online: 'keys/online.asc',
    escrow: 'keys/escrow.asc',
  };
  const pairs = new Map<string, KeyPair>();

  beforeAll(async () => {
    mkdirSync(join(folder, 'keys'));
    for (const name of ['a', 'b', 'online', 'escrow']) {
      const pair = await makeKeyPair(name);
      pairs.set(name, pair);
      writeFileSync(join(folder, 'keys', `${name}.asc`), pair.publicKey);
    }
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test('come with their fingerprints; both recipients are there', async () => {
    const read = await readPublicKeys(folder, keys);
    expect(read).toEqual({
      signing: [pairs.get('a')?.publicKey, pairs.get('b')?.publicKey],
      recipients: [pairs.get('online')?.publicKey, pairs.get('escrow')?.publicKey],
      fingerprints: {
        signing: [pairs.get('a')?.fingerprint, pairs.get('b')?.fingerprint],
        online: pairs.get('online')?.fingerprint,
        escrow: pairs.get('escrow')?.fingerprint,
      },
      expiring: [],
    });
  });

  test('are refused by field and file when one is missing, outside, private, or no key', async () => {
    writeFileSync(join(folder, 'keys', 'junk.asc'), 'canary-4711');
    writeFileSync(join(folder, 'keys', 'private.asc'), pairs.get('a')?.privateKey ?? '');
    symlinkSync('/etc/hostname', join(folder, 'keys', 'link.asc'));
    const cases: [string, RegExp][] = [
      ['keys/missing.asc', /^backup\.keys\.online: keys\/missing\.asc cannot be read \(ENOENT\)$/],
      ['keys', /^backup\.keys\.online: keys cannot be used: it is no file$/],
      ['keys/link.asc', /^backup\.keys\.online: keys\/link\.asc cannot be used: it lies outside/],
      [
        'keys/junk.asc',
        /^backup\.keys\.online: keys\/junk\.asc cannot be used: it is no public key in text form/,
      ],
      ['keys/private.asc', /^backup\.keys\.online: keys\/private\.asc cannot be used: it is a private key/],
    ];
    for (const [online, sentence] of cases) {
      const answer = await failureOf(readPublicKeys(folder, { ...keys, online }));
      expect(answer).toEqual({ type: 'InvalidProfile', message: expect.stringMatching(sentence) as unknown });
      expect(answer.message).not.toContain('canary');
    }
    expect(
      (await failureOf(readPublicKeys(folder, { ...keys, signing: ['keys/a.asc', 'keys/x.asc'] }))).message,
    ).toMatch(/^backup\.keys\.signing\[1\]: keys\/x\.asc cannot be read/);
  });

  test('that new backups need and that expire within thirty days are named; older signing keys are not', async () => {
    const validDays = async (name: string, days: number): Promise<string> => {
      const { publicKey } = await generateKey({
        type: 'ecc',
        curve: 'curve25519Legacy',
        userIDs: { name },
        keyExpirationTime: days * 86_400,
      });
      writeFileSync(join(folder, 'keys', `${name}.asc`), publicKey);
      return `keys/${name}.asc`;
    };
    const [soon, later] = [await validDays('soon', 29), await validDays('later', 31)];
    const old = { ...keys, signing: [keys.signing[0] ?? '', soon], online: later };
    expect((await readPublicKeys(folder, old)).expiring).toEqual([]);
    const read = await readPublicKeys(folder, { ...keys, online: soon });
    expect(describeExpiring(read, target)).toEqual([
      expect.stringMatching(
        /^make another online key \(runbook keys create online --target shop --rotate\): [0-9A-F]{40} expires at \d{4}-\d\d-\d\d; no backup/,
      ),
    ]);
  });

  // Regression: backups were made that no worker could open, and the run and doctor said that all was well.
  test.each([
    ['of the file fits', 'online', undefined],
    [
      'of another file does not',
      'escrow',
      /^backup\.keys\.online: .* does not fit the file.*runbook keys list/,
    ],
    ['that is none does not', undefined, /^backup\.keys\.online: .* does not fit the file/],
  ])('the private online key %s', async (_, name, sentence) => {
    const armored = name === undefined ? 'canary-4711' : (pairs.get(name)?.privateKey ?? '');
    const { recipients } = await readPublicKeys(folder, keys);
    const checking = checkOnlineKey(clusterWith({ 'online.asc': armored }), target, recipients, signal);
    if (sentence === undefined) {
      await checking;
      return;
    }
    const { type, message } = await failureOf(checking);
    expect(type).toBe('InvalidProfile');
    expect(message).toMatch(sentence);
    expect(message).not.toContain('canary');
  });

  describe('seal a new backup', () => {
    const sealing = (signing: string, named = keys) =>
      readSealingKeys(clusterWith({ 'signing.asc': signing }), folder, target, { keys: named }, signal);

    test('with the private key of the first that may sign', async () => {
      const { publicKeys, sealer } = await sealing(pairs.get('a')?.privateKey ?? '');
      expect(sealer.signer).toBe(pairs.get('a')?.fingerprint);
      expect(publicKeys.recipients).toHaveLength(2);
    });

    test('never with another private key, not even that of an older one', async () => {
      const { fingerprint = '' } = pairs.get('b') ?? {};
      expect(await failureOf(sealing(pairs.get('b')?.privateKey ?? ''))).toEqual({
        type: 'InvalidProfile',
        message: expect.stringMatching(
          new RegExp(
            `^backup.keys.signing: the first key is [0-9A-F]{40}, but workers sign with ${fingerprint};`,
          ),
        ) as unknown,
      });
    });

    test('never to a key that has expired, and say so before anything is stored', async () => {
      const { publicKey } = await generateKey({
        type: 'ecc',
        curve: 'curve25519Legacy',
        userIDs: { name: 'old' },
        date: new Date(Date.now() - 10 * 86_400_000),
        keyExpirationTime: 86_400,
      });
      writeFileSync(join(folder, 'keys', 'old.asc'), publicKey);
      const answer = failureOf(
        sealing(pairs.get('a')?.privateKey ?? '', { ...keys, escrow: 'keys/old.asc' }),
      );
      expect(await answer).toEqual({
        type: 'InvalidProfile',
        message: expect.stringMatching(
          /the recipient's key [0-9A-F]{40} is expired; runbook keys list tells/,
        ) as unknown,
      });
    });
  });

  test('are refused when the escrow key is the online key, whatever the files are called', async () => {
    writeFileSync(join(folder, 'keys', 'copy.asc'), pairs.get('online')?.publicKey ?? '');
    expect(await failureOf(readPublicKeys(folder, { ...keys, escrow: 'keys/copy.asc' }))).toEqual({
      type: 'InvalidProfile',
      message: expect.stringMatching(/^backup\.keys\.escrow: is the online key/) as unknown,
    });
  });
});
