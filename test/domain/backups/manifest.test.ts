import { describe, expect, test } from '@jest/globals';
import type { BackupManifest, VerificationRecord } from '../../../src/contracts/backup-manifest.ts';
import { readManifest, readVerification, renderSigned } from '../../../src/domain/backups/manifest.ts';
import { at } from '../../support/builders.ts';

const hash = 'a'.repeat(64);
const run = { workflowId: 'backup/1', firstRunId: 'run-1', procedure: 'backup' };

function aManifest(change: Partial<BackupManifest> = {}): BackupManifest {
  return {
    format: 'runbook-backup/1',
    backupId: '20260301-030000-0a1b2c3d',
    target: 'shop',
    namespace: 'shop',
    profileDigest: hash,
    run,
    startedAt: at(0),
    completedAt: at(5),
    cluster: { version: 'v1.36.1', server: 'https://127.0.0.1:6443' },
    consistency: 'snapshot',
    resourceVersion: '42',
    kinds: [
      {
        apiVersion: 'v1',
        kind: 'Secret',
        plural: 'secrets',
        namespaced: true,
        objects: 2,
        resourceVersion: '42',
        consistency: 'snapshot',
      },
    ],
    objects: 2,
    parts: [
      {
        name: 'parts/0000-secrets-1.tar.gz.gpg',
        bytes: 10,
        sha256: hash,
        objects: 2,
        plainBytes: 20,
        kinds: ['secrets'],
      },
    ],
    indexes: [{ name: 'index-0001-1.ndjson.gz.gpg', bytes: 5, sha256: hash, entries: 2, plainBytes: 9 }],
    logs: [],
    missing: [],
    hooks: [],
    encryptedTo: ['F'.repeat(40)],
    signedBy: 'E'.repeat(40),
    locations: [{ name: 'default', at: 's3://bucket/backups/shop/20260301-030000-0a1b2c3d/' }],
    versions: { runbook: '1', node: '24.21.0' },
    ...change,
  };
}

const expected = { target: 'shop', backupId: '20260301-030000-0a1b2c3d' };

describe('a manifest', () => {
  test('comes back as it was written', () => {
    expect(readManifest(renderSigned(aManifest()), expected)).toEqual(aManifest());
  });

  test('is the same text whatever the order of its fields', () => {
    const reversed = Object.fromEntries(Object.entries(aManifest()).reverse()) as unknown as BackupManifest;
    expect(renderSigned(reversed)).toBe(renderSigned(aManifest()));
  });

  test.each<[string, Partial<BackupManifest>, RegExp]>([
    ['of another target', { target: 'other' }, /another backup: other\//],
    ['of another, older backup', { backupId: '20250301-030000-0a1b2c3d' }, /another backup: shop\/2025/],
    ['whose kinds have another count', { objects: 3 }, /contradict/],
    ['whose parts have another count', { parts: [] }, /contradict/],
    ['whose index has another count', { indexes: [] }, /contradict/],
  ])('%s is refused', (_, change, sentence) => {
    expect(readManifest(renderSigned(aManifest(change)), expected)).toMatch(sentence);
  });

  test('that names a file twice is refused', () => {
    const [part] = aManifest().parts;
    const parts = [part!, { ...part!, objects: 0 }];
    expect(readManifest(renderSigned(aManifest({ parts })), expected)).toMatch(/twice/);
  });

  test.each([
    '../../etc/passwd',
    'parts/../../x',
    '/parts/x',
    'parts/a/b',
    'parts/.hidden',
    'parts\\x',
    '',
    'parts/x\n',
  ])('with a file named %j is refused: it could lead out of its folder', (name) => {
    const [part] = aManifest().parts;
    expect(readManifest(renderSigned(aManifest({ parts: [{ ...part!, name }] })), expected)).toMatch(
      /not a manifest/,
    );
  });

  test.each<[string, (text: string) => string]>([
    ['cut off', (text) => text.slice(0, -2)],
    ['with a blank more', (text) => text.replace('": ', '":  ')],
    ['with a field more', (text) => text.replace('{\n', '{\n "added": 1,\n')],
    ['with a field twice', (text) => text.replace('{\n', '{\n "objects": 2,\n')],
    ['with __proto__', (text) => text.replace('{\n', '{\n "__proto__": {},\n')],
    ['without its last line feed', (text) => text.trimEnd()],
    ['of another format', (text) => text.replace('runbook-backup/1', 'runbook-backup/2')],
    ['that is no JSON', () => 'hello'],
    ['that is null', () => 'null\n'],
  ])('%s is refused', (_, spoil) => {
    const text = renderSigned(aManifest());
    expect(spoil(text)).not.toBe(text);
    expect(readManifest(spoil(text), expected)).toMatch(/not a manifest/);
  });
});

describe('the record of a verification', () => {
  const record: VerificationRecord = {
    format: 'runbook-verification/1',
    ...expected,
    location: 'default',
    run,
    at: at(60),
    manifestSha256: hash,
    verdict: 'pass',
    objects: 2,
    bytes: 15,
    findings: [],
  };
  const wanted = { ...expected, location: 'default' };

  test('comes back as it was written', () => {
    expect(readVerification(renderSigned(record), wanted)).toEqual(record);
  });

  test.each([{ target: 'other' }, { backupId: '20250301-030000-0a1b2c3d' }, { location: 'elsewhere' }])(
    'of something else counts for nothing: %j',
    (change) => {
      expect(readVerification(renderSigned({ ...record, ...change }), wanted)).toBeUndefined();
    },
  );

  test('that is a manifest counts for nothing', () => {
    expect(readVerification(renderSigned(aManifest()), wanted)).toBeUndefined();
  });
});
