import type { PublicKeyFile } from '../../activities/key-file.ts';
import type { BackupKeyKind } from '../../contracts/backup-keys.ts';
import { describeKeyState, keyStateOf, type KeyState } from '../../domain/backups/key-state.ts';
import { fitsPublicKey } from '../../encryption/key-pairs.ts';
import {
  KeyUnusable,
  readPrivateKeyFacts,
  readPublicKey,
  type PublicKeyFacts,
} from '../../encryption/keys.ts';
import type { PrivateKeyText } from '../../encryption/messages.ts';

/** One key as people see it. Nothing of its private part is in here. */
export interface KeyRow {
  target: string;
  kind: BackupKeyKind | 'former online' | 'audit';
  state: KeyState | 'missing' | 'unusable' | 'unknown';
  fingerprint?: string;
  algorithm?: string;
  /** ISO 8601 in UTC. */
  madeAt?: string;
  expiresAt?: string;
  /** Where the public part is. */
  publicPart: string;
  /** Where the private part is, and whether it fits. */
  privatePart: string;
  /** What is wrong, and what to do. */
  note?: string;
}

/** A private part as it was found. */
export type PrivatePart =
  | { state: 'there'; at: string; key: PrivateKeyText }
  | { state: 'missing'; at: string }
  | { state: 'unknown'; why: string }
  /** Offline, by intent; or thrown away, since only the public part is needed still. */
  | { state: 'offline' | 'not kept' };

/** What a row is about. */
interface Asked {
  target: string;
  kind: KeyRow['kind'];
  publicAt: string;
  use: 'sign' | 'decrypt';
}

/** The public part: how it is read from a file, or its text; undefined: the private part has it. */
type PublicPart = (() => Promise<PublicKeyFile>) | string | undefined;

/** How one key stands: the worst of what its two parts are. */
export async function judgeKey(
  asked: Asked,
  publicPart: PublicPart,
  privatePart: PrivatePart,
  now: Date,
): Promise<KeyRow> {
  const { target, kind, publicAt } = asked;
  const row = { target, kind, publicPart: publicAt, privatePart: describePart(privatePart) };
  const read = await readPart(publicPart, privatePart);
  if (typeof read === 'string') return { ...row, ...unread(read, asked, privatePart) };
  const state = keyStateOf(read.facts, now);
  const note = describeKeyState(state, read.facts.expiresAt);
  const facts = { ...row, ...shown(read.facts), state, ...(note === undefined ? {} : { note }) };
  return await withPrivatePart(facts, asked, read.armored, privatePart);
}

async function withPrivatePart(
  row: KeyRow,
  { target, kind, use }: Asked,
  publicKey: string | undefined,
  part: PrivatePart,
): Promise<KeyRow> {
  if (part.state === 'unknown') return { ...row, state: 'unknown', note: `the private part: ${part.why}` };
  if (part.state === 'missing')
    return {
      ...row,
      state: 'missing',
      note: `${part.at} is not there; ${howToMake(kind, target, ' --rotate')}`,
    };
  if (part.state !== 'there') return row;
  try {
    const fits = publicKey === undefined || (await fitsPublicKey(part.key, publicKey, use));
    if (fits) return { ...row, privatePart: `${part.at} (${publicKey === undefined ? 'there' : 'fits'})` };
    const note = `the private part is that of key ${(await readPrivateKeyFacts(part.key.armored)).fingerprint}; name its public file in the profile, as runbook keys create said`;
    return { ...row, state: 'unusable', privatePart: `${part.at} (does not fit)`, note };
  } catch (error) {
    if (!(error instanceof KeyUnusable)) throw error;
    return { ...row, state: 'unusable', note: `${part.at}: ${error.message}` };
  }
}

async function readPart(
  publicPart: PublicPart,
  privatePart: PrivatePart,
): Promise<{ facts: PublicKeyFacts; armored?: string } | string> {
  try {
    if (typeof publicPart === 'function') {
      const { armored, ...facts } = await publicPart();
      return { facts, armored };
    }
    if (publicPart === '') return 'is not there';
    if (publicPart !== undefined) return { facts: await readPublicKey(publicPart), armored: publicPart };
    if (privatePart.state !== 'there') return 'cannot be read';
    return { facts: await readPrivateKeyFacts(privatePart.key.armored) };
  } catch (error) {
    if (error instanceof KeyUnusable) return error.message;
    throw error;
  }
}

function unread(
  sentence: string,
  { kind, target, publicAt }: Asked,
  { state }: PrivatePart,
): Pick<KeyRow, 'state' | 'note'> {
  const note = `${publicAt} ${sentence}`;
  if (state === 'unknown' && kind === 'audit') return { state: 'unknown', note };
  if (!/ENOENT|not there/.test(sentence)) return { state: 'unusable', note };
  return { state: 'missing', note: `${note}; ${howToMake(kind, target)}` };
}

function shown({ fingerprint, algorithm, madeAt, expiresAt }: PublicKeyFacts): Partial<KeyRow> {
  return {
    fingerprint,
    algorithm,
    madeAt: madeAt.toISOString(),
    ...(expiresAt === undefined ? {} : { expiresAt: expiresAt.toISOString() }),
  };
}

function describePart(part: PrivatePart): string {
  switch (part.state) {
    case 'there':
      return part.at;
    case 'missing':
      return `${part.at} (missing)`;
    case 'unknown':
      return 'cannot be read';
    case 'offline':
      return 'offline';
    case 'not kept':
      return 'not needed any more';
  }
}

function howToMake(kind: KeyRow['kind'], target: string, rotate = ''): string {
  if (kind === 'audit') return 'make it with: runbook setup';
  return `make one with: runbook keys create ${kind} --target ${target}${rotate}`;
}
