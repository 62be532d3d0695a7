import { setImmediate } from 'node:timers/promises';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import { stringifyLossless } from '../../clients/kubernetes/lossless-json.ts';
import type {
  BackupKind,
  IndexEntry,
  Missing,
  StoredIndex,
  StoredPart,
} from '../../contracts/backup-manifest.ts';
import type { BackupPolicy } from '../../contracts/backup-policy.ts';
import type { Transferred } from '../../contracts/backup.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { archivePath, kindName } from '../../domain/backups/archive-path.ts';
import { indexName, mostFilesOfTransfer, partName } from '../../domain/backups/names.ts';
import { storedForm } from '../../domain/backups/stored-form.ts';
import { canonicalJson } from '../../domain/plan/canonical-json.ts';
import { failure } from '../failures.ts';
import { LinesGzip, TarGzip } from './archive.ts';
import { readKind, type Snapshot, type SnapshotKind } from './read/snapshot.ts';
import { sha256Of, storeSealed, type BackupTarget } from './seal.ts';
import { tarBytesOf } from './tar-header.ts';

/** Plaintext of one file: bounds memory here and for whoever opens it. */
const mostPlainBytes = 8 * 1024 * 1024;

/** Keeps the names of what one activity stores in several rounds apart from those of its later attempts. */
const attemptsOfRound = 1000;

/** A state that the server keeps forgetting while it is read cannot be read. */
const mostRounds = 4;

/** What one transfer is asked to do. */
export interface TransferRequest {
  namespace: string;
  exclude: BackupPolicy['exclude'];
  snapshot: Pick<Snapshot, 'resourceVersion'>;
  kinds: SnapshotKind[];
  /** From 0; keeps the names of transfers apart. */
  number: number;
  attempt: number;
}

/** A kind has to be read anew, and something of it is stored already. */
class BeginAgain extends Error {}

/**
 * Reads kinds page by page and stores them as parts with their index, in bounded memory. What cannot be read is reported
 * as missing. Begins again under new names when the server forgot the state in the middle of a kind, so that
 * no part holds a half of it.
 */
export async function transfer(
  gateway: KubernetesGateway,
  place: BackupTarget,
  request: TransferRequest,
  signal: AbortSignal,
  say: (objects: number, bytes: number) => void,
): Promise<Transferred> {
  for (let round = 0; round < mostRounds; round++) {
    const attempt = request.attempt + round * attemptsOfRound;
    const writer = new TransferWriter(place, { ...request, attempt }, signal, say);
    try {
      const missing: Missing[] = [];
      for (const kind of request.kinds)
        missing.push(...(await readOne(gateway, request, kind, writer, signal)));
      return { ...(await writer.finish()), missing };
    } catch (error) {
      await writer.settle();
      if (!(error instanceof BeginAgain)) throw error;
    }
  }
  const kinds = request.kinds.map(kindName).join(', ');
  throw failure(
    'Unavailable',
    `the API server forgot the state of ${kinds} again and again while it was read`,
  );
}

async function readOne(
  gateway: KubernetesGateway,
  { namespace, exclude, snapshot }: TransferRequest,
  kind: SnapshotKind,
  writer: TransferWriter,
  signal: AbortSignal,
): Promise<Missing[]> {
  const before = writer.objects;
  const missing: Missing[] = [];
  let seen: Pick<BackupKind, 'resourceVersion' | 'consistency'> | undefined;
  for await (const item of readKind(gateway, snapshot, kind, { namespace, exclude }, signal)) {
    if ('missing' in item) missing.push(item.missing);
    else if ('restart' in item) {
      if (writer.objects > before) throw new BeginAgain();
    } else {
      seen = { resourceVersion: item.resourceVersion, consistency: item.consistency };
      for (const object of item.objects) await writer.add(kind, object);
      writer.tell();
      // Pages that wait already would follow without a pause, and nothing else were read or written meanwhile.
      await setImmediate();
    }
  }
  if (seen !== undefined) writer.end(kind, seen, writer.objects - before);
  return missing;
}

/** What a part is made of. */
interface FullPart {
  tar: TarGzip;
  entries: Omit<IndexEntry, 'part'>[];
  kinds: string[];
}

/** Fills parts and their index, and stores each when it is full. */
class TransferWriter {
  readonly #place: BackupTarget;
  readonly #request: TransferRequest;
  readonly #signal: AbortSignal;
  readonly #say: (objects: number, bytes: number) => void;
  readonly #parts: StoredPart[] = [];
  readonly #indexes: StoredIndex[] = [];
  readonly #kinds: BackupKind[] = [];
  /** The part that is sealed and stored while the next one is read; more at once would only cost memory. */
  #storing: Promise<void> = Promise.resolve();
  #tar = new TarGzip();
  #partKinds = new Set<string>();
  #pending: Omit<IndexEntry, 'part'>[] = [];
  #lines = new LinesGzip();
  #files = 0;
  #stored = 0;
  #objects = 0;

  constructor(
    place: BackupTarget,
    request: TransferRequest,
    signal: AbortSignal,
    say: (objects: number, bytes: number) => void,
  ) {
    this.#place = place;
    this.#request = request;
    this.#signal = signal;
    this.#say = say;
  }

  get objects(): number {
    return this.#objects;
  }

  async add(kind: SnapshotKind, object: KubernetesObject): Promise<void> {
    const { stored, dropped } = storedForm(object, kind);
    const content = canonicalJson(stored);
    const bytes = Buffer.byteLength(content);
    const path = archivePath(kind, object);
    if (this.#tar.plainBytes + tarBytesOf(path, bytes) > mostPlainBytes) await this.#storePart();
    const { name, namespace } = object.metadata;
    await this.#tar.add(path, content, bytes);
    this.#partKinds.add(kindName(kind));
    this.#objects += 1;
    this.#pending.push({
      apiVersion: object.apiVersion,
      kind: object.kind,
      ...(namespace === undefined ? {} : { namespace }),
      name,
      path,
      sha256: sha256Of(content),
      dropped,
    });
  }

  tell(): void {
    this.#say(this.#objects, this.#stored);
  }

  end(kind: SnapshotKind, seen: Pick<BackupKind, 'resourceVersion' | 'consistency'>, objects: number): void {
    const { apiVersion, plural, namespaced } = kind;
    this.#kinds.push({ apiVersion, kind: kind.kind, plural, namespaced, objects, ...seen });
  }

  async finish(): Promise<Omit<Transferred, 'missing'>> {
    await this.#storePart();
    await this.#storing;
    await this.#storeIndex();
    return { parts: this.#parts, indexes: this.#indexes, kinds: this.#kinds };
  }

  /** Lets what is on its way end, whatever becomes of it. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.#storing]);
  }

  async #storePart(): Promise<void> {
    if (this.#tar.entries === 0) return;
    const full = { tar: this.#tar, entries: this.#pending, kinds: [...this.#partKinds].sort() };
    this.#tar = new TarGzip();
    this.#pending = [];
    this.#partKinds = new Set();
    await this.#storing;
    this.#storing = this.#store(full);
    // The next part or the end meets the error.
    this.#storing.catch(() => undefined);
  }

  async #store({ tar, entries, kinds }: FullPart): Promise<void> {
    const { bytes, plainBytes } = await tar.finish();
    const number = this.#nextNumber();
    const nameAt = (attempt: number): string => partName(number, kinds, attempt);
    const file = await storeSealed(this.#place, bytes, nameAt, this.#request.attempt, this.#signal);
    this.#parts.push({ ...file, objects: entries.length, plainBytes, kinds });
    this.#stored += file.bytes;
    for (const entry of entries) await this.#addLine({ ...entry, part: file.name });
  }

  async #addLine(entry: IndexEntry): Promise<void> {
    const line = stringifyLossless(entry);
    if (this.#lines.plainBytes + line.length * 3 > mostPlainBytes) await this.#storeIndex();
    await this.#lines.add(line);
  }

  async #storeIndex(): Promise<void> {
    const lines = this.#lines;
    if (lines.lines === 0) return;
    this.#lines = new LinesGzip();
    const { bytes, plainBytes } = await lines.finish();
    const number = this.#nextNumber();
    const nameAt = (attempt: number): string => indexName(number, attempt);
    const file = await storeSealed(this.#place, bytes, nameAt, this.#request.attempt, this.#signal);
    this.#indexes.push({ ...file, entries: lines.lines, plainBytes });
    this.#stored += file.bytes;
  }

  #nextNumber(): number {
    if (this.#files >= mostFilesOfTransfer)
      throw failure('Refused', `a transfer of more than ${mostFilesOfTransfer} files is not supported`);
    return this.#request.number * mostFilesOfTransfer + this.#files++;
  }
}
