import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { LinesGzip, TarGzip } from '../../../../src/activities/backups/archive.ts';
import { tarBytesOf } from '../../../../src/activities/backups/tar-header.ts';

const mebibyte = 1024 * 1024;

async function archiveOf(files: Map<string, string>): Promise<{ bytes: Buffer; plainBytes: number }> {
  const tar = new TarGzip();
  for (const [name, content] of files) await tar.add(name, content);
  return await tar.finish();
}

/** What the program that people have reads. */
function readByTar(bytes: Buffer, names: string[]): Map<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'archive-'));
  try {
    writeFileSync(join(folder, 'a.tar.gz'), bytes);
    const { status, stderr } = spawnSync('tar', ['-xzf', 'a.tar.gz'], { cwd: folder, encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the library reads that opens backups. */
async function readByLibrary(bytes: Buffer): Promise<Map<string, string>> {
  const reader = extract();
  const read = new Map<string, string>();
  const reading = (async () => {
    for await (const entry of reader) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      read.set(entry.header.name, Buffer.concat(chunks).toString());
    }
  })();
  reader.end(gunzipSync(bytes));
  await reading;
  return read;
}

const files = {
  none: new Map<string, string>(),
  'an empty one': new Map([['empty', '']]),
  'sizes around a block': new Map([511, 512, 513].map((size) => [`of-${size}`, 'x'.repeat(size)])),
  'names around the longest of a header': new Map(
    [99, 100, 101, 102, 230].map((length) => ['n'.repeat(length), String(length)]),
  ),
  'attributes whose length has a digit more': new Map(
    // " path=", the end of the line and two or three digits: 98 to 102 bytes together.
    Array.from({ length: 8 }, (_, index) => ['d/'.repeat(45) + 'f'.repeat(12 + index), String(index)]),
  ),
  'characters of one to four bytes': new Map([['text', 'aé€😀'.repeat(100_000)]]),
  'one larger than a piece, and more after it': new Map([
    ['first', 'a'],
    ['large', 'b'.repeat(3 * mebibyte)],
    ['last', 'c'],
  ]),
  'a thousand': new Map(
    Array.from({ length: 1000 }, (_, index) => [`f-${index}`, `${index} `.repeat(index)]),
  ),
};

describe('an archive', () => {
  test.each(Object.entries(files))(
    'of %s is read by tar, and by the library, as it was',
    async (_, given) => {
      const { bytes, plainBytes } = await archiveOf(given);
      expect(gunzipSync(bytes)).toHaveLength(plainBytes);
      expect(await readByLibrary(bytes)).toEqual(given);
      expect(readByTar(bytes, [...given.keys()])).toEqual(given);
    },
  );

  test('has the size that was told before', async () => {
    for (const [name, content] of files['names around the longest of a header']) {
      const { plainBytes } = await archiveOf(new Map([[name, content]]));
      expect(plainBytes).toBe(tarBytesOf(name, content.length) + 1024);
    }
  });

  test('is the same for the same files', async () => {
    const [one, other] = await Promise.all([archiveOf(files['a thousand']), archiveOf(files['a thousand'])]);
    expect(one.bytes.equals(other.bytes)).toBe(true);
  });

  test.each(['', 'é', 'a b', 'a\nb', 'a\0b'])('never has the name %j', (name) => {
    expect(() => new TarGzip().add(name, 'x')).toThrow('a name in an archive has to be encoded');
  });
});

test('lines are those that were added, in their order, however many pieces they make', async () => {
  const zipped = new LinesGzip();
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index} ${'é'.repeat(index % 50)}`);
  for (const line of lines) await zipped.add(line);
  const { bytes, plainBytes } = await zipped.finish();
  const text = gunzipSync(bytes);
  expect(text).toHaveLength(plainBytes);
  expect(text.toString()).toBe(lines.map((line) => `${line}\n`).join(''));
  expect(zipped.lines).toBe(20_000);
});

test('lines that fill pieces exactly, and the buffers of whoever reads them, are read as they were', async () => {
  const zipped = new LinesGzip();
  const line = 'x'.repeat(16 * 1024 - 1);
  for (let index = 0; index < 100; index++) await zipped.add(line);
  expect(gunzipSync((await zipped.finish()).bytes).toString()).toBe(`${line}\n`.repeat(100));
});

test('whoever adds is made to wait while too much is to be compressed, and goes on', async () => {
  const tar = new TarGzip();
  let waited = 0;
  for (let index = 0; index < 64; index++) {
    const room = tar.add(`f-${index}`, 'x'.repeat(mebibyte));
    if (room !== undefined) waited += 1;
    await room;
  }
  expect(waited).toBeGreaterThan(0);
  expect((await tar.finish()).plainBytes).toBeGreaterThan(64 * mebibyte);
});
