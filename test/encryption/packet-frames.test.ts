import { expect, test } from '@jest/globals';
import { packetTags } from '../../src/encryption/packet-frames.ts';

const body = (length: number): number[] => Array.from({ length }, () => 0);
const newPacket = (tag: number, ...length: number[]): number[] => [0xc0 | tag, ...length];
const oldPacket = (tag: number, kind: number, ...length: number[]): number[] => [
  0x80 | (tag << 2) | kind,
  ...length,
];

test.each<[string, number[], number[] | undefined]>([
  ['nothing', [], []],
  ['a short one', [...newPacket(18, 3), ...body(3)], [18]],
  ['an empty one', newPacket(10, 0), [10]],
  ['the longest of one byte', [...newPacket(1, 191), ...body(191)], [1]],
  ['the shortest of two bytes', [...newPacket(1, 192, 0), ...body(192)], [1]],
  ['the longest of two bytes', [...newPacket(1, 223, 255), ...body(8383)], [1]],
  ['one of four bytes', [...newPacket(1, 255, 0, 0, 1, 2), ...body(258)], [1]],
  ['one in pieces', [...newPacket(18, 0xe1), ...body(2), 0xe0, 0, 2, ...body(2)], [18]],
  ['an old one of one byte', [...oldPacket(1, 0, 2), ...body(2)], [1]],
  ['an old one of two bytes', [...oldPacket(1, 1, 1, 0), ...body(256)], [1]],
  ['an old one of four bytes', [...oldPacket(9, 2, 0, 0, 1, 0), ...body(256)], [9]],
  ['an old one without an end', [...oldPacket(8, 3), ...body(7)], [8]],
  ['several', [...newPacket(1, 1, 0), ...oldPacket(1, 0, 1, 0), ...newPacket(18, 0)], [1, 1, 18]],
  ['what is no packet', [0x41], undefined],
  ['a zero behind one', [...newPacket(18, 0), 0], undefined],
  ['a tag without a length', newPacket(18), undefined],
  ['one that is cut', [...newPacket(18, 3), ...body(2)], undefined],
  ['half a length of two bytes', [...newPacket(18, 192)], undefined],
  ['half a length of four bytes', [...newPacket(18, 255, 0, 0)], undefined],
  ['an old one that is cut', [...oldPacket(1, 1, 0)], undefined],
  ['one whose last piece is missing', [...newPacket(18, 0xe1), ...body(2)], undefined],
  ['one whose last piece is cut', [...newPacket(18, 0xe1), ...body(2), 3, 0], undefined],
])('packets of %s are told by their tags, or not at all', (_case, bytes, tags) => {
  expect(packetTags(Uint8Array.from(bytes))).toEqual(tags);
});
