import { describe, expect, test } from '@jest/globals';
import type { CommittedBackup } from '../../../src/contracts/backup.ts';
import type { BackupVerdict, ChosenBackup } from '../../../src/contracts/verify-backup.ts';
import {
  ageInWords,
  bytesInWords,
  describeKinds,
  proofOfBackup,
  proofsOfVerification,
} from '../../../src/domain/backups/describe.ts';

describe('sizes and ages for people', () => {
  test.each([
    [0, '0 bytes'],
    [1023, '1023 bytes'],
    [1024, '1.0 KiB'],
    [1024 ** 2 - 1, '1024.0 KiB'],
    [1024 ** 2, '1.0 MiB'],
  ])('%d bytes: %s', (bytes, words) => {
    expect(bytesInWords([{ bytes }])).toBe(words);
  });

  test.each([
    [undefined, 'an unknown time'],
    [0, '0 s'],
    [119, '119 s'],
    [120, '2 min'],
    [7199, '119 min'],
    [7200, '2 h'],
    [172_799, '47 h'],
    [172_800, '2 d'],
  ])('%s seconds: %s', (seconds, words) => {
    expect(ageInWords(seconds)).toBe(words);
  });

  test('what cannot be read is named with what was found', () => {
    const kinds = [{ estimate: 3 }, { estimate: 4 }];
    expect(describeKinds({ kinds, missing: [] })).toBe('2 kinds, about 7 objects');
    expect(describeKinds({ kinds, missing: [{ what: 'metrics.k8s.io', why: 'away' }] })).toBe(
      '2 kinds, about 7 objects; not to be read: metrics.k8s.io',
    );
  });
});

describe('a backup', () => {
  const committed: CommittedBackup = {
    backupId: 'id',
    objects: 1,
    bytes: 1,
    complete: true,
    consistency: 'snapshot',
    manifestSha256: 'a',
    locations: [],
    notes: [],
  };

  test('that is whole passes', () => {
    expect(proofOfBackup(committed, [])).toMatchObject({ verdict: 'pass', about: 'backup' });
  });

  test('that lacks something is unknown, and says what', () => {
    const missing = Array.from({ length: 22 }, (_, index) => ({ what: `kind${index}`, why: 'away' }));
    const { verdict, evidence } = proofOfBackup({ ...committed, complete: false }, missing);
    expect(verdict).toBe('unknown');
    expect(evidence[0]).toBe('kind0 is missing: away');
    expect(evidence.at(-1)).toBe('and 2 more');
  });

  test('in a store that may overwrite says so', () => {
    const { evidence } = proofOfBackup({ ...committed, notes: ['may overwrite'] }, []);
    expect(evidence).toContain('may overwrite');
  });
});

describe('a verification', () => {
  const chosen: ChosenBackup = { location: 'here', backupId: 'id', ageSeconds: 3600 };
  const good: BackupVerdict = {
    location: 'here',
    backupId: 'id',
    verdict: 'pass',
    objects: 2,
    bytes: 2,
    findings: [],
  };
  const asked = { rpoSeconds: 3600, named: false };

  test.each<[string, ChosenBackup[], BackupVerdict[], typeof asked, string]>([
    ['a good backup, exactly as old as it may be', [chosen], [good], asked, 'pass'],
    ['one second older', [{ ...chosen, ageSeconds: 3601 }], [good], asked, 'fail'],
    [
      'older, and asked for by its id',
      [{ ...chosen, ageSeconds: 9999 }],
      [good],
      { ...asked, named: true },
      'pass',
    ],
    ['of unknown age', [{ location: 'here', backupId: 'id' }], [good], asked, 'fail'],
    ['a bad one', [chosen], [{ ...good, verdict: 'fail', findings: ['bad'] }], asked, 'fail'],
    ['none there', [{ location: 'here' }], [], asked, 'fail'],
    ['one there that nobody verified', [chosen], [], asked, 'fail'],
    ['another location only', [chosen], [{ ...good, location: 'there' }], asked, 'fail'],
  ])('%s', (_, choices, verdicts, options, verdict) => {
    expect(proofsOfVerification(choices, verdicts, options).map((proof) => proof.verdict)).toEqual([verdict]);
  });

  test('what lies beside a backup is named', () => {
    const [proof] = proofsOfVerification([chosen], [{ ...good, beside: ['parts/x.gpg'] }], asked);
    expect(proof?.verdict).toBe('pass');
    expect(proof?.evidence[0]).toMatch(/what its manifest does not name, .*: parts\/x\.gpg$/);
  });

  test('a partial backup passes as what it is', () => {
    const chosen = [{ location: 'default', backupId: 'b', ageSeconds: 60 }];
    const verdict = {
      location: 'default',
      backupId: 'b',
      verdict: 'pass' as const,
      objects: 3,
      bytes: 10,
      findings: [],
    };
    const options = { rpoSeconds: 3600, named: false };
    const sentenceOf = (lacks?: string[]): string | undefined =>
      proofsOfVerification(chosen, [lacks === undefined ? verdict : { ...verdict, lacks }], options)[0]
        ?.evidence[0];
    expect(sentenceOf()).toBe('b in default: 3 objects read back, 10 bytes, 60 s old');
    expect(sentenceOf(['x.example.com/v1', 'pods'])).toBe(
      'b in default: 3 objects read back, 10 bytes, 60 s old; it is PARTIAL and lacks x.example.com/v1, pods',
    );
  });
});
