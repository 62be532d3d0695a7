import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { BackupRef, PlannedObject, RestoreOptions } from '../../contracts/recovery.ts';
import type { Proof } from '../../contracts/run.ts';
import { compareRestored } from '../../domain/recovery/compare.ts';
import { kindKey } from '../../domain/recovery/kinds.ts';
import { nameOf } from '../../domain/recovery/plan-page.ts';
import { ownersOf, wantedOf } from '../../domain/recovery/wanted.ts';
import type { ReadObject } from '../backups/open-backup.ts';
import { getOrNothing, kindsOf, LiveObjects, storedHash } from './live-objects.ts';
import { Owners } from './owners.ts';
import { Pool } from './pool.ts';
import { entriesOf, partsOf, type Source } from './source.ts';
import { autoscaledIn } from './surroundings.ts';
import { counted } from '../../domain/text.ts';

const name = 'every restored object is as in the backup';

const readsAtOnce = 32;
const mostFindings = 10;

/** Of a kind with so many objects a list costs less than reading them one by one. */
const worthListing = 50;

/**
 * Compares every object that the plan restores or found unchanged with the backup, field by field. Reads only, so it may
 * run any number of times. Values are never shown. @throws BackupRefused, StorageUnavailable, Unavailable
 */
export async function proveContent(
  gateway: KubernetesGateway,
  source: Source,
  { plan, backup, options }: { plan: readonly PlannedObject[]; backup: BackupRef; options: RestoreOptions },
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Proof> {
  const planned = new Map(
    plan
      .filter(({ verdict: { verdict } }) => ['create', 'update', 'unchanged'].includes(verdict))
      .map((one) => [`${one.part}/${one.path}`, one] as const),
  );
  const findings: string[] = [];
  const documented = new Map<string, number>();
  const autoscaled = await autoscaledIn(gateway, options.into, signal);
  const owners = new Owners(gateway, options.into, signal);
  const server = await versionOf(gateway, signal);
  const listed = new LiveObjects();
  const many = kindsWithMany(entriesOf(source), planned);
  await listed.read(gateway, options.into, kindsOf(many, backup.from, options.into), signal);
  let compared = 0;
  const compareOne = async ({ entry, object }: ReadObject, one: PlannedObject): Promise<void> => {
    const surroundings = { autoscaled, volumeKept: () => one.keepsVolume === true };
    const wanted = wantedOf(entry, object, { from: backup.from, options, surroundings });
    compared += 1;
    // What needs no restoring because its controller makes it anew may be unchanged all the same.
    if ('leftOut' in wanted) return;
    const { apiVersion, kind, metadata } = wanted.object;
    const ref = { apiVersion, kind, namespace: metadata.namespace ?? '', name: metadata.name };
    const stored = ownersOf(entry);
    // Equal as a whole; of owners, and of a status that is a field like others, the hash says nothing.
    const hashed = stored.length === 0 && !Object.hasOwn(wanted.object, 'status');
    if (hashed && listed.find(ref)?.sha256 === storedHash(wanted.object)) return;
    const live = await getOrNothing(gateway, ref, signal);
    if (live === undefined) {
      findings.push(`${nameOf(one.verdict)}: it is not there`);
      return;
    }
    if (live.metadata.deletionTimestamp !== undefined) {
      findings.push(`${nameOf(one.verdict)}: it is being deleted`);
      return;
    }
    const there = new Set((await owners.resolve(stored)).map((owner) => `${owner.kind}/${owner.name}`));
    const { documented: known, undocumented } = compareRestored(wanted.object, stored, live, {
      ...wanted.context,
      ownerThere: (owner) => there.has(`${owner.kind}/${owner.name}`),
      otherServerVersion: server !== backup.serverVersion,
    });
    for (const { because } of known) documented.set(because, (documented.get(because) ?? 0) + 1);
    if (undocumented.length > 0)
      findings.push(`${nameOf(one.verdict)}: ${undocumented.slice(0, 3).join(', ')} differ`);
  };
  const pool = new Pool(readsAtOnce);
  for await (const objects of partsOf(source, ({ part, path }) => planned.has(`${part}/${path}`), signal)) {
    for (const read of objects) {
      const one = planned.get(`${read.entry.part}/${read.entry.path}`);
      if (one !== undefined) await pool.add(() => compareOne(read, one));
    }
    say(`${compared} of ${planned.size} objects compared`);
  }
  await pool.drain();
  return conclude(compared, planned.size, findings.sort(), documented);
}

/** The planned objects of namespaced kinds of which there are many. */
function kindsWithMany(
  entries: Iterable<IndexEntry>,
  planned: ReadonlyMap<string, PlannedObject>,
): IndexEntry[] {
  const wanted = [...entries].filter(
    ({ part, path, namespace }) => namespace !== undefined && planned.has(`${part}/${path}`),
  );
  const counts = new Map<string, number>();
  for (const entry of wanted) counts.set(kindKey(entry), (counts.get(kindKey(entry)) ?? 0) + 1);
  return wanted.filter((entry) => (counts.get(kindKey(entry)) ?? 0) >= worthListing);
}

/** Nothing to compare proves nothing. */
function conclude(
  compared: number,
  planned: number,
  findings: string[],
  documented: ReadonlyMap<string, number>,
): Proof {
  const known = [...documented].map(
    ([because, count]) => `${counted(count, 'documented difference')}: ${because}`,
  );
  if (findings.length > 0) {
    const more = findings.length > mostFindings ? [`and ${findings.length - mostFindings} more`] : [];
    return {
      name,
      about: 'backup',
      verdict: 'fail',
      evidence: [
        `${findings.length} of ${compared} objects differ`,
        ...findings.slice(0, mostFindings),
        ...more,
      ],
    };
  }
  if (compared < planned || planned === 0)
    return {
      name,
      about: 'backup',
      verdict: 'unknown',
      evidence: [`${compared} of ${planned} objects were compared`],
    };
  return {
    name,
    about: 'backup',
    verdict: 'pass',
    evidence: [`${counted(compared, 'object')} as in the backup`, ...known],
  };
}

async function versionOf(gateway: KubernetesGateway, signal: AbortSignal): Promise<string> {
  const { text } = await gateway.raw('GET', '/version', { signal });
  const { gitVersion } = JSON.parse(text) as { gitVersion?: unknown };
  return typeof gitVersion === 'string' ? gitVersion : '';
}
