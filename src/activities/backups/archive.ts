import { once } from 'node:events';
import { createGzip, type Gzip } from 'node:zlib';
import { pack, type Pack } from 'tar-stream';

/** Level 1: for JSON, higher ones cost time and save next to nothing. */
const gzipLevel = 1;

/** What a finished archive is. */
export interface Archive {
  bytes: Buffer;
  plainBytes: number;
}

/** Every write is a job for another thread: the small ones of a tar archive would wait more than they work. */
const pieceBytes = 256 * 1024;
const mostPieces = 4;

/** A gzipped stream that is kept in memory: what goes in is bounded by whoever writes it. */
class Zipped {
  readonly #gzip: Gzip = createGzip({ level: gzipLevel, chunkSize: pieceBytes });
  readonly #chunks: Buffer[] = [];
  readonly #ended: Promise<unknown>;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  plainBytes = 0;

  constructor() {
    this.#gzip.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    this.#ended = once(this.#gzip, 'end');
    // Whoever asks for the bytes meets the error.
    this.#ended.catch(() => undefined);
  }

  write(bytes: Buffer): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.plainBytes += bytes.length;
    if (this.#waitingBytes >= pieceBytes) this.#flush();
  }

  /** Undefined, or what to wait for: several pieces are still to be compressed. */
  room(): Promise<unknown> | undefined {
    return this.#gzip.writableLength > mostPieces * pieceBytes ? once(this.#gzip, 'drain') : undefined;
  }

  async finish(): Promise<Archive> {
    this.#flush();
    this.#gzip.end();
    await this.#ended;
    return { bytes: Buffer.concat(this.#chunks), plainBytes: this.plainBytes };
  }

  #flush(): void {
    this.#gzip.write(Buffer.concat(this.#waiting));
    this.#waiting = [];
    this.#waitingBytes = 0;
  }
}

/** A gzipped tar archive of small files. */
export class TarGzip {
  readonly #pack: Pack = pack();
  readonly #zipped = new Zipped();
  readonly #packed: Promise<unknown>;
  #entries = 0;

  constructor() {
    this.#pack.on('data', (data) => {
      this.#zipped.write(data as Buffer);
    });
    this.#packed = once(this.#pack, 'end');
    this.#packed.catch(() => undefined);
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
    await this.#zipped.room();
  }

  async finish(): Promise<Archive> {
    this.#pack.finalize();
    await this.#packed;
    return await this.#zipped.finish();
  }
}

/** Gzipped lines. */
export class LinesGzip {
  readonly #zipped = new Zipped();
  #lines = 0;

  get plainBytes(): number {
    return this.#zipped.plainBytes;
  }

  get lines(): number {
    return this.#lines;
  }

  async add(line: string): Promise<void> {
    this.#lines += 1;
    this.#zipped.write(Buffer.from(`${line}\n`));
    await this.#zipped.room();
  }

  async finish(): Promise<Archive> {
    return await this.#zipped.finish();
  }
}
