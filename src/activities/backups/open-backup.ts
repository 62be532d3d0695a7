import { setImmediate as breathe } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { parseLossless } from '../../clients/kubernetes/lossless-json.ts';
import type { BackupStore } from '../../clients/backup-storage.ts';
import {
  backupFiles,
  type BackupManifest,
  type IndexEntry,
  type StoredFile,
  type StoredIndex,
  type StoredPart,
} from '../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { readManifest } from '../../domain/backups/manifest.ts';
import { timeOf } from '../../domain/backups/names.ts';
import { MessageRefused, openMessage, verifyClear, type PrivateKeyText } from '../../encryption/messages.ts';
import { failure, isOurs } from '../failures.ts';
import { storing } from './failures.ts';
import { keyOf, sha256Of } from './seal.ts';

/** A manifest names some thousand parts at most; a larger file is not read. */
const mostManifestBytes = 16 * 1024 * 1024;

/** Encryption, signature and gzip of what does not compress add little; anything more is no part of ours. */
const mostOverheadBytes = 4 * 1024 * 1024;

/** A backup whose manifest was verified. */
export interface OpenedBackup {
  manifest: BackupManifest;
  manifestSha256: string;
  /** Fingerprint of the signer. */
  signedBy: string;
  signedAt: Date;
}

/** What opens the files of a backup. */
export interface OpeningKeys {
  /** Tried one after the other: after a rotation older backups need a former key. */
  privateKeys: PrivateKeyText[];
  /** Armored public keys; a file has to be signed by one of them. */
  signers: string[];
}

/** One object of a backup, whose bytes are those that the index was made from. */
export interface ReadObject {
  entry: IndexEntry;
  object: KubernetesObject;
}

/** The ids of all backups with a manifest, oldest first. @throws StorageUnavailable */
export async function listBackups(
  store: BackupStore,
  target: string,
  signal: AbortSignal,
): Promise<string[]> {
  return await storing(signal, `list the backups in ${store.name}`, async () => {
    const ids: string[] = [];
    const folder = backupFiles.folder(target);
    for await (const found of store.list(folder, { delimiter: '/' }, signal)) {
      if (!('folder' in found)) continue;
      const id = found.folder.slice(folder.length).replace(/\/$/, '');
      if (timeOf(id) !== undefined && (await hasManifest(store, target, id, signal))) ids.push(id);
    }
    return ids.sort();
  });
}

async function hasManifest(
  store: BackupStore,
  target: string,
  backupId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const key = keyOf({ target, backupId }, backupFiles.manifest);
  for await (const found of store.list(key, {}, signal)) if ('key' in found && found.key === key) return true;
  return false;
}

/**
 * Reads and verifies a manifest. Everything else of a backup is believed only as far as the manifest vouches for it.
 * @throws BackupRefused, StorageUnavailable
 */
export async function openManifest(
  store: BackupStore,
  target: string,
  backupId: string,
  signers: string[],
  signal: AbortSignal,
): Promise<OpenedBackup> {
  const key = keyOf({ target, backupId }, backupFiles.manifest);
  const where = store.locationOf(key);
  const file = await storing(signal, `read ${where}`, () => store.read(key, signal, mostManifestBytes));
  if (file === undefined) throw refused(`there is no ${where}, so there is no such backup`);
  const { text, signedBy, signedAt } = await orRefused(where, () => verifyClear(file, signers));
  const manifest = readManifest(text, { target, backupId });
  if (typeof manifest === 'string') throw refused(`${where}: ${manifest}`);
  return { manifest, manifestSha256: sha256Of(file), signedBy, signedAt };
}

/** Every entry of every index of a backup, verified. @throws BackupRefused, StorageUnavailable */
export async function* readIndex(
  store: BackupStore,
  opened: OpenedBackup,
  keys: OpeningKeys,
  signal: AbortSignal,
): AsyncGenerator<IndexEntry, void, undefined> {
  for (const index of opened.manifest.indexes) yield* readOneIndex(store, opened, index, keys, signal);
}

async function* readOneIndex(
  store: BackupStore,
  opened: OpenedBackup,
  index: StoredIndex,
  keys: OpeningKeys,
  signal: AbortSignal,
): AsyncGenerator<IndexEntry, void, undefined> {
  const plain = await readPlain(store, opened, index, keys, signal);
  let entries = 0;
  for (const line of linesOf(plain)) {
    entries += 1;
    if (entries % 1000 === 0) await breathe();
    yield parseEntry(line, index.name);
  }
  if (entries !== index.entries)
    throw refused(`${index.name} has ${entries} entries, the manifest says ${index.entries}`);
}

function* linesOf(plain: Buffer): Generator<string, void, undefined> {
  for (let start = 0; start < plain.length;) {
    const end = plain.indexOf(0x0a, start);
    yield plain.toString('utf8', start, end === -1 ? plain.length : end);
    start = end === -1 ? plain.length : end + 1;
  }
}

/** Signed by us, so only what is used as a name or a path is looked at. */
function parseEntry(line: string, file: string): IndexEntry {
  try {
    const entry = parseLossless(line) as unknown as IndexEntry;
    const texts = [entry.apiVersion, entry.kind, entry.name, entry.part, entry.path, entry.sha256];
    if (texts.every((one) => typeof one === 'string')) return entry;
  } catch {
    // The message would quote the line.
  }
  throw refused(`${file} has a line that is no entry`);
}

/**
 * Reads one part and yields every object of it. `entries`: those of this part, by path. What the index does not name, or
 * names and is not there, ends the reading. @throws BackupRefused, StorageUnavailable
 */
export async function* readPart(
  store: BackupStore,
  opened: OpenedBackup,
  part: StoredPart,
  entries: ReadonlyMap<string, IndexEntry>,
  keys: OpeningKeys,
  signal: AbortSignal,
): AsyncGenerator<ReadObject, void, undefined> {
  const plain = await readPlain(store, opened, part, keys, signal);
  let objects = 0;
  for await (const { name, content } of filesOf(plain, part.name)) {
    const entry = entries.get(name);
    if (entry?.part !== part.name) throw refused(`${part.name} holds a file that the index does not name`);
    if (sha256Of(content) !== entry.sha256)
      throw refused(`${part.name}: ${entry.kind} ${entry.name} is not what the index says`);
    objects += 1;
    yield { entry, object: parseLossless(content.toString('utf8')) as unknown as KubernetesObject };
  }
  if (objects !== part.objects || objects !== entries.size)
    throw refused(
      `${part.name} holds ${objects} objects, the manifest says ${part.objects}, the index ${entries.size}`,
    );
}

/** Whether a file is what the manifest says, without a look at what it holds. @throws BackupRefused, StorageUnavailable */
export async function checkFile(
  store: BackupStore,
  opened: OpenedBackup,
  file: StoredPart | StoredIndex,
  keys: OpeningKeys,
  signal: AbortSignal,
): Promise<void> {
  await readPlain(store, opened, file, keys, signal);
}

/** The logs of a backup, file by file. @throws BackupRefused, StorageUnavailable */
export async function* readLogFiles(
  store: BackupStore,
  opened: OpenedBackup,
  log: StoredFile,
  keys: OpeningKeys,
  signal: AbortSignal,
): AsyncGenerator<{ name: string; content: Buffer }, void, undefined> {
  const plain = await readPlain(store, opened, { ...log, plainBytes: mostLogBytes }, keys, signal, false);
  yield* filesOf(plain, log.name);
}

/** The manifest does not say how long logs are before gzip. */
const mostLogBytes = 256 * 1024 * 1024;

/** The bytes of one file before encryption and gzip, when everything that the manifest says of it is true. */
async function readPlain(
  store: BackupStore,
  { manifest: { target, backupId } }: Pick<OpenedBackup, 'manifest'>,
  file: StoredFile & { plainBytes: number },
  keys: OpeningKeys,
  signal: AbortSignal,
  exact = true,
): Promise<Buffer> {
  const sealed = await readStored(store, { target, backupId }, file, signal);
  const zipped = await openAny(file, sealed, keys);
  signal.throwIfAborted();
  const plain = unzip(zipped, file);
  if (exact && plain.length !== file.plainBytes)
    throw refused(`${file.name} holds ${plain.length} bytes, the manifest says ${file.plainBytes}`);
  return plain;
}

/** The stored bytes of one file, when size and hash are those of the manifest. */
async function readStored(
  store: BackupStore,
  backup: { target: string; backupId: string },
  file: StoredFile,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const key = keyOf(backup, file.name);
  const sealed = await storing(signal, `read ${store.locationOf(key)}`, () =>
    store.read(key, signal, file.bytes + 1),
  );
  if (sealed === undefined) throw refused(`${file.name} is missing`);
  if (sealed.length !== file.bytes)
    throw refused(`${file.name} has not the ${file.bytes} bytes that the manifest says`);
  if (sha256Of(sealed) !== file.sha256) throw refused(`${file.name} was changed: its SHA-256 is another one`);
  return sealed;
}

async function openAny(
  file: StoredFile & { plainBytes: number },
  sealed: Uint8Array,
  { privateKeys, signers }: OpeningKeys,
): Promise<Uint8Array> {
  let last: unknown;
  for (const privateKey of privateKeys) {
    try {
      const most = file.plainBytes + mostOverheadBytes;
      return (await openMessage(sealed, { privateKey, signers }, most)).plain;
    } catch (error) {
      last = error;
    }
  }
  return await orRefused(file.name, () => Promise.reject(last instanceof Error ? last : new Error('no key')));
}

function unzip(zipped: Uint8Array, { name, plainBytes }: StoredFile & { plainBytes: number }): Buffer {
  try {
    return gunzipSync(zipped, { maxOutputLength: Math.max(1, plainBytes) });
  } catch (error) {
    const tooLong = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    throw refused(
      `${name} ${tooLong ? `unpacks to more than the ${plainBytes} bytes that were promised` : 'cannot be unpacked'}`,
    );
  }
}

/** Regular files only; names are compared with the index and never used as paths. */
async function* filesOf(
  plain: Buffer,
  archive: string,
): AsyncGenerator<{ name: string; content: Buffer }, void, undefined> {
  const tar = extract();
  tar.end(plain);
  try {
    for await (const entry of tar) {
      if (entry.header.type !== 'file') throw refused(`${archive} holds something that is no file`);
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      yield { name: entry.header.name, content: Buffer.concat(chunks) };
    }
  } catch (error) {
    if (isOurs(error)) throw error;
    throw refused(`${archive} is no archive, or was cut off`);
  }
}

/** What the encryption refuses is refused with its sentence; it never quotes what it read. */
async function orRefused<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof MessageRefused) throw refused(`${what}: ${error.message}`);
    throw error;
  }
}

function refused(sentence: string): Error {
  return failure('BackupRefused', sentence);
}
