import { describe, expect, test } from '@jest/globals';
import { backupIdOf, indexName, logsName, partName, timeOf } from '../../../src/domain/backups/names.ts';

const run = { firstRunId: '0198C2B7-1234-7abc-8def-0123456789ab' };

describe('the id of a backup', () => {
  test('says when it was begun, and by which run', () => {
    expect(backupIdOf(run, '2026-11-27T03:04:05.678Z')).toBe('20261127-030405-456789ab');
  });

  test('of two runs that begin in the same moment is not the same', () => {
    const other = { firstRunId: '0198c2b7-1234-7abc-8def-0123456789ac' };
    const at = '2026-11-27T03:04:05.678Z';
    expect(backupIdOf(other, at)).not.toBe(backupIdOf(run, at));
  });

  test('gives the time back', () => {
    expect(timeOf('20261127-030405-0198c2b7')).toEqual(new Date('2026-11-27T03:04:05Z'));
  });

  test.each([
    '',
    '20261127-030405',
    '20261127-030405-0198c2b',
    '20261127-030405-0198c2b7x',
    '20261327-030405-0198c2b7',
    '20261127-250405-0198c2b7',
    '../20261127-030405-0198c2b7',
    '20261127-030405-0198C2B7',
    '20261127-030405-0198c2b7\n',
  ])('%j is none', (id) => {
    expect(timeOf(id)).toBeUndefined();
  });

  test('sorts by time', () => {
    const ids = ['2026-11-27T23:59:59Z', '2026-11-28T00:00:00Z', '2027-01-01T00:00:00Z'].map((at) =>
      backupIdOf(run, at),
    );
    expect([...ids].reverse().sort()).toEqual(ids);
  });
});

describe('the name of a file', () => {
  test('says what is in it, and which attempt wrote it', () => {
    expect(partName(7, ['secrets'], 2)).toBe('parts/0007-secrets-2.tar.gz.gpg');
    expect(indexName(1008, 1)).toBe('index-1008-1.ndjson.gz.gpg');
    expect(logsName(0, 3)).toBe('logs-0000-3.tar.gz.gpg');
  });

  test.each([
    [['deployments.apps', 'secrets'], 'deployments+secrets'],
    [['a', 'b', 'c'], 'a+b+1'],
    [['x'.repeat(300)], 'x'.repeat(40)],
  ])('kinds %j are cut to %s', (kinds, label) => {
    expect(partName(1, kinds, 1)).toBe(`parts/0001-${label}-1.tar.gz.gpg`);
  });
});
