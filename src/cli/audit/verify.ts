import { readFile } from 'node:fs/promises';
import type { Checkpoint, SignedCheckpoint } from '../../contracts/audit.ts';
import {
  checkpointStatement,
  compareWithCheckpoint,
  readCheckpoint,
  verifyChain,
  type AuditFinding,
  type ChainPart,
} from '../../domain/audit.ts';
import { verifyDetached } from '../../encryption/signatures.ts';
import { exitCodes, UsageError } from '../exit-codes.ts';
import { readLog, type LogSource } from './read-log.ts';

/** What came out of one verification. */
export interface Verification {
  target: string;
  place: string;
  entries: number;
  /** The last entry that is there. */
  newest?: Checkpoint;
  findings: AuditFinding[];
  tail: { verdict: 'notChecked' | 'ok' | 'cutTail' | 'otherHistory'; sentence: string };
  /** Missing without a checkpoint. */
  signature?: { verdict: 'good' | 'bad' | 'notChecked'; sentence: string };
}

/** Files that an auditor brings. */
export interface Evidence {
  checkpoint?: string;
  key?: string;
}

/** Checks chain, tail and signature of a log, each as far as the evidence goes. @throws UsageError, Error when it cannot be read */
export async function verifyLog(
  target: string,
  source: LogSource,
  evidence: Evidence,
  say: (line: string) => void,
): Promise<Verification> {
  const checkpoint = await readCheckpointFile(target, evidence.checkpoint);
  const signature = checkpoint === undefined ? undefined : await checkSignature(checkpoint, evidence.key);
  const parts: ChainPart[] = [];
  for await (const read of readLog(target, source, say)) parts.push(onlyLinks(read));
  const report = verifyChain(target, parts);
  return {
    target,
    place: source.place,
    entries: report.heads.size,
    ...(report.newest === undefined ? {} : { newest: report.newest }),
    findings: report.findings,
    tail:
      checkpoint === undefined
        ? {
            verdict: 'notChecked',
            sentence:
              'tail not checked: whether entries are missing at the end, only a checkpoint tells (--checkpoint)',
          }
        : compareWithCheckpoint(report, checkpoint),
    ...(signature === undefined ? {} : { signature }),
  };
}

/** A long log is checked as a whole, so no more of each entry is kept than that needs. */
function onlyLinks({ entry, ...read }: ChainPart): ChainPart {
  if (entry === undefined) return read;
  const { target, sequence, previous, id } = entry;
  return { ...read, entry: { target, sequence, previous, id } };
}

async function readCheckpointFile(
  target: string,
  file: string | undefined,
): Promise<Checkpoint | SignedCheckpoint | undefined> {
  if (file === undefined) return undefined;
  const checkpoint = readCheckpoint(parseJson(await readText(file, '--checkpoint')));
  if (checkpoint === undefined)
    throw new UsageError(
      '--checkpoint names a file that holds none: give a signed checkpoint as JSON, a report.json or the result of a run',
    );
  if (checkpoint.target !== target)
    throw new UsageError('--checkpoint is of another target than --target names');
  return checkpoint;
}

async function checkSignature(
  checkpoint: Checkpoint | SignedCheckpoint,
  keyFile: string | undefined,
): Promise<NonNullable<Verification['signature']>> {
  if (!('signature' in checkpoint))
    return { verdict: 'notChecked', sentence: 'signature not checked: the checkpoint has none' };
  if (keyFile === undefined)
    return {
      verdict: 'notChecked',
      sentence:
        'signature not checked: name the public key with --key; anyone can write a checkpoint without it',
    };
  const key = await readText(keyFile, '--key');
  try {
    const { fingerprint, signedAt } = await verifyDetached(
      checkpointStatement(checkpoint),
      checkpoint.signature,
      key,
    );
    return {
      verdict: 'good',
      sentence: `the checkpoint was signed by key ${fingerprint} at ${signedAt.toISOString()}`,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : 'unknown error';
    return { verdict: 'bad', sentence: `the signature of the checkpoint is not good: ${why}` };
  }
}

async function readText(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new UsageError(`${option} names a file that cannot be read (${code})`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Broken counts before unknown, and unknown is not fine. A tail that nobody asked about is. */
export function exitCodeFor({ findings, entries, tail, signature }: Verification): number {
  const broken =
    tail.verdict === 'cutTail' || tail.verdict === 'otherHistory' || signature?.verdict === 'bad';
  if (broken || findings.length > 0) return exitCodes.failed;
  return entries === 0 || signature?.verdict === 'notChecked' ? exitCodes.unknown : exitCodes.done;
}

/** The verification as lines for people. */
export function linesOf({ place, entries, newest, findings, tail, signature }: Verification): string[] {
  const count = entries === 1 ? '1 entry' : `${entries} entries`;
  const read =
    newest === undefined
      ? `? there is no audit log at ${place}`
      : `${findings.length === 0 ? '✓' : '✗'} ${count} at ${place}, the last one is ${newest.sequence} with SHA-256 ${newest.head}`;
  const marks = { ok: '✓', good: '✓', notChecked: '?', cutTail: '✗', otherHistory: '✗', bad: '✗' };
  return [
    read,
    ...findings.map(({ kind, sentence }) => `✗ ${kind}: ${sentence}`),
    `${marks[tail.verdict]} ${tail.sentence}`,
    ...(signature === undefined ? [] : [`${marks[signature.verdict]} ${signature.sentence}`]),
  ];
}
