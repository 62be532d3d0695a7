import { beforeAll, describe, expect, jest, test } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { openManifest, type OpeningKeys } from '../../../../src/activities/backups/open-backup.ts';
import { filesBeside, readBack } from '../../../../src/activities/backups/verify.ts';
import type { BackupManifest } from '../../../../src/contracts/backup-manifest.ts';
import { renderSigned } from '../../../../src/domain/backups/manifest.ts';
import { openSealer, verifyClear, signClear } from '../../../../src/encryption/messages.ts';
import { aKey } from '../../../support/backups.ts';
import { seeded } from '../../../support/builders.ts';
import { sha256Of } from '../../../../src/activities/backups/seal.ts';
import { failureOf } from '../../support/run-activity.ts';
import { aBackup, aPlace, configMap, MemoryStore, signal } from './memory.ts';

// A thousand times the whole of OpenPGP.
jest.setTimeout(240_000);

const id = '20260301-030000-0a1b2c3d';
const backup = { target: 'shop', backupId: id };
let here: Awaited<ReturnType<typeof aPlace>>;
let opening: OpeningKeys;
let manifest: BackupManifest;

beforeAll(async () => {
  here = await aPlace(id);
  opening = here.opening;
  await aBackup(here);
  ({ manifest } = await openManifest(here.store, 'shop', id, opening.signers, signal));
});

const keyOf = (name: string): string => `backups/shop/${id}/${name}`;

/** What a verification says of the backup with some files changed; a missing one is taken away. */
async function findings(
  changed: Record<string, Uint8Array | undefined>,
  keys: OpeningKeys = opening,
): Promise<string[]> {
  const files = new Map(here.store.files);
  for (const [name, bytes] of Object.entries(changed)) {
    if (bytes === undefined) files.delete(keyOf(name));
    else files.set(keyOf(name), bytes);
  }
  const store = new MemoryStore('default', files);
  return (await readBack(store, backup, keys, signal, () => undefined)).findings;
}

function stored(name: string): Uint8Array {
  return here.store.files.get(keyOf(name)) ?? new Uint8Array();
}

function flipped(bytes: Uint8Array, position: number, bit = 1): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[position] = (copy[position] ?? 0) ^ bit;
  return copy;
}

/** A manifest that says something else, signed with the right key: what a thief of that key could write. */
async function signed(change: Partial<BackupManifest>): Promise<Uint8Array> {
  const text = renderSigned({ ...manifest, ...change });
  return Buffer.from(await here.place.sealer.sign(text));
}

test('a backup that nobody touched is good', async () => {
  expect(await findings({})).toEqual([]);
});

describe('the manifest', () => {
  test('with any single byte flipped is refused', async () => {
    const bytes = stored('manifest.asc');
    const accepted: number[] = [];
    for (let position = 0; position < bytes.length; position++) {
      const store = new MemoryStore('default', [[keyOf('manifest.asc'), flipped(bytes, position)]]);
      const outcome = await openManifest(store, 'shop', id, opening.signers, signal).then(
        () => 'accepted',
        () => 'refused',
      );
      if (outcome === 'accepted') accepted.push(position);
    }
    expect(bytes.length).toBeGreaterThan(1000);
    expect(accepted).toEqual([]);
  });

  test.each([
    ['is missing', undefined, /there is no memory:.*manifest\.asc, so there is no such backup/],
    ['is empty', new Uint8Array(), /manifest\.asc/],
    ['is something else', Buffer.from('hello'), /manifest\.asc/],
  ])('that %s is no backup', async (_, bytes, sentence) => {
    expect((await findings({ 'manifest.asc': bytes })).join()).toMatch(sentence);
  });

  test('of an older backup, put in this place, is refused by name', async () => {
    const older = await aPlace('20250301-030000-0a1b2c3d');
    await aBackup({ place: { ...older.place, sealer: here.place.sealer }, sealing: here.sealing });
    const bytes = older.store.files.get('backups/shop/20250301-030000-0a1b2c3d/manifest.asc');
    expect(await findings({ 'manifest.asc': bytes })).toEqual([
      expect.stringMatching(/it is the manifest of another backup: shop\/20250301/),
    ]);
  });

  test('signed by somebody else is refused', async () => {
    const stranger = await aKey('stranger');
    const { text } = await verifyClear(stored('manifest.asc'), opening.signers);
    const file = await signClear(text, { armored: stranger.privateKey });
    expect(await findings({ 'manifest.asc': Buffer.from(file) })).toHaveLength(1);
  });

  test('signed by the right key, and contradicting itself, is refused', async () => {
    expect(await findings({ 'manifest.asc': await signed({ objects: 4 }) })).toEqual([
      expect.stringMatching(/contradict/),
    ]);
  });
});

describe('a part', () => {
  test('or an index with one of a thousand seeded bytes flipped is refused, wherever the byte lies', async () => {
    const random = seeded(20261127);
    const names = [manifest.parts[0]!.name, manifest.indexes[0]!.name];
    const accepted: string[] = [];
    for (let count = 0; count < 1000; count++) {
      const name = names[count % 2]!;
      const bytes = stored(name);
      // Each tenth of the file, in turn: headers, session keys, content, signature, checksum.
      const region = Math.floor(count / 2) % 10;
      const position = Math.floor(((region + random()) / 10) * bytes.length);
      const bit = 1 << Math.floor(random() * 8);
      if ((await findings({ [name]: flipped(bytes, position, bit) })).length === 0)
        accepted.push(`${name} at ${position}`);
    }
    expect(accepted).toEqual([]);
  });

  test.each<[string, (bytes: Uint8Array) => Uint8Array | undefined, RegExp]>([
    ['cut off', (bytes) => bytes.slice(0, -1), /has not the \d+ bytes/],
    ['with one byte more', (bytes) => Buffer.concat([bytes, Buffer.from('x')]), /has not the \d+ bytes/],
    ['that is empty', () => new Uint8Array(), /has not the \d+ bytes/],
    ['that is missing', () => undefined, /is missing/],
    ['of another file', () => stored('manifest.asc'), /bytes|SHA-256/],
  ])('%s is refused', async (_, spoil, sentence) => {
    const { name } = manifest.parts[0]!;
    const found = await findings({ [name]: spoil(stored(name)) });
    expect(found).toEqual([expect.stringMatching(sentence)]);
    expect(found[0]).toContain(name);
  });

  test('swapped with that of another backup of the same target is refused', async () => {
    const other = await aPlace('20260302-030000-0a1b2c3d');
    await aBackup({ place: { ...other.place, sealer: here.place.sealer }, sealing: here.sealing });
    const { name } = manifest.parts[0]!;
    const bytes = other.store.files.get(`backups/shop/20260302-030000-0a1b2c3d/${name}`);
    expect(await findings({ [name]: bytes })).toEqual([expect.stringMatching(/bytes|SHA-256/)]);
  });

  test.each([
    [
      'another key',
      async () => [{ armored: (await aKey('stranger')).privateKey }],
      /and here is [0-9A-F]{40}$/,
    ],
    ['no key', () => Promise.resolve([]), /and here is none$/],
    ['what is no key', () => Promise.resolve([{ armored: 'canary' }]), /and here is none$/],
  ])('with %s nothing can be said of it: no finding, and it is not tried again', async (_, keysOf, end) => {
    const failure = await failureOf(findings({}, { ...opening, privateKeys: await keysOf() }));
    expect(failure).toMatchObject({ type: 'KeyMissing', nonRetryable: true });
    expect(failure.message).toMatch(
      /^no key here opens backup 20260301-030000-0a1b2c3d: it is encrypted to /,
    );
    expect(failure.message).toMatch(end);
    expect(failure.message).not.toMatch(/value|canary/);
  });

  test('encrypted to somebody else, whatever the manifest says, is refused', async () => {
    const stranger = await aKey('stranger');
    const { seal } = await openSealer({ ...here.sealing, recipients: [stranger.publicKey] });
    const bytes = await seal(Buffer.from('x'));
    const part = { ...manifest.parts[0]!, bytes: bytes.length, sha256: sha256Of(bytes) };
    const changed = { [part.name]: bytes, 'manifest.asc': await signed({ parts: [part] }) };
    expect(await findings(changed)).toEqual([expect.stringMatching(/it is not encrypted to key/)]);
  });

  test('is opened with a key that was rotated away, when the newer one does not fit', async () => {
    const newer = await aKey('newer');
    const keys = { ...opening, privateKeys: [{ armored: newer.privateKey }, ...opening.privateKeys] };
    expect(await findings({}, keys)).toEqual([]);
  });
});

// Regression: a missing index hid every other damage, and one verification is to tell everything.
test('an index that is missing hides nothing: every other file is looked at', async () => {
  const [part, index] = [manifest.parts[0]!.name, manifest.indexes[0]!.name];
  expect(await findings({ [index]: undefined, [part]: flipped(stored(part), 100) })).toEqual([
    `${index} is missing`,
    expect.stringContaining(`${part} was changed`),
  ]);
  expect(await findings({ [index]: undefined })).toEqual([`${index} is missing`]);
});

describe('what a thief of the signing key could write', () => {
  /** The backup with another first part, whose hash and size the manifest vouches for. */
  async function withPart(plain: Uint8Array, plainBytes: number): Promise<string[]> {
    const [part] = manifest.parts;
    const bytes = await here.place.sealer.seal(plain);
    const changed = { ...part!, bytes: bytes.length, sha256: sha256Of(bytes), plainBytes };
    return await findings({ [part!.name]: bytes, 'manifest.asc': await signed({ parts: [changed] }) });
  }

  async function tarOf(
    entries: { name: string; content?: string; type?: 'symlink'; linkname?: string }[],
  ): Promise<Buffer> {
    const archive = pack();
    for (const { name, content = '', type, linkname } of entries)
      if (type === undefined) archive.entry({ name }, content);
      else archive.entry({ name, type, linkname: linkname ?? '' });
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  }

  test('a few bytes that unpack to gigabytes are given up at what was promised', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(await withPart(bomb, 1024)).toEqual([
      expect.stringMatching(/unpacks to more than the 1024 bytes/),
    ]);
  });

  test.each([['../../../etc/cron.d/x'], ['/etc/passwd'], ['configmaps/../../x.json']])(
    'a file named %s is refused, and nothing is written',
    async (name) => {
      const tar = await tarOf([{ name, content: 'x' }]);
      expect(await withPart(gzipSync(tar), tar.length)).toEqual([
        expect.stringMatching(/holds a file that the index does not name/),
      ]);
    },
  );

  test('a link is refused', async () => {
    const tar = await tarOf([{ name: 'configmaps/a.json', type: 'symlink', linkname: '/etc/passwd' }]);
    expect(await withPart(gzipSync(tar), tar.length)).toEqual([expect.stringMatching(/is no file/)]);
  });

  test('another content under a name that the index knows is refused', async () => {
    const tar = await tarOf([{ name: 'configmaps/a.json', content: '{}' }]);
    expect(await withPart(gzipSync(tar), tar.length)).toEqual([
      expect.stringMatching(/ConfigMap a is not what the index says/),
    ]);
  });

  test('what is no gzip, or no archive, is refused', async () => {
    expect(await withPart(Buffer.from('hello'), 5)).toEqual([expect.stringMatching(/cannot be unpacked/)]);
    const noTar = Buffer.alloc(1024, 'x');
    expect(await withPart(gzipSync(noTar), noTar.length)).toEqual([expect.stringMatching(/no archive/)]);
  });
});

test('a manifest of an unknown store says that it is away, not that the backup is bad', async () => {
  class AwayStore extends MemoryStore {
    override read(): Promise<never> {
      return Promise.reject(Object.assign(new Error('secret details'), { name: 'TimeoutError' }));
    }
  }
  const failure = await failureOf(readBack(new AwayStore(), backup, opening, signal, () => undefined));
  expect(failure).toMatchObject({ type: 'StorageUnavailable' });
  expect(failure.message).not.toContain('secret details');
});

test('an object of every kind of content comes back as it was', async () => {
  const place = await aPlace();
  const data = { __proto__x: 'y', 'a/b': '\u2028', long: 'x'.repeat(100_000) };
  await aBackup(place, [configMap('odd', data), configMap('n'.repeat(250))]);
  const read = await readBack(
    place.store,
    { target: 'shop', backupId: '20260301-030000-0a1b2c3d' },
    place.opening,
    signal,
    () => undefined,
  );
  expect(read).toMatchObject({ objects: 2, findings: [] });
});

test('files that the manifest does not name are told, each by a plain name or by none', async () => {
  const place = await aPlace();
  await aBackup(place, [configMap('a')]);
  const backup = { target: 'shop', backupId: '20260301-030000-0a1b2c3d' };
  const left = [
    'parts/0009-planted-1.tar.gz.gpg',
    'odd\u001B[2J',
    'run.json',
    'verified-20260301T030000Z.asc',
  ];
  for (const name of left) await place.store.putOnce(`backups/shop/${backup.backupId}/${name}`, 'x');
  const { opened, findings } = await readBack(place.store, backup, place.opening, signal, () => undefined);
  expect(findings).toEqual([]);
  if (opened === undefined) throw new Error('the manifest was not opened');
  const beside = await filesBeside(place.store, backup, opened.manifest, signal);
  expect(beside.sort()).toEqual(['one with an odd name', 'parts/0009-planted-1.tar.gz.gpg']);
});
