import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { blockBytes, padded, tarBytesOf, writeTarHeader } from './tar-header.ts';

const compress = promisify(gzip);

/** What a finished archive is. */
export interface Archive {
  bytes: Buffer;
  plainBytes: number;
}

/** Large enough that nothing is gained by compressing it as a part of more. */
const pieceBytes = 256 * 1024;

/**
 * Level 1: for JSON, higher ones cost time and save next to nothing. Room for all that comes of a piece: else it is
 * compressed a little at a time.
 */
const options = { level: 1, chunkSize: pieceBytes };

/** More at once would only wait: Node has four threads for it. */
const mostPieces = 6;

/**
 * A gzip file that is kept in memory: what goes in is bounded by whoever writes it. Its pieces are members of their own
 * (RFC 1952 allows a row of them), compressed at the same time: one after the other, a backup would wait for them.
 */
class Zipped {
  /** What is to be compressed next, filled up to `#end`. */
  #piece = Buffer.allocUnsafe(pieceBytes);
  #end = 0;
  readonly #members: Promise<Buffer>[] = [];
  #running = 0;
  #tellRoom: () => void = () => undefined;
  plainBytes = 0;

  /** Has `fill` write exactly so many bytes into a buffer, from a place on. */
  write(bytes: number, fill: (into: Buffer, start: number) => void): void {
    if (this.#end + bytes > this.#piece.length) this.#next(Math.max(bytes, pieceBytes));
    fill(this.#piece, this.#end);
    this.#end += bytes;
    this.plainBytes += bytes;
  }

  /** Undefined, or what to wait for: several pieces are still to be compressed. */
  room(): Promise<void> | undefined {
    if (this.#running < mostPieces) return undefined;
    return new Promise((resolve) => {
      this.#tellRoom = resolve;
    });
  }

  async finish(): Promise<Archive> {
    this.#next(0);
    return { bytes: Buffer.concat(await Promise.all(this.#members)), plainBytes: this.plainBytes };
  }

  #next(bytes: number): void {
    this.#running += 1;
    const member = compress(this.#piece.subarray(0, this.#end), options).finally(() => {
      this.#running -= 1;
      this.#tellRoom();
    });
    // Whoever asks for the bytes meets the error.
    member.catch(() => undefined);
    this.#members.push(member);
    this.#piece = Buffer.allocUnsafe(bytes);
    this.#end = 0;
  }
}

/** A gzipped tar archive of small files. */
export class TarGzip {
  readonly #zipped = new Zipped();
  #entries = 0;

  get entries(): number {
    return this.#entries;
  }

  get plainBytes(): number {
    return this.#zipped.plainBytes;
  }

  /** Names are ASCII. Wait for what comes back, if something does, before adding more. */
  add(name: string, content: string | Buffer, bytes = Buffer.byteLength(content)): Promise<void> | undefined {
    this.#entries += 1;
    this.#zipped.write(tarBytesOf(name, bytes), (into, start) => {
      const at = writeTarHeader(into, start, name, bytes);
      if (typeof content === 'string') into.write(content, at);
      else content.copy(into, at);
      into.fill(0, at + bytes, at + padded(bytes));
    });
    return this.#zipped.room();
  }

  async finish(): Promise<Archive> {
    const end = 2 * blockBytes;
    this.#zipped.write(end, (into, start) => into.fill(0, start, start + end));
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

  add(line: string): Promise<void> | undefined {
    this.#lines += 1;
    const text = `${line}\n`;
    this.#zipped.write(Buffer.byteLength(text), (into, start) => into.write(text, start));
    return this.#zipped.room();
  }

  async finish(): Promise<Archive> {
    return await this.#zipped.finish();
  }
}
