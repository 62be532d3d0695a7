/** One entry of an archive. Owner and time are always the same, so equal content gives equal bytes. */
export interface TarEntry {
  path: string;
  content?: Buffer;
  /** Makes the entry a symbolic link. */
  target?: string;
  mode?: number;
}

const block = 512;
// File, symbolic link, folder.
const defaultModes = { '0': 0o644, '2': 0o777, '5': 0o755 } as const;

/** A ustar archive of the entries in their order; a path that ends with a slash is a folder. */
export function createTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap((entry) => {
    const content = entry.content ?? Buffer.alloc(0);
    const padding = Buffer.alloc((block - (content.length % block)) % block);
    return [header(entry, content.length), content, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function header({ path, target, mode }: TarEntry, size: number): Buffer {
  const [prefix, name] = splitPath(path);
  const type = target !== undefined ? '2' : path.endsWith('/') ? '5' : '0';
  const buffer = Buffer.alloc(block);
  const octal = (value: number, offset: number, length: number): void => {
    buffer.write(`${value.toString(8).padStart(length - 1, '0')}\0`, offset, 'ascii');
  };
  buffer.write(name, 0, 'utf8');
  octal(mode ?? defaultModes[type], 100, 8);
  octal(0, 108, 8); // owner
  octal(0, 116, 8); // group
  octal(size, 124, 12);
  octal(0, 136, 12); // time of change
  buffer.write('        ', 148, 'ascii'); // the checksum counts as blanks in its own sum
  buffer.write(type, 156, 'ascii');
  buffer.write(target ?? '', 157, 'utf8');
  buffer.write('ustar\x0000', 257, 'ascii');
  buffer.write(prefix, 345, 'utf8');
  const sum = buffer.reduce((total, byte) => total + byte, 0);
  buffer.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return buffer;
}

function splitPath(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ['', path];
  const cut = path.indexOf('/', path.length - 101);
  if (cut < 1 || cut > 155 || cut === path.length - 1)
    throw new Error(`too long a path for an archive: ${path}`);
  return [path.slice(0, cut), path.slice(cut + 1)];
}
