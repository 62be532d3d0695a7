import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { fieldManager } from '../../contracts/names.ts';
import type { ObjectVerdict, PlannedObject, PlanRequest } from '../../contracts/recovery.ts';
import { backendsOf } from '../../domain/recovery/backends.ts';
import { claimsOf, isFilled } from '../../domain/recovery/claims.ts';
import { valueOf } from '../../domain/recovery/edit.ts';
import { groupName, kindKey } from '../../domain/recovery/kinds.ts';
import { positionOf } from '../../domain/recovery/order.ts';
import { nameOf } from '../../domain/recovery/plan-page.ts';
import { notRewritten } from '../../domain/recovery/rewrite-references.ts';
import { judge, updateOf, type Situation } from '../../domain/recovery/verdict.ts';
import {
  ownersOf,
  policyOf,
  wantedOf,
  type Surroundings,
  type Wanted,
} from '../../domain/recovery/wanted.ts';
import { getOrNothing, ownerKey, type LiveObjects } from './live-objects.ts';
import { entriesOf, type Source } from './source.ts';
import { autoscaledIn } from './surroundings.ts';
import { counted } from '../../domain/text.ts';

/** What the judge goes by. */
interface Bench {
  gateway: KubernetesGateway;
  source: Source;
  live: LiveObjects;
  request: PlanRequest;
  /** Of the profile. */
  gitOps: Situation['gitOps'];
  signal: AbortSignal;
}

/** How often an object may move between looking at it and trying the update on it. */
const mostTries = 3;
const namesInNote = 5;

const claimKind = { apiVersion: 'v1', kind: 'PersistentVolumeClaim' };
const definitionKind = 'CustomResourceDefinition.apiextensions.k8s.io';

/** Gives each object of a backup its verdict. */
export class Judge {
  readonly planned: PlannedObject[] = [];
  readonly #bench: Bench;
  readonly #positions = new Map<string, number>();
  /** API groups whose definitions come back with this recovery. */
  readonly #definedGroups = new Set<string>();
  /** Claims and StatefulSets that are missing: judged when all claims of the backup are known. */
  readonly #deferred: { entry: IndexEntry; wanted: Wanted }[] = [];
  /** Claims of the backup that come back with what is in them. */
  readonly #filled = new Set<string>();
  readonly #volumes = new Set<string>();
  readonly #stays: string[] = [];
  readonly #empty: string[] = [];
  readonly #released: string[] = [];
  #autoscaled: Surroundings['autoscaled'] = () => false;

  constructor(bench: Bench) {
    this.#bench = bench;
    for (const entry of entriesOf(bench.source)) {
      this.#positions.set(`${kindKey(entry)}/${entry.name}`, positionOf(entry));
      if (kindKey(entry) === definitionKind && bench.request.options.clusterScoped)
        this.#definedGroups.add(entry.name.split('.').slice(1).join('.'));
    }
  }

  /** What every verdict may need. */
  async prepare(): Promise<void> {
    const { gateway, request, signal } = this.#bench;
    this.#autoscaled = await autoscaledIn(gateway, request.options.into, signal);
  }

  /** An object whose hash is that of the backup is unchanged, and need not be read. */
  judgeByHash(entry: IndexEntry): boolean {
    const { live, request } = this.#bench;
    const { backup, options } = request;
    if (backup.from !== options.into || options.only?.labels !== undefined) return false;
    const found = live.find(entry);
    if (found?.sha256 !== entry.sha256) return false;
    const { apiVersion, kind, namespace, name } = entry;
    this.#add(
      entry,
      {
        apiVersion,
        kind,
        ...(namespace === undefined ? {} : { namespace }),
        name,
        verdict: 'unchanged',
        because: 'it is as in the backup',
        uid: found.uid,
      },
      this.#missingTie(entry),
    );
    return true;
  }

  /** Judges one object by what is in it. @throws KubernetesError */
  async judge(entry: IndexEntry, object: KubernetesObject): Promise<void> {
    const { live, request } = this.#bench;
    await this.#lookAtVolume(object);
    const surroundings = {
      autoscaled: this.#autoscaled,
      volumeKept: (name: string) => this.#volumes.has(name),
    };
    const wanted = wantedOf(entry, object, {
      from: request.backup.from,
      options: request.options,
      surroundings,
    });
    if ('leftOut' in wanted) {
      this.#add(entry, plain(wanted.object, 'leftOut', wanted.leftOut));
      return;
    }
    if (!live.isServed(entry) && !this.#definedGroups.has(groupName(entry.apiVersion))) {
      const why = `the server does not serve ${entry.kind} in ${entry.apiVersion}`;
      this.#add(entry, plain(wanted.object, 'blocked', why));
      return;
    }
    if (wanted.stays.length > 0)
      this.#stays.push(`${nameOf(named(wanted.object))}: ${wanted.stays.join(', ')}`);
    const { apiVersion, kind, metadata } = wanted.object;
    if (live.find({ apiVersion, kind, name: metadata.name }) !== undefined)
      await this.#judgeExisting(entry, wanted);
    else if (kindKey(entry) === 'PersistentVolumeClaim' || kindKey(entry) === 'StatefulSet.apps')
      this.#defer(entry, wanted);
    else this.#conclude(entry, wanted, this.#situation(wanted, {}));
  }

  /** All verdicts, when every object was judged. */
  finished(): PlannedObject[] {
    const sets = this.#deferred.filter(({ entry }) => entry.kind === 'StatefulSet');
    const needed = new Set(sets.flatMap(({ wanted }) => claimsOf(wanted.object)));
    for (const { entry, wanted } of this.#deferred) {
      const { name } = wanted.object.metadata;
      const claims = entry.kind === 'StatefulSet' ? claimsOf(wanted.object) : needed.has(name) ? [name] : [];
      if (entry.kind !== 'StatefulSet' && this.#isEmpty(name)) this.#empty.push(name);
      const emptyClaims = claims.filter((claim) => this.#isEmpty(claim));
      this.#conclude(entry, wanted, this.#situation(wanted, { emptyClaims }));
    }
    return this.planned;
  }

  /** What people should know beside the verdicts. */
  notes(): string[] {
    const { source, request } = this.#bench;
    const { missing } = source.opened.manifest;
    return [
      ...(missing.length === 0
        ? []
        : [`the backup is PARTIAL, it lacks ${some(missing.map(({ what }) => what))}`]),
      ...(this.#released.length === 0
        ? []
        : [
            `volumes that still hold the data, and wait for a claim that is gone: ${some(this.#released.toSorted())}; free them (docs/runbooks/recover.md, By hand, 4) and start again`,
          ]),
      ...(this.#empty.length === 0
        ? []
        : [
            `claims whose volumes come back empty, as a backup holds no data: ${some(this.#empty.toSorted())}`,
          ]),
      ...(this.#stays.length === 0
        ? []
        : [
            `${counted(this.#stays.length, 'object')} may still name namespace ${request.backup.from}: ${some(this.#stays.toSorted())}. ${notRewritten}`,
          ]),
    ];
  }

  async #judgeExisting(entry: IndexEntry, wanted: Wanted): Promise<void> {
    const { gateway, signal } = this.#bench;
    const { apiVersion, kind, metadata } = wanted.object;
    const ref = { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name };
    for (let attempt = 1; ; attempt++) {
      const live = await getOrNothing(gateway, ref, signal);
      const situation = this.#situation(wanted, live === undefined ? {} : { live });
      const first = judge(situation);
      if (first !== 'dryRunNeeded' || live === undefined) {
        this.#conclude(entry, wanted, situation);
        return;
      }
      const dryRun = await this.#tryUpdate(situation, live);
      if (dryRun === 'moved' && attempt < mostTries) continue;
      const refused = { refused: 'it changes all the time' };
      this.#conclude(entry, wanted, { ...situation, dryRun: dryRun === 'moved' ? refused : dryRun });
      return;
    }
  }

  /** Asks the server what an update would come to; nothing is stored. */
  async #tryUpdate(
    situation: Situation,
    live: KubernetesObject,
  ): Promise<NonNullable<Situation['dryRun']> | 'moved'> {
    const { gateway, signal } = this.#bench;
    try {
      const update = updateOf(situation, live);
      return { object: await gateway.replace(update, { fieldManager, dryRun: true, signal }) };
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status === undefined) throw error;
      if (error.status === 409) return 'moved';
      if (error.retryable || error.status === 401) throw error;
      return { refused: error.message };
    }
  }

  #situation(wanted: Wanted, more: { live?: KubernetesObject; emptyClaims?: string[] }): Situation {
    const { options } = this.#bench.request;
    const { object, stored, context } = wanted;
    return {
      wanted: object,
      stored,
      live: more.live,
      dryRun: undefined,
      policy: policyOf(options, { ...object, name: object.metadata.name }),
      emptyClaims: more.emptyClaims ?? [],
      allowEmptyClaims: options.allowEmptyClaims,
      clusterScoped: options.clusterScoped,
      gitOps: this.#bench.gitOps,
      context,
    };
  }

  #conclude(entry: IndexEntry, wanted: Wanted, situation: Situation): void {
    const verdict = judge(situation);
    if (verdict === 'dryRunNeeded') throw new Error('an object was not tried on the server');
    const { resourceVersion, generation } = situation.live?.metadata ?? {};
    const backends = backendsOf(wanted.object);
    const written = verdict.write !== undefined;
    this.#add(entry, verdict, {
      ...(written && resourceVersion !== undefined ? { resourceVersion } : {}),
      ...(written && generation !== undefined ? { generation } : {}),
      ...(written && backends.length > 0 ? { backends } : {}),
      ...(this.#keepsVolume(wanted.object) ? { keepsVolume: true as const } : {}),
      ...(written ? this.#tie(entry) : {}),
      ...(verdict.verdict === 'unchanged' ? this.#missingTie(entry) : {}),
    });
  }

  #keepsVolume(object: KubernetesObject): boolean {
    const volume = valueOf(object, 'spec', 'volumeName');
    return object.kind === 'PersistentVolumeClaim' && typeof volume === 'string' && this.#volumes.has(volume);
  }

  #add(entry: IndexEntry, verdict: ObjectVerdict, more: Partial<PlannedObject> = {}): void {
    this.planned.push({ verdict, position: positionOf(entry), part: entry.part, path: entry.path, ...more });
  }

  /** An owner that comes in the same group or later has no uid yet. */
  #tie(entry: IndexEntry): Pick<PlannedObject, 'tie'> {
    const own = positionOf(entry);
    const later = ownersOf(entry).some(
      (owner) => (this.#positions.get(`${kindKey(owner)}/${owner.name}`) ?? -1) >= own,
    );
    return later ? { tie: true } : {};
  }

  /** One that an earlier recovery made may have been left before it was tied to its owners. */
  #missingTie(entry: IndexEntry): Pick<PlannedObject, 'tie'> {
    const { live, request } = this.#bench;
    const found = live.find(entry);
    if (found?.marked !== true) return {};
    const comes = request.options.only === undefined;
    const missing = ownersOf(entry).some(
      (owner) => !found.owners.includes(ownerKey(owner)) && (comes || live.find(owner) !== undefined),
    );
    return missing ? this.#tie(entry) : {};
  }

  #defer(entry: IndexEntry, wanted: Wanted): void {
    this.#deferred.push({ entry, wanted });
    const { object } = wanted;
    if (object.kind !== 'PersistentVolumeClaim') return;
    if (isFilled(object) || valueOf(object, 'spec', 'volumeName') !== undefined)
      this.#filled.add(object.metadata.name);
  }

  /** A claim that a recovery made holds nothing, as far as anybody knows. */
  #isEmpty(name: string): boolean {
    const found = this.#bench.live.find({ ...claimKind, name });
    return found === undefined ? !this.#filled.has(name) : found.marked;
  }

  /** Whether the volume of a claim waits for it, or comes back with this recovery. */
  async #lookAtVolume(claim: KubernetesObject): Promise<void> {
    const volume = valueOf(claim, 'spec', 'volumeName');
    if (claim.kind !== 'PersistentVolumeClaim' || typeof volume !== 'string') return;
    const { gateway, request, signal } = this.#bench;
    const { options, backup } = request;
    if (options.purpose === 'drill') return;
    const ref = { apiVersion: 'v1', kind: 'PersistentVolume', namespace: '', name: volume };
    const found = await getOrNothing(gateway, ref, signal);
    const comesBack =
      found === undefined &&
      options.clusterScoped &&
      backup.from === options.into &&
      this.#positions.has(`PersistentVolume/${volume}`);
    const waits = found === undefined ? 'for nothing of this' : this.#waitsFor(found, claim);
    if (comesBack || waits === 'for this claim') this.#volumes.add(volume);
    // Of a claim that lives it is not released.
    const { name } = claim.metadata;
    if (waits === 'for its former life' && this.#bench.live.find({ ...claimKind, name }) === undefined)
      this.#released.push(`${volume} (claim ${name})`);
  }

  #waitsFor(
    volume: KubernetesObject,
    claim: KubernetesObject,
  ): 'for this claim' | 'for its former life' | 'for nothing of this' {
    const { into } = this.#bench.request.options;
    const claimRef = (key: string): unknown => valueOf(volume, 'spec', 'claimRef', key);
    if (valueOf(volume, 'spec', 'claimRef') === undefined) return 'for this claim';
    if (claimRef('namespace') !== into || claimRef('name') !== claim.metadata.name)
      return 'for nothing of this';
    // With the uid of the former claim it is released, and no other claim ever gets it.
    return claimRef('uid') === undefined ? 'for this claim' : 'for its former life';
  }
}

function plain(object: KubernetesObject, verdict: 'leftOut' | 'blocked', because: string): ObjectVerdict {
  return { ...named(object), verdict, because, uid: null };
}

function named({
  apiVersion,
  kind,
  metadata,
}: KubernetesObject): Pick<ObjectVerdict, 'apiVersion' | 'kind' | 'namespace' | 'name'> {
  const { namespace, name } = metadata;
  return { apiVersion, kind, ...(namespace === undefined ? {} : { namespace }), name };
}

function some(texts: string[]): string {
  const more = texts.length > namesInNote ? ` and ${texts.length - namesInNote} more` : '';
  return `${texts.slice(0, namesInNote).join('; ')}${more}`;
}
