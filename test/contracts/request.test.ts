import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { imageReference, requestBase } from '../../src/contracts/request.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const accepts = (image: unknown): boolean => imageReference.safeParse(image).success;
const fault = (image: unknown): string | undefined =>
  imageReference.safeParse(image).error?.issues[0]?.message;

describe('an image reference', () => {
  test.each([
    'name:1',
    'name:1.7.5',
    'name:latest',
    'name:V_1.2-rc.1',
    'library/name:1',
    'ghcr.io/acedergren/alecs-mcp-server-akamai:1.7.5',
    'localhost/name:1',
    'localhost:5000/name:1',
    'host:5000/a/b/c:1',
    'Registry.Example:443/name:1',
    '10.0.0.1:5000/name:1',
    'a.b/c__d/e--f/g.h/i_j:1',
    `name@${digest}`,
    `host:5000/name@${digest}`,
    `host:5000/name:1.2@${digest}`,
    `name:${'t'.repeat(128)}`,
  ])('%s', (image) => {
    expect(accepts(image)).toBe(true);
  });

  test.each([
    'name',
    'library/name',
    'host:5000/name',
    'localhost:5000/a/b',
    'name:1/2',
    'registry.example/name',
  ])('%s names neither a tag nor a digest: it would silently mean latest', (image) => {
    expect(fault(image)).toBe('names neither a tag nor a digest; add one, for example :1.2.3');
  });

  test.each([
    '',
    ' ',
    'name:',
    ':1',
    '@',
    'name@',
    'Name:1',
    'host/Name:1',
    'name :1',
    ' name:1',
    'name:1 ',
    'name:1\n',
    'name:1\u0000',
    'na me:1',
    'name:1:2',
    'name:-1',
    'name:.1',
    `name:${'t'.repeat(129)}`,
    '/name:1',
    'host//name:1',
    'host/name/:1',
    '-name:1',
    'name-:1',
    'a..b:1',
    'a___b:1',
    'host:port/name:1',
    'host:123456/name:1',
    'http://host/name:1',
    'name@sha256:abc',
    `name@${digest}0`,
    `name@${digest.toUpperCase()}`,
    `name@sha512:${'0'.repeat(128)}`,
    `name@${digest}@${digest}`,
    'name:1;rm -rf /',
    '$(id):1',
    '../../etc/passwd:1',
    'naïve:1',
    '{{image}}:1',
  ])('%j is none', (image) => {
    expect(fault(image)).toContain('is not an image reference');
  });

  test.each([null, undefined, 5, true, [], {}])('%j is no text', (image) => {
    expect(accepts(image)).toBe(false);
  });

  test.each([
    ['under', 511, true],
    ['exactly', 512, true],
    ['over', 513, false],
  ])('%s 512 characters', (_case, length, ok) => {
    expect(accepts(`${'n'.repeat(length - 2)}:1`)).toBe(ok);
  });

  test.each(['a', 'a-', 'a.', 'a/', 'a:', '@', '-', '_'])('a megabyte of %j is refused at once', (piece) => {
    const startedAt = performance.now();
    expect(accepts(`${piece.repeat(1_000_000)}!`)).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});

describe('the fields that every request has', () => {
  const schema = z.strictObject(requestBase);

  test.each([
    {},
    { target: 'alecs' },
    { dryRun: true },
    { reason: 'CVE-2026-1 · naïve 日本 🚀' },
    { requestedBy: 'Ada Lovelace <ada@example.org>' },
    { target: 'a'.repeat(63), reason: 'r'.repeat(200), requestedBy: 'n'.repeat(100) },
  ])('%j is right', (request) => {
    expect(schema.safeParse(request).success).toBe(true);
  });

  test.each([
    { target: '' },
    { target: 'a'.repeat(64) },
    { target: '../alecs' },
    { target: 'Alecs' },
    { target: null },
    { dryRun: 'true' },
    { dryRun: 1 },
    { reason: '' },
    { reason: 'two\nlines' },
    { reason: 'two\u2028lines' },
    { reason: 'half \ud800' },
    { reason: 'r'.repeat(201) },
    { requestedBy: 'n'.repeat(101) },
    { requestedBy: '\u001b[2J' },
    { other: 1 },
  ])('%j is not', (request) => {
    expect(schema.safeParse(request).success).toBe(false);
  });
});
