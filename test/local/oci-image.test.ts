import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../src/local/command.ts';
import { buildImage, imageArchive, type Image } from '../../src/local/oci-image.ts';
import { createTar } from '../../src/local/tar.ts';

const shared = (): Buffer => createTar([{ path: 'bin/tool', content: Buffer.from('tool'), mode: 0o755 }]);

function image(tag: string): Image {
  const own = createTar([
    { path: 'app/' },
    { path: 'app/version', content: Buffer.from(tag) },
    { path: 'app/latest', target: 'version' },
  ]);
  return buildImage({
    reference: `example.invalid/app:${tag}`,
    layers: [shared(), own],
    command: ['/bin/tool'],
  });
}

describe('an image', () => {
  test('is the same bytes each time that it is built', () => {
    expect(imageArchive([image('1'), image('2')])).toEqual(imageArchive([image('1'), image('2')]));
  });

  test('is an OCI layout whose blobs have the digests that they are named by, a shared layer once', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'runbooks-image-'));
    try {
      writeFileSync(join(folder, 'archive.tar'), imageArchive([image('1'), image('2')]));
      await runCommand('tar', ['-xf', 'archive.tar'], { directory: folder });
      const blobs = await runCommand('ls', [join(folder, 'blobs/sha256')]);
      const names = blobs.trim().split('\n');
      // Two manifests, two configurations, one shared layer and one layer of each.
      expect(names).toHaveLength(7);
      for (const name of names) {
        const content = readFileSync(join(folder, 'blobs/sha256', name));
        expect(createHash('sha256').update(content).digest('hex')).toBe(name);
      }
      const index: unknown = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8'));
      expect(index).toMatchObject({
        manifests: [
          { annotations: { 'io.containerd.image.name': 'example.invalid/app:1' } },
          { annotations: { 'io.containerd.image.name': 'example.invalid/app:2' } },
        ],
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('an archive', () => {
  const long = `${'folder/'.repeat(20)}${'name'.repeat(20)}`;

  test('is one that tar reads, with modes, links, owners and times as written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'runbooks-tar-'));
    try {
      const entries = [
        { path: 'tmp/', mode: 0o1777 },
        { path: long, content: Buffer.from('x'.repeat(513)) },
        { path: 'sh', target: 'busybox' },
      ];
      writeFileSync(join(folder, 'a.tar'), createTar(entries));
      const options = { directory: folder, environment: { TZ: 'UTC', LC_ALL: 'C' } };
      const listing = await runCommand('tar', ['--numeric-owner', '-tvf', 'a.tar'], options);
      expect(listing.trim().split('\n')).toEqual([
        'drwxrwxrwt 0/0               0 1970-01-01 00:00 tmp/',
        `-rw-r--r-- 0/0             513 1970-01-01 00:00 ${long}`,
        'lrwxrwxrwx 0/0               0 1970-01-01 00:00 sh -> busybox',
      ]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('refuses a path that its format cannot hold', () => {
    expect(() => createTar([{ path: 'x'.repeat(101) }])).toThrow('too long a path');
  });
});
