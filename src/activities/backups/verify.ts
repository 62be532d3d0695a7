import type { BackupStore } from '../../clients/backup-storage.ts';
import {
  backupFiles,
  type BackupManifest,
  type IndexEntry,
  type VerificationRecord,
} from '../../contracts/backup-manifest.ts';
import type { RunRef } from '../../contracts/run-ref.ts';
import type { BackupVerdict } from '../../contracts/verify-backup.ts';
import { renderSigned } from '../../domain/backups/manifest.ts';
import { KeyUnusable, readPrivateKeyFacts } from '../../encryption/keys.ts';
import { signClear, type PrivateKeyText } from '../../encryption/messages.ts';
import { failure, isOurs } from '../failures.ts';
import { bytesOf } from './commit.ts';
import { storing } from './failures.ts';
import {
  checkFile,
  openManifest,
  readIndex,
  readLogFiles,
  readPart,
  type OpenedBackup,
  type OpeningKeys,
} from './open-backup.ts';
import { keyOf } from './seal.ts';

const mostFindings = 20;

/** Finding after finding; the first ones are kept, the rest is counted. */
class Findings {
  readonly #kept: string[] = [];
  #more = 0;

  add(sentence: string): void {
    if (this.#kept.includes(sentence)) return;
    if (this.#kept.length < mostFindings) this.#kept.push(sentence);
    else this.#more += 1;
  }

  get all(): string[] {
    return this.#more === 0 ? this.#kept : [...this.#kept, `and ${this.#more} more`];
  }
}

/** What was read back, and what was wrong with it. */
export interface ReadBack {
  opened?: OpenedBackup;
  objects: number;
  bytes: number;
  findings: string[];
  /** What a partial backup says itself that it lacks; at most 20 names. */
  lacks: string[];
}

/**
 * Reads a whole backup: signature of the manifest, then of every file its size, hash, signature, that it can be decrypted
 * and unpacked, and that the index names exactly what the parts hold. Reading only. A file that is damaged does not
 * hide what else is. @throws StorageUnavailable; KeyMissing: nothing can be said of the backup
 */
export async function readBack(
  store: BackupStore,
  backup: { target: string; backupId: string },
  keys: OpeningKeys,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<ReadBack> {
  const findings = new Findings();
  const opened = await orFinding(findings, () =>
    openManifest(store, backup.target, backup.backupId, keys.signers, signal),
  );
  if (opened === undefined) return { objects: 0, bytes: 0, findings: findings.all, lacks: [] };
  const { manifest } = opened;
  await needKeyFor(manifest, keys);
  const byPart = await orFinding(findings, () => entriesByPart(store, opened, keys, signal, slim));
  // The first bad index has ended the reading of all.
  if (byPart === undefined)
    for (const index of manifest.indexes)
      await orFinding(findings, () => checkFile(store, opened, index, keys, signal));
  let objects = 0;
  for (const [index, part] of manifest.parts.entries()) {
    const entries = byPart?.get(part.name) ?? new Map<string, IndexEntry>();
    await orFinding(findings, async () => {
      // Without the index its parts are looked at all the same: one verification tells everything.
      if (byPart === undefined) await checkFile(store, opened, part, keys, signal);
      else objects += await countOf(readPart(store, opened, part, entries, keys, signal));
    });
    say(`${index + 1} of ${manifest.parts.length} parts, ${objects} of ${manifest.objects} objects`);
  }
  for (const name of byPart?.keys() ?? [])
    if (!manifest.parts.some((part) => part.name === name))
      findings.add(`the index names a part that the manifest does not: ${name}`);
  for (const log of manifest.logs)
    await orFinding(findings, () => countOf(readLogFiles(store, opened, log, keys, signal)));
  const lacks = manifest.missing.slice(0, mostFindings).map(({ what }) => what);
  return { opened, objects, bytes: bytesOf(manifest), findings: findings.all, lacks };
}

/** That nobody here can open a backup is no fault of the backup: no finding, and no record of one. @throws KeyMissing */
async function needKeyFor(
  { backupId, encryptedTo }: BackupManifest,
  { privateKeys }: OpeningKeys,
): Promise<void> {
  const ours = await Promise.all(privateKeys.map(fingerprintOf));
  if (ours.some((one) => one !== undefined && encryptedTo.includes(one))) return;
  throw failure(
    'KeyMissing',
    `no key here opens backup ${backupId}: it is encrypted to ${encryptedTo.join(', ')}, and here is ${ours.join(', ') || 'none'}`,
  );
}

async function fingerprintOf({ armored }: PrivateKeyText): Promise<string | undefined> {
  try {
    return (await readPrivateKeyFacts(armored)).fingerprint;
  } catch (error) {
    if (error instanceof KeyUnusable) return undefined;
    throw error;
  }
}

/** A name as we write them; another one may hold anything, and is counted only. */
const plainName = /^[\w./-]{1,200}$/;

/**
 * Files in the folder of a backup that its manifest does not name, at most 20 names: of an attempt that died, or put there by
 * somebody. Nothing of ours reads them. Reading only. @throws StorageUnavailable
 */
export async function filesBeside(
  store: BackupStore,
  backup: { target: string; backupId: string },
  { parts, indexes, logs }: OpenedBackup['manifest'],
  signal: AbortSignal,
): Promise<string[]> {
  const known = new Set<string>([
    backupFiles.run,
    backupFiles.manifest,
    ...[...parts, ...indexes, ...logs].map(({ name }) => name),
  ]);
  const folder = keyOf(backup, '');
  return await storing(signal, `list the files of ${backup.backupId} in ${store.name}`, async () => {
    const beside: string[] = [];
    for await (const found of store.list(folder, {}, signal)) {
      if (!('key' in found)) continue;
      const name = found.key.slice(folder.length);
      if (known.has(name) || /^verified-[0-9TZ]+\.asc$/.test(name)) continue;
      beside.push(plainName.test(name) ? name : 'one with an odd name');
      if (beside.length === mostFindings) break;
    }
    return beside;
  });
}

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const item of items) if (item !== undefined) count += 1;
  return count;
}

/** What the hash is compared with, without what nobody looks at here. */
function slim(entry: IndexEntry): IndexEntry {
  return { ...entry, dropped: { metadata: {} } };
}

/** Entries by part, then by path. `keep` says what of each stays in memory. */
export async function entriesByPart(
  store: BackupStore,
  opened: OpenedBackup,
  keys: OpeningKeys,
  signal: AbortSignal,
  keep: (entry: IndexEntry) => IndexEntry = (entry) => entry,
): Promise<Map<string, Map<string, IndexEntry>>> {
  const byPart = new Map<string, Map<string, IndexEntry>>();
  for await (const entry of readIndex(store, opened, keys, signal)) {
    const entries = byPart.get(entry.part) ?? new Map<string, IndexEntry>();
    entries.set(entry.path, keep(entry));
    byPart.set(entry.part, entries);
  }
  return byPart;
}

/** Our own refusals are findings; a store that is away is not the fault of the backup. */
async function orFinding<T>(findings: Findings, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!isOurs(error) || (error as { type?: unknown }).type !== 'BackupRefused') throw error;
    findings.add((error as Error).message);
    return undefined;
  }
}

/**
 * Verifies a backup in one location and writes the signed record of it beside the backup, once. Reading again at every
 * attempt; each attempt may leave a record of its own, all of them true. @throws StorageUnavailable
 */
export async function verifyBackup(
  store: BackupStore,
  asked: { run: RunRef; target: string; backupId: string },
  keys: OpeningKeys & { signingKey: PrivateKeyText },
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<BackupVerdict> {
  const { opened, objects, bytes, findings, lacks } = await readBack(store, asked, keys, signal, say);
  const verdict = findings.length === 0 ? 'pass' : 'fail';
  const result = {
    location: store.name,
    backupId: asked.backupId,
    verdict,
    objects,
    bytes,
    findings,
  } as const;
  // Of what has no valid manifest there is nothing that a record could speak of.
  if (opened === undefined) return result;
  // Before the record: what fails here is repeated, and would leave a second one.
  const beside = await filesBeside(store, asked, opened.manifest, signal);
  const record: VerificationRecord = {
    format: 'runbook-verification/1',
    ...result,
    target: asked.target,
    run: asked.run,
    at: new Date().toISOString(),
    manifestSha256: opened.manifestSha256,
  };
  const name = backupFiles.verified(record.at);
  const file = await signClear(renderSigned(record), keys.signingKey);
  await storing(signal, `write the record of the verification to ${store.name}`, () =>
    store.putOnce(keyOf(asked, name), file, 'text/plain; charset=utf-8', signal),
  );
  return {
    ...result,
    ...(beside.length === 0 ? {} : { beside }),
    ...(lacks.length === 0 ? {} : { lacks }),
    record: store.locationOf(keyOf(asked, name)),
  };
}
