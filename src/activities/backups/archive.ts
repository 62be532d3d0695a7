import { once } from 'node:events';
import { createGzip, type Gzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';

/** Level 1: for JSON, higher ones cost time and save next to nothing. */
const gzipLevel = 1;

/** A gzipped stream that is kept in memory: what goes in is bounded by whoever writes it. */
class Zipped {
  readonly gzip: Gzip = createGzip({ level: gzipLevel });
  readonly #chunks: Buffer[] = [];
  readonly #ended: Promise<unknown>;

  constructor() {
    this.gzip.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.#ended = once(this.gzip, 'end');
  }

  async bytes(): Promise<Buffer> {
    await this.#ended;
    return Buffer.concat(this.#chunks);
  }
}

/** What a finished archive is. */
export interface Archive {
  bytes: Buffer;
  plainBytes: number;
}

/** A gzipped tar archive of small files. */
export class TarGzip {
  readonly #pack: Pack = pack();
  readonly #zipped = new Zipped();
  #plainBytes = 0;
  #entries = 0;

  constructor() {
    this.#pack.on('data', (data) => {
      const chunk = data as Buffer;
      this.#plainBytes += chunk.length;
      if (!this.#zipped.gzip.write(chunk)) {
        this.#pack.pause();
        this.#zipped.gzip.once('drain', () => this.#pack.resume());
      }
    });
    this.#pack.on('end', () => this.#zipped.gzip.end());
  }

  get entries(): number {
    return this.#entries;
  }

  /** What one more file would add to the archive. */
  static sizeOf(content: Uint8Array): number {
    // A header, the content in whole blocks, and room for a second header with a long name.
    return 3 * 512 + Math.ceil(content.length / 512) * 512;
  }

  /** All files have one time and owner, so that equal content gives equal archives. */
  async add(name: string, content: Buffer): Promise<void> {
    this.#entries += 1;
    await new Promise<void>((resolve, reject) => {
      this.#pack.entry({ name, size: content.length, mode: 0o600, mtime: new Date(0) }, content, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async finish(): Promise<Archive> {
    this.#pack.finalize();
    const bytes = await this.#zipped.bytes();
    return { bytes, plainBytes: this.#plainBytes };
  }
}

/** Gzipped lines. */
export class LinesGzip {
  readonly #zipped = new Zipped();
  #plainBytes = 0;
  #lines = 0;

  get plainBytes(): number {
    return this.#plainBytes;
  }

  get lines(): number {
    return this.#lines;
  }

  async add(line: string): Promise<void> {
    const bytes = Buffer.from(`${line}\n`);
    this.#lines += 1;
    this.#plainBytes += bytes.length;
    if (!this.#zipped.gzip.write(bytes)) await once(this.#zipped.gzip, 'drain');
  }

  async finish(): Promise<Archive> {
    this.#zipped.gzip.end();
    const bytes = await this.#zipped.bytes();
    return { bytes, plainBytes: this.#plainBytes };
  }
}
