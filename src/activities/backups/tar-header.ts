/** Everything in a tar archive stands in whole blocks. */
export const blockBytes = 512;

/** What the field of a header holds; a longer name stands in a file before the header. */
const longestName = 100;

/** POSIX.1-1988: where the fields of a header are. */
const at = { mode: 100, owner: 108, group: 116, size: 124, time: 136, checksum: 148, type: 156, magic: 257 };

const types = { file: '0', extended: 'x' } as const;

/** A header without name, size and checksum; the checksum counts as blanks in its own sum. */
function template(type: string): { block: Buffer; sum: number } {
  const block = Buffer.alloc(blockBytes);
  for (const [field, text] of [
    [at.mode, '0000600\0'],
    [at.owner, '0000000\0'],
    [at.group, '0000000\0'],
    [at.time, '00000000000\0'],
    [at.checksum, '        '],
    [at.type, type],
    [at.magic, 'ustar\x0000'],
  ] as const)
    block.write(text, field, 'latin1');
  return { block, sum: block.reduce((sum, byte) => sum + byte, 0) };
}

const templates = { file: template(types.file), extended: template(types.extended) };

/** Bytes of a file of that size with its header. */
export function tarBytesOf(name: string, size: number): number {
  const long = isLong(name) ? tarBytesOf('', Buffer.byteLength(extendedName(name))) : 0;
  return long + blockBytes + padded(size);
}

/** Up to whole blocks. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / blockBytes) * blockBytes;
}

/**
 * Writes the header of a file into `into`, where `start` says, and returns where its content goes. All files have one
 * time, owner and mode, so that equal content gives equal archives. Names are ASCII: whoever makes them encodes the rest.
 */
export function writeTarHeader(into: Buffer, start: number, name: string, size: number): number {
  if (!/^[\x21-\x7e]+$/.test(name)) throw new TypeError('a name in an archive has to be encoded');
  if (!isLong(name)) return writeHeader(into, start, 'file', name, size);
  // POSIX.1-2001: a file of attributes before the file.
  const attributes = Buffer.from(extendedName(name));
  const content = writeHeader(into, start, 'extended', 'PaxHeader', attributes.length);
  attributes.copy(into, content);
  const end = content + padded(attributes.length);
  into.fill(0, content + attributes.length, end);
  return writeHeader(into, end, 'file', name.slice(0, longestName), size);
}

function writeHeader(
  into: Buffer,
  start: number,
  type: keyof typeof templates,
  name: string,
  size: number,
): number {
  const { block, sum } = templates[type];
  block.copy(into, start);
  const octalSize = size.toString(8).padStart(11, '0');
  into.write(name, start, 'latin1');
  into.write(octalSize, start + at.size, 'latin1');
  let checksum = sum;
  for (let index = 0; index < name.length; index++) checksum += into[start + index] ?? 0;
  for (let index = 0; index < octalSize.length; index++) checksum += octalSize.charCodeAt(index);
  into.write(`${checksum.toString(8).padStart(6, '0')}\0 `, start + at.checksum, 'latin1');
  return start + blockBytes;
}

function isLong(name: string): boolean {
  return name.length > longestName;
}

/** Each attribute begins with its own length, in which the digits of the length count. */
function extendedName(name: string): string {
  const rest = ` path=${name}\n`;
  let digits = 1;
  while (String(rest.length + digits).length > digits) digits++;
  return `${rest.length + digits}${rest}`;
}
