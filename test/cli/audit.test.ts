import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createObjectStorage } from '../../src/clients/object-storage.ts';
import type { AuditEvent, Checkpoint, SignedCheckpoint } from '../../src/contracts/audit.ts';
import { bytesOf, checkpointStatement, emptyLog, entryOf, keyOfEntry } from '../../src/domain/audit.ts';
import { generateSigningKey } from '../../src/encryption/key-pairs.ts';
import { signDetached } from '../../src/encryption/signatures.ts';
import { runbook, type Ended } from '../support/command.ts';
import { stack, unique } from '../support/stack.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const scratch = mkdtempSync(join(tmpdir(), 'runbook-audit-'));
// Neither Temporal nor a cluster: both addresses lead nowhere.
const alone = {
  TEMPORAL_ADDRESS: '127.0.0.1:1',
  RUNBOOK_KUBECONFIG: '/no/such/file',
  KUBECONFIG: '/no/such/file',
};
const noBucket = { RUNBOOK_STORAGE_BUCKET: undefined, RUNBOOK_STORAGE_ENDPOINT: undefined };
let key: Awaited<ReturnType<typeof generateSigningKey>>;
let folder: string;
let newest: Checkpoint;

beforeAll(async () => {
  key = await generateSigningKey({ name: 'audit' });
  written('public.asc', key.publicKey);
});
afterAll(() => {
  rmSync(scratch, { recursive: true });
});
beforeEach(() => {
  folder = mkdtempSync(join(scratch, 'copy-'));
  newest = writeLog('shop', 10);
});

function anEvent(number: number): AuditEvent {
  return {
    id: `run/${number}`,
    at: `2026-03-01T03:00:${String(number).padStart(2, '0')}.000Z`,
    kind: number % 2 === 0 ? 'decision' : 'change',
    sentence: `event ${number}`,
    ...(number % 2 === 0 ? { who: number % 4 === 0 ? 'ada' : 'bob' } : {}),
  };
}

/** A log in the folder, chained as workers chain it. */
function writeLog(target: string, count: number): Checkpoint {
  let head = emptyLog(target);
  for (let number = 1; number <= count; number++) {
    const procedure = number <= 5 ? 'rollingUpdate' : 'rollback';
    const run = { workflowId: 'run', firstRunId: 'first', procedure };
    const bytes = bytesOf(entryOf(anEvent(number), head, run, sha256));
    mkdirSync(dirname(fileOf(number, target)), { recursive: true });
    writeFileSync(fileOf(number, target), bytes);
    head = { target, sequence: number, head: sha256(bytes) };
  }
  return head;
}

function fileOf(number: number, target = 'shop'): string {
  return join(folder, keyOfEntry(target, number));
}

function written(name: string, content: unknown): string {
  const file = join(scratch, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

async function signed(checkpoint: Checkpoint): Promise<SignedCheckpoint> {
  const statement = { ...checkpoint, at: '2026-03-01T04:00:00.000Z' };
  const signature = await signDetached(checkpointStatement(statement), key.privateKey);
  return { ...statement, fingerprint: key.fingerprint, signature };
}

async function audit(verb: string, ...line: string[]): Promise<Ended> {
  return await runbook(['audit', verb, '--target', 'shop', '--folder', folder, ...line], {
    ...alone,
    ...noBucket,
  });
}

/** The options with which an auditor checks everything. */
async function everything(checkpoint: Checkpoint = newest): Promise<string[]> {
  const file = written('checkpoint.json', await signed(checkpoint));
  return ['--checkpoint', file, '--key', join(scratch, 'public.asc')];
}

describe('verify', () => {
  test('a whole log is fine; that its tail was not checked is said', async () => {
    const { code, out, err } = await audit('verify');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^✓ 10 entries at .*audit\/shop\/, the last one is 10 with SHA-256 [0-9a-f]{64}\n/);
    expect(out).toMatch(/\n\? tail not checked: /);
  });

  test('with a signed checkpoint the tail is checked, and the signature', async () => {
    const { code, out } = await audit('verify', ...(await everything()));
    expect(code).toBe(0);
    expect(out).toContain('✓ no tail was cut: entry 10 is the one of the checkpoint');
    expect(out).toContain(`✓ the checkpoint was signed by key ${key.fingerprint} at `);
  });

  test('a report has its checkpoint inside', async () => {
    const report = written('report.json', { audit: { state: 'signed', checkpoint: await signed(newest) } });
    const { code } = await audit('verify', '--checkpoint', report, '--key', join(scratch, 'public.asc'));
    expect(code).toBe(0);
  });

  test('a checkpoint without the key to check it is no proof', async () => {
    const [option = '', file = ''] = await everything();
    const { code, out } = await audit('verify', option, file);
    expect(code).toBe(4);
    expect(out).toContain('? signature not checked: name the public key with --key');
  });

  test.each<[string, string, () => void]>([
    [
      'removed',
      'entry 4 was removed',
      () => {
        rmSync(fileOf(4));
      },
    ],
    [
      'altered',
      'entry 4 was altered',
      () => {
        writeFileSync(fileOf(4), readFileSync(fileOf(4), 'utf8').replace('event 4', 'event 5'));
      },
    ],
    [
      'altered',
      'entry 10 was altered: it is not JSON',
      () => {
        writeFileSync(fileOf(10), '');
      },
    ],
    [
      'reordered',
      'file 4 holds entry 5',
      () => {
        renameSync(fileOf(4), `${fileOf(4)}.tmp`);
        renameSync(fileOf(5), fileOf(4));
        renameSync(`${fileOf(4)}.tmp`, fileOf(5));
      },
    ],
    [
      'inserted',
      'no entry has such a name',
      () => {
        writeFileSync(join(dirname(fileOf(1)), 'more.json'), '{}');
      },
    ],
    [
      'foreign',
      'entry 4 belongs to the log of target bank',
      () => {
        writeLog('bank', 10);
        renameSync(fileOf(4, 'bank'), fileOf(4));
      },
    ],
  ])('%s: "%s" is named', async (kind, sentence, tamper) => {
    tamper();
    const { code, out } = await audit('verify');
    expect(code).toBe(1);
    expect(out).toContain(`✗ ${kind}: `);
    expect(out).toContain(sentence);
  });

  test('a cut tail is found with a checkpoint only', async () => {
    rmSync(fileOf(9));
    rmSync(fileOf(10));
    expect(await audit('verify')).toMatchObject({ code: 0 });
    const { code, out } = await audit('verify', ...(await everything()));
    expect(code).toBe(1);
    expect(out).toContain('✗ the tail was cut: entries 9 to 10 of the checkpoint are gone');
  });

  test('another history is found with a checkpoint', async () => {
    const { code, out } = await audit('verify', ...(await everything({ ...newest, head: 'a'.repeat(64) })));
    expect(code).toBe(1);
    expect(out).toContain('✗ entry 10 is not the one of the checkpoint');
  });

  test('a checkpoint that was changed after it was signed is not good', async () => {
    const file = written('forged.json', { ...(await signed(newest)), sequence: 9 });
    const { code, out } = await audit('verify', '--checkpoint', file, '--key', join(scratch, 'public.asc'));
    expect(code).toBe(1);
    expect(out).toContain('✗ the signature of the checkpoint is not good: ');
  });

  test('a log that is not there at all is no good log', async () => {
    rmSync(join(folder, 'audit'), { recursive: true });
    const without = await audit('verify');
    expect(without.code).toBe(4);
    expect(without.out).toContain('? there is no audit log at ');
    const { code, out } = await audit('verify', ...(await everything()));
    expect(code).toBe(1);
    expect(out).toContain('entries 1 to 10 of the checkpoint are gone');
  });

  test('as JSON it is one value with everything in it', async () => {
    rmSync(fileOf(4));
    const { code, out } = await audit('verify', '--json', ...(await everything()));
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      target: 'shop',
      entries: 9,
      newest,
      findings: [{ kind: 'removed', sequence: 4 }],
      tail: { verdict: 'ok' },
      signature: { verdict: 'good' },
    });
  });

  test('reads the bucket of the configuration', async () => {
    const { bucket, endpoint, region } = stack().s3;
    const prefix = unique('audit');
    const storage = createObjectStorage({ bucket, endpoint, region, prefix });
    for (let number = 1; number <= 10; number++)
      await storage.putOnce(keyOfEntry('shop', number), readFileSync(fileOf(number)), 'application/json');
    storage.close();
    const environment = { ...alone, RUNBOOK_STORAGE_PREFIX: prefix };
    const { code, out } = await runbook(
      ['audit', 'verify', '--target', 'shop', ...(await everything())],
      environment,
    );
    expect(out).toContain(`✓ 10 entries at s3://${bucket}/${prefix}/audit/shop/`);
    expect(code).toBe(0);
  });

  test('a store that does not answer is neither fine nor broken', async () => {
    const environment = { ...alone, RUNBOOK_STORAGE_ENDPOINT: 'http://127.0.0.1:1' };
    const { code, out, err } = await runbook(['audit', 'verify', '--target', 'shop'], environment);
    expect({ code, out }).toEqual({ code: 4, out: '' });
    expect(err).toMatch(/^runbook: s3:\/\/.*audit\/shop\/ cannot be read: ECONNREFUSED\n$/);
  });
});

describe('show', () => {
  const sequences = ({ out }: Ended): number[] =>
    (JSON.parse(out) as { sequence: number }[]).map(({ sequence }) => sequence);

  test('prints a line for each entry', async () => {
    const { code, out } = await audit('show');
    expect(code).toBe(0);
    expect(out.split('\n')).toHaveLength(11);
    expect(out).toMatch(/^1 {2}2026-03-01T03:00:01\.000Z {2}change {2}- {2}rollingUpdate run {2}event 1\n/);
  });

  test.each([
    [
      ['--person', 'ada'],
      [4, 8],
    ],
    [['--person', 'Ada'], []],
    [['--person', 'ad'], []],
    [
      ['--procedure', 'rollback'],
      [6, 7, 8, 9, 10],
    ],
    [
      ['--person', 'bob', '--procedure', 'rollback'],
      [6, 10],
    ],
    [
      ['--since', '2026-03-01T03:00:09Z'],
      [9, 10],
    ],
    [
      ['--until', '2026-03-01T03:00:02Z'],
      [1, 2],
    ],
    [['--since', '2026-03-01T03:00:03Z', '--until', '2026-03-01T03:00:03.000Z'], [3]],
  ])('%j: only entries %j', async (filter, expected) => {
    expect(sequences(await audit('show', '--json', ...filter))).toEqual(expected);
  });

  test('no text from elsewhere moves the cursor or reorders a line', async () => {
    const text = 'a\u001b[2J\u009b\u202eb\nc';
    const run = { workflowId: text, firstRunId: text, procedure: text };
    const entry = {
      ...entryOf({ ...anEvent(1), at: text, who: text }, emptyLog('shop'), run, sha256),
      sentence: text,
    };
    rmSync(join(folder, 'audit'), { recursive: true });
    mkdirSync(dirname(fileOf(1)), { recursive: true });
    writeFileSync(fileOf(1), bytesOf(entry));
    const [plain, json] = [await audit('show'), await audit('show', '--json')];
    expect(plain.out.trimEnd().split('\n')).toHaveLength(1);
    for (const { out } of [plain, json])
      for (const mark of ['\u001b', '\u009b', '\u202e']) expect(out).not.toContain(mark);
    expect((JSON.parse(json.out) as { sentence: string }[])[0]?.sentence).toBe(text);
  });

  test('an entry that cannot be read is named beside the others', async () => {
    writeFileSync(fileOf(4), 'no JSON');
    const { code, out, err } = await audit('show');
    expect({ code, err }).toEqual({ code: 0, err: 'entry 4 is not JSON\n' });
    expect(out.split('\n')).toHaveLength(10);
  });
});

test.each([
  [['verify'], "required option '--target <name>' not specified"],
  [['verify', '--target', '../shop'], '--target takes the name of a target profile'],
  [['verify', '--target', 'shop'], 'no bucket is configured'],
  [
    ['verify', '--target', 'shop', '--folder', '/', '--checkpoint', '/no/such'],
    '--checkpoint names a file that cannot be read (ENOENT)',
  ],
  [
    ['verify', '--target', 'shop', '--folder', '/', '--checkpoint', '/etc/hostname'],
    '--checkpoint names a file that holds none',
  ],
  [['show', '--target', 'shop', '--folder', '/', '--since', 'yesterday'], '--since takes a time like'],
  [['erase'], "unknown command 'erase'"],
])('%j is refused as bad usage', async (line, sentence) => {
  const { code, out, err } = await runbook(['audit', ...line], { ...alone, ...noBucket });
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(sentence);
});

test('a checkpoint of another target is refused as bad usage', async () => {
  const { code, err } = await audit('verify', ...(await everything({ ...newest, target: 'bank' })));
  expect(code).toBe(2);
  expect(err).toContain('--checkpoint is of another target');
});
