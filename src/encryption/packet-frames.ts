/** Tags of the packets that an encrypted message is made of. */
export const packetTag = { sessionKey: 1, encrypted: 18 } as const;

/** A piece of bytes inside a message. */
interface Length {
  bytes: number;
  /** Where the body begins. */
  body: number;
  /** Another length and another piece of the body follow. */
  partial?: true;
}

/**
 * The tags of the outer packets of a binary OpenPGP message, in their order; undefined when the bytes are not whole
 * packets from the first byte to the last. Libraries drop packets that they do not know, and what is behind the last one.
 */
export function packetTags(bytes: Uint8Array): number[] | undefined {
  const tags: number[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = byteAt(bytes, at);
    if ((first & 0x80) === 0) return undefined;
    const isNew = (first & 0x40) !== 0;
    const end = isNew ? newEnd(bytes, at + 1) : endOf(oldLength(bytes, at));
    if (end === undefined || end > bytes.length) return undefined;
    tags.push(isNew ? first & 0x3f : (first >> 2) & 0x0f);
    at = end;
  }
  return tags;
}

function newEnd(bytes: Uint8Array, start: number): number | undefined {
  let at = start;
  while (at < bytes.length) {
    const length = newLength(bytes, at);
    if (length === undefined) return undefined;
    at = endOf(length);
    if (length.partial === undefined) return at;
  }
  return undefined;
}

function newLength(bytes: Uint8Array, at: number): Length | undefined {
  const first = byteAt(bytes, at);
  if (first < 192) return { bytes: first, body: at + 1 };
  if (first < 224) return { bytes: ((first - 192) << 8) + byteAt(bytes, at + 1) + 192, body: at + 2 };
  if (first < 255) return { bytes: 2 ** (first & 0x1f), body: at + 1, partial: true };
  return { bytes: numberAt(bytes, at + 1, 4), body: at + 5 };
}

function oldLength(bytes: Uint8Array, at: number): Length {
  const kind = byteAt(bytes, at) & 0x03;
  // Kind 3 goes on to the end of the bytes.
  if (kind === 3) return { bytes: bytes.length - at - 1, body: at + 1 };
  const width = 2 ** kind;
  return { bytes: numberAt(bytes, at + 1, width), body: at + 1 + width };
}

function endOf({ bytes, body }: Length): number {
  return body + bytes;
}

function numberAt(bytes: Uint8Array, at: number, width: number): number {
  let value = 0;
  for (let index = 0; index < width; index++) value = value * 256 + byteAt(bytes, at + index);
  return value;
}

/** Behind the last byte it is a zero; the end that comes of it lies behind the last byte, too. */
function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
