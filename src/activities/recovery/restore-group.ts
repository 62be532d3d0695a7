import { Context } from '@temporalio/activity';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type {
  BackupRef,
  GroupOutcome,
  PlannedObject,
  RestoreOptions,
  StoredDetails,
} from '../../contracts/recovery.ts';
import type { Target } from '../../contracts/target.ts';
import type { RunIdentity } from '../../domain/lock.ts';
import { nameOf } from '../../domain/recovery/plan-page.ts';
import { wantedOf } from '../../domain/recovery/wanted.ts';
import type { ReadObject } from '../backups/open-backup.ts';
import { failure } from '../failures.ts';
import { checkWriter } from './check-writer.ts';
import { Owners } from './owners.ts';
import { Pool } from './pool.ts';
import type { Progress } from './progress.ts';
import { readPlan, runFolder, storeFormer, storeJournal } from './run-files.ts';
import { entriesOf, partsOf, type Source } from './source.ts';
import { autoscaledIn } from './surroundings.ts';
import { createObject, readForUpdate, updateObject, type Task, type Written } from './write-object.ts';

/** Side by side: with more the API server of a small cluster is no faster, and others wait for it. */
const writesAtOnce = 32;

/** Objects whose former state is kept together, in memory until it is stored. */
const updatesTogether = 100;

/** How often the journal is stored and progress told: what a lost worker did since is done again. */
const checkpointMilliseconds = 2000;

/** One group of one recovery. */
export interface RestoreRequest {
  target: Target;
  backup: BackupRef;
  options: RestoreOptions;
  stored: StoredDetails;
  position: number;
  /** Objects of the group that are not to be written, by name. */
  skip: string[];
  firstRunId: string;
  marker: string;
  holder: RunIdentity;
}

/**
 * Restores the objects of one group of the order. Each part of the backup is read and its hashes are compared before
 * anything of it is written. Idempotent: an object that exists and carries this run's mark, or is as it should be, is not
 * written again; an update is bound to the state that the plan saw. A later attempt goes on behind the last heartbeat.
 * What becomes of each object goes into a journal beside the backups, and the former state of what is updated or
 * replaced, encrypted, before it is written. One object's trouble does not keep the others from being restored.
 * @throws LockLost; BackupRefused, with nothing of the damaged part written; StorageUnavailable; Unavailable
 */
export async function restoreGroup(
  gateway: KubernetesGateway,
  source: Source,
  request: RestoreRequest,
  progress: Progress,
  signal: AbortSignal,
): Promise<GroupOutcome> {
  const { position, stored } = request;
  await checkWriter(gateway, request, signal);
  const plan = await readPlan(source.store, stored, signal);
  const mine = plan.filter((one) => one.position === position && one.verdict.write !== undefined);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const group = new Group(gateway, source, request, mine, progress, either);
  const watching = group.checkpoints(stop);
  try {
    await group.restore();
  } finally {
    stop.abort(new Error('the group is restored'));
    await watching;
  }
  await group.checkpoint(signal);
  return group.outcome;
}

class Group {
  readonly #gateway: KubernetesGateway;
  readonly #source: Source;
  readonly #request: RestoreRequest;
  readonly #planned: ReadonlyMap<string, PlannedObject>;
  readonly #signal: AbortSignal;
  readonly #progress: Progress;
  readonly #owners: Owners;
  readonly #folder: string;
  #journal: string[] = [];
  #chunks = 0;
  #formerChunks = 0;
  #lost: unknown;

  constructor(
    gateway: KubernetesGateway,
    source: Source,
    request: RestoreRequest,
    planned: readonly PlannedObject[],
    progress: Progress,
    signal: AbortSignal,
  ) {
    this.#progress = progress;
    this.#gateway = gateway;
    this.#source = source;
    this.#request = request;
    this.#planned = new Map(planned.map((one) => [`${one.part}/${one.path}`, one]));
    this.#signal = signal;
    this.#owners = new Owners(gateway, request.options.into, signal);
    this.#folder = runFolder(request.target.profile.target, request.firstRunId);
  }

  get outcome(): GroupOutcome {
    return this.#progress.outcome;
  }

  async restore(): Promise<void> {
    const numbers = this.#numbers();
    const isLeft = ({ part, path }: { part: string; path: string }): boolean => {
      const number = numbers.get(`${part}/${path}`);
      return number !== undefined && !this.#progress.has(number);
    };
    const autoscaled = await autoscaledIn(this.#gateway, this.#request.options.into, this.#signal);
    const pool = new Pool(writesAtOnce);
    try {
      for await (const objects of partsOf(this.#source, isLeft, this.#signal)) {
        const tasks = objects.flatMap((one) => this.#taskOf(one, numbers, autoscaled));
        for (const task of tasks.filter(({ planned }) => planned.verdict.write === 'create'))
          await pool.add(() =>
            this.#carryOut(task, createObject(this.#gateway, task, this.#owners, this.#signal)),
          );
        const others = tasks.filter(({ planned }) => planned.verdict.write !== 'create');
        for (let start = 0; start < others.length; start += updatesTogether)
          await this.#update(others.slice(start, start + updatesTogether), pool);
      }
    } finally {
      await pool.drain();
    }
  }

  /** Every object of the group has a number that is the same at every attempt. */
  #numbers(): ReadonlyMap<string, number> {
    const numbers = new Map<string, number>();
    for (const { part, path } of entriesOf(this.#source)) {
      const key = `${part}/${path}`;
      if (this.#planned.has(key)) numbers.set(key, numbers.size);
    }
    if (numbers.size !== this.#planned.size)
      throw failure('BackupRefused', 'the plan names objects that the backup does not have');
    return numbers;
  }

  #taskOf(
    { entry, object }: ReadObject,
    numbers: ReadonlyMap<string, number>,
    autoscaled: Task['wanted']['context']['autoscaled'],
  ): Task[] {
    const { backup, options, marker, skip } = this.#request;
    const key = `${entry.part}/${entry.path}`;
    const planned = this.#planned.get(key);
    const number = numbers.get(key);
    if (planned === undefined || number === undefined) return [];
    // The plan has judged whether the volume of a claim waits for it, and a claim without one was written so.
    const surroundings = { autoscaled, volumeKept: () => planned.keepsVolume === true };
    const wanted = wantedOf(entry, object, { from: backup.from, options, surroundings });
    if ('leftOut' in wanted)
      throw failure('BackupRefused', 'the plan restores an object that the rules leave out');
    if (skip.includes(planned.verdict.name)) {
      const trouble = `${nameOf(planned.verdict)}: its Service has no ready endpoint, so it would stop every write that it is asked about`;
      this.#note({ planned, number }, { trouble });
      return [];
    }
    return [{ planned, number, wanted, entry, marker }];
  }

  async #update(tasks: Task[], pool: Pool): Promise<void> {
    if (tasks.length === 0) return;
    const ready = await Promise.all(tasks.map((task) => readForUpdate(this.#gateway, task, this.#signal)));
    const former = ready.flatMap(({ live }) => (live === undefined ? [] : [JSON.stringify(live)]));
    if (former.length > 0) await storeFormer(this.#source, this.#nextFormerKey(), former, this.#signal);
    for (const one of ready)
      await pool.add(() =>
        this.#carryOut(one.task, updateObject(this.#gateway, one, this.#owners, this.#signal)),
      );
  }

  async #carryOut(task: Task, work: Promise<Written>): Promise<void> {
    this.#note(task, await work);
  }

  #note({ planned, number }: Pick<Task, 'planned' | 'number'>, written: Written | { trouble: string }): void {
    const { apiVersion, kind, namespace, name } = planned.verdict;
    const object = { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name };
    this.#journal.push(JSON.stringify({ at: new Date().toISOString(), ...object, ...written }));
    if ('trouble' in written) this.#progress.done(number, { trouble: written.trouble });
    else this.#progress.done(number, written.did === 'nothing' ? 'same' : 'written');
  }

  /** Until stopped: the lock is looked at, the journal stored, and only then progress told. */
  async checkpoints(stop: AbortController): Promise<void> {
    try {
      for (;;) {
        await delay(checkpointMilliseconds, undefined, { signal: this.#signal });
        await checkWriter(this.#gateway, this.#request, this.#signal);
        await this.checkpoint(this.#signal);
      }
    } catch (error) {
      if (this.#signal.aborted) return;
      this.#lost = error;
      stop.abort(error instanceof Error ? error : new Error('the checkpoint failed'));
    }
  }

  async checkpoint(signal: AbortSignal): Promise<void> {
    if (this.#lost !== undefined)
      throw this.#lost instanceof Error ? this.#lost : new Error('the checkpoint failed');
    const lines = this.#journal;
    this.#journal = [];
    const checkpoint = this.#progress.checkpoint();
    if (lines.length > 0) {
      this.#chunks += 1;
      await storeJournal(this.#source.store, this.#key('journal', this.#chunks, 'ndjson.gz'), lines, signal);
    }
    this.#progress.tell(checkpoint);
  }

  #nextFormerKey(): string {
    this.#formerChunks += 1;
    return this.#key('former', this.#formerChunks, 'ndjson.gz.gpg');
  }

  #key(what: string, chunk: number, ending: string): string {
    const { attempt } = Context.current().info;
    return `${this.#folder}/${what}-${this.#request.position}-${attempt}-${chunk}.${ending}`;
  }
}
