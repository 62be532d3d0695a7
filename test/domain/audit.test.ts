import { describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { AuditEntry, AuditEvent, Checkpoint } from '../../src/contracts/audit.ts';
import {
  bytesOf,
  checkpointStatement,
  compareWithCheckpoint,
  emptyLog,
  entryOf,
  keyOfEntry,
  readCheckpoint,
  readEntry,
  sequenceOfKey,
  verifyChain,
  type AuditFile,
  type ChainReport,
} from '../../src/domain/audit.ts';
import { hostileTexts } from '../support/builders.ts';

const target = 'shop';
const run = { workflowId: 'update-1', firstRunId: 'first-1', procedure: 'rollingUpdate' };
const length = 30;
const positions = Array.from({ length }, (_, index) => index + 1);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function anEvent(number: number, change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: `run-1/${number}`,
    at: '2026-03-01T03:00:00.000Z',
    kind: 'change',
    sentence: `event ${number}`,
    ...change,
  };
}

function fileOf(entry: AuditEntry, number = entry.sequence): AuditFile {
  return { key: keyOfEntry(target, number), bytes: bytesOf(entry) };
}

/** Files of a log, chained as workers chain them. */
function chain(events: AuditEvent[], of = target): AuditFile[] {
  let head = emptyLog(of);
  return events.map((event) => {
    const entry = entryOf(event, head, run, sha256);
    head = { target: of, sequence: entry.sequence, head: sha256(bytesOf(entry)) };
    return { key: keyOfEntry(of, entry.sequence), bytes: bytesOf(entry) };
  });
}

const log = chain(positions.map((number) => anEvent(number)));

function entryIn({ bytes }: AuditFile): AuditEntry {
  return JSON.parse(Buffer.from(bytes).toString()) as AuditEntry;
}

/** The log with another content of one entry. */
function withEntry(number: number, change: Partial<AuditEntry>): AuditFile[] {
  return log.map((file, index) =>
    index === number - 1 ? fileOf({ ...entryIn(file), ...change }, number) : file,
  );
}

function verify(files: AuditFile[]): ChainReport {
  return verifyChain(
    target,
    files.map((file) => readEntry(target, file, sha256)),
  );
}

/** What was found, short: `removed 3-4`. */
function found(files: AuditFile[]): string[] {
  return verify(files).findings.map(({ kind, sequence, last }) =>
    [kind, [sequence, last].filter((one) => one !== undefined).join('-')].join(' '),
  );
}

const newest: Checkpoint = verify(log).newest!;

describe('an untouched log', () => {
  test('has no findings, and its newest entry is the last one', () => {
    expect(found(log)).toEqual([]);
    expect(newest).toEqual({ target, sequence: length, head: sha256(log.at(-1)!.bytes) });
  });

  test('may have any length, none included', () => {
    expect(verify([])).toEqual({ findings: [], heads: new Map() });
    expect(found(log.slice(0, 1))).toEqual([]);
  });

  test('is the same in whatever order its files are read', () => {
    expect(verify(log.toReversed())).toEqual(verify(log));
  });

  test('begins with 64 zeros and links each entry to the bytes before it', () => {
    expect(entryIn(log[0]!).previous).toBe('0'.repeat(64));
    expect(entryIn(log[1]!).previous).toBe(sha256(log[0]!.bytes));
  });
});

describe.each(positions)('at entry %i', (number) => {
  const last = number === length;

  test('a removed entry is named; the last one only with a checkpoint', () => {
    const rest = log.toSpliced(number - 1, 1);
    expect(found(rest)).toEqual(last ? [] : [`removed ${number}`]);
    const verdict = compareWithCheckpoint(verify(rest), newest).verdict;
    expect(verdict).toBe(last ? 'cutTail' : 'ok');
  });

  test('a changed sentence is named; of the last entry only with a checkpoint', () => {
    const altered = withEntry(number, { sentence: 'nothing happened' });
    // With only the last entry after it, either of the two may be the altered one.
    const named = number === length - 1 ? `altered ${number}-${length}` : `altered ${number}`;
    expect(found(altered)).toEqual(last ? [] : [named]);
    const verdict = compareWithCheckpoint(verify(altered), newest).verdict;
    expect(verdict).toBe(last ? 'otherHistory' : 'ok');
  });

  test('a changed link is named', () => {
    const altered = withEntry(number, { previous: 'f'.repeat(64) });
    expect(found(altered)).toEqual([last ? `altered ${length - 1}-${length}` : `altered ${number}`]);
  });

  test.each([
    ['a space', (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.from(' ')])],
    ['a byte order mark', (bytes: Uint8Array) => Buffer.concat([Buffer.from('efbbbf', 'hex'), bytes])],
    [
      'a byte that is no UTF-8',
      (bytes: Uint8Array) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('ff', 'hex')]),
    ],
    ['half of it', (bytes: Uint8Array) => bytes.subarray(0, bytes.length / 2)],
    ['nothing', () => new Uint8Array()],
    [
      'one more field',
      (bytes: Uint8Array) => Buffer.from(Buffer.from(bytes).toString().replace('{', '{"a":1,')),
    ],
    ['JSON of another kind', () => Buffer.from('[]')],
  ])('an entry that became %s is named, the last one, too', (_what, change) => {
    const files = log.map((file, index) =>
      index === number - 1 ? { ...file, bytes: change(file.bytes) } : file,
    );
    expect(found(files)).toEqual([`altered ${number}`]);
  });

  test('a changed bit anywhere in it is found with a checkpoint', () => {
    const { key, bytes } = log[number - 1]!;
    const parts = log.map((file) => readEntry(target, file, sha256));
    for (let at = 0; at < bytes.length; at += 5) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      const read = readEntry(target, { key, bytes: changed }, sha256);
      const report = verifyChain(target, parts.toSpliced(number - 1, 1, read));
      const good = report.findings.length === 0 && compareWithCheckpoint(report, newest).verdict === 'ok';
      expect({ at, good }).toEqual({ at, good: false });
    }
  });

  test('two entries that changed places are named, whichever the other one is', () => {
    for (const other of positions.filter((one) => one > number)) {
      const swapped = log.toSpliced(number - 1, 1, fileOf(entryIn(log[other - 1]!), number));
      swapped[other - 1] = fileOf(entryIn(log[number - 1]!), other);
      expect(found(swapped)).toEqual([`reordered ${number}`, `reordered ${other}`]);
    }
  });

  test('an entry put in, with the others moved back, is named', () => {
    const before =
      number === 1
        ? emptyLog(target)
        : { ...newest, sequence: number - 1, head: entryIn(log[number - 1]!).previous };
    const forged = entryOf(anEvent(99), before, run, sha256);
    const files = [
      ...log.slice(0, number - 1),
      fileOf(forged),
      ...log.slice(number - 1).map((file) => fileOf(entryIn(file), entryIn(file).sequence + 1)),
    ];
    // Nothing comes after the last one that could tell which of the two is the real one.
    expect(found(files)).toContain(last ? `inserted ${length + 1}` : `inserted ${number}`);
  });

  test('an entry taken out, with the others moved up, is named', () => {
    const files = [
      ...log.slice(0, number - 1),
      ...log.slice(number).map((file) => fileOf(entryIn(file), entryIn(file).sequence - 1)),
    ];
    if (last) expect(compareWithCheckpoint(verify(files), newest).verdict).toBe('cutTail');
    else expect(found(files)).toContain(`removed ${number}`);
  });

  test('a copy of another entry in its place is named', () => {
    const other = number === 1 ? 2 : number - 1;
    const files = log.toSpliced(number - 1, 1, fileOf(entryIn(log[other - 1]!), number));
    expect(found(files)).toContain(`inserted ${number}`);
    if (!last) expect(found(files)).toContain(`removed ${number}`);
    else expect(compareWithCheckpoint(verify(files), newest).verdict).toBe('cutTail');
  });

  test('an entry of another log is named', () => {
    const foreign = chain(
      positions.map((one) => anEvent(one)),
      'bank',
    )[number - 1]!;
    const files = log.toSpliced(number - 1, 1, { ...log[number - 1]!, bytes: foreign.bytes });
    expect(found(files)).toEqual([`foreign ${number}`]);
  });

  test('an event that is told twice is named', () => {
    const ids = positions.map((one) => anEvent(one));
    const other = number === 1 ? length : 1;
    ids[number - 1] = anEvent(other);
    expect(found(chain(ids))).toEqual([`repeated ${Math.max(number, other)}`]);
  });

  test('a log that was written anew from there on is found with a checkpoint', () => {
    const events = positions.map((one) =>
      one < number ? anEvent(one) : anEvent(one, { sentence: 'other' }),
    );
    const report = verify(chain(events));
    expect(report.findings).toEqual([]);
    expect(compareWithCheckpoint(report, newest).verdict).toBe('otherHistory');
  });

  test('a tail cut there is found with a checkpoint, which says how much is gone', () => {
    const report = verify(log.slice(0, number - 1));
    expect(report.findings).toEqual([]);
    const { verdict, sentence } = compareWithCheckpoint(report, newest);
    expect(verdict).toBe('cutTail');
    expect(sentence).toContain(last ? 'entry 30 ' : `entries ${number} to 30 `);
  });

  test('an older checkpoint fits the longer log', () => {
    const older = { target, sequence: number, head: sha256(log[number - 1]!.bytes) };
    expect(compareWithCheckpoint(verify(log), older).verdict).toBe('ok');
  });
});

test('several removed entries in a row are one finding', () => {
  expect(found(log.toSpliced(4, 3))).toEqual(['removed 5-7']);
});

test('several alterations are all named', () => {
  const files = log.map((file, index) =>
    [2, 9, 20].includes(index) ? fileOf({ ...entryIn(file), who: 'nobody' }) : file,
  );
  expect(found(files)).toEqual(['altered 3', 'altered 10', 'altered 21']);
});

test('a number beyond all others makes no endless list', () => {
  const files = withEntry(12, { sequence: 999_999_999_999 });
  expect(found(files)).toContain('removed 31-999999999998');
});

test.each([
  'audit/shop/000000000000.json',
  'audit/shop/7.json',
  'audit/shop/000000000031.txt',
  'audit/shop/x\u001b[2J',
])('an object with a name that no entry has is named: %j', (key) => {
  const [finding] = verify([...log, { key, bytes: log[0]!.bytes }]).findings;
  expect(finding).toMatchObject({ kind: 'inserted' });
  expect(finding?.sentence).not.toContain('\u001b');
});

describe('an entry', () => {
  const place = emptyLog(target);

  test('has the same bytes for the same event at the same place', () => {
    const bytes = bytesOf(entryOf(anEvent(1), place, run, sha256));
    expect(bytesOf(entryOf(anEvent(1), place, run, sha256))).toEqual(bytes);
    expect(bytesOf(entryOf(anEvent(1, { who: 'ada' }), place, run, sha256))).not.toEqual(bytes);
  });

  test.each([...hostileTexts, '\ud800', '\ufeff'])('is read back whatever it tells: %j', (text) => {
    const event = anEvent(1, { sentence: text, who: text, data: { [text]: [text, -0, 1e300, null] } });
    const { entry, fault } = readEntry(target, fileOf(entryOf(event, place, run, sha256)), sha256);
    expect(fault).toBeUndefined();
    expect(entry?.id).toBe('run-1/1');
  });

  test.each([
    [16 * 1024, false],
    [16 * 1024 + 1, true],
  ])('keeps data of %i bytes, or its hash: %p', (bytes, tooLarge) => {
    const data = 'x'.repeat(bytes - 2);
    const { data: kept } = entryOf(anEvent(1, { data }), place, run, sha256);
    const instead = { tooLarge: { bytes, sha256: sha256(Buffer.from(JSON.stringify(data))) } };
    expect(kept).toEqual(tooLarge ? instead : data);
  });

  test.each([
    [2000, 2000],
    [2001, 2000],
  ])('keeps of a sentence of %i characters %i', (given, kept) => {
    expect(entryOf(anEvent(1, { sentence: 'x'.repeat(given) }), place, run, sha256).sentence).toHaveLength(
      kept,
    );
  });
});

test.each([
  [1, 'audit/shop/000000000001.json'],
  [999_999_999_999, 'audit/shop/999999999999.json'],
])('entry %i lies at %s', (sequence, key) => {
  expect(keyOfEntry(target, sequence)).toBe(key);
  expect(sequenceOfKey(target, key)).toBe(sequence);
  expect(sequenceOfKey('bank', key)).toBeUndefined();
});

describe('a checkpoint', () => {
  const signed = {
    ...newest,
    at: '2026-03-01T04:00:00.000Z',
    fingerprint: 'A'.repeat(40),
    signature: 'c2ln',
  };

  test('is signed as one line with sorted fields', () => {
    expect(checkpointStatement(signed)).toBe(
      `{"at":"2026-03-01T04:00:00.000Z","head":"${newest.head}","sequence":30,"target":"shop","version":"checkpoint/1"}`,
    );
  });

  test('is read from its own file, and from a report', () => {
    expect(readCheckpoint(signed)).toEqual(signed);
    expect(readCheckpoint({ outcome: 'succeeded', audit: { state: 'signed', checkpoint: signed } })).toEqual(
      signed,
    );
  });

  test('may be unsigned', () => {
    expect(readCheckpoint({ audit: { checkpoint: newest } })).toEqual(newest);
  });

  test.each([
    undefined,
    null,
    'text',
    {},
    { audit: { state: 'pending' } },
    { ...signed, sequence: 0 },
    { ...signed, head: 'F'.repeat(64) },
  ])('is not made up from %j', (value) => {
    expect(readCheckpoint(value)).toBeUndefined();
  });
});
