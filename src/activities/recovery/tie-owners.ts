import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { IndexEntry } from '../../contracts/backup-manifest.ts';
import type { Json } from '../../contracts/json.ts';
import { fieldManager } from '../../contracts/names.ts';
import type { GroupOutcome, PlannedObject } from '../../contracts/recovery.ts';
import { kindKey } from '../../domain/recovery/kinds.ts';
import { nameOf } from '../../domain/recovery/plan-page.ts';
import { ownersOf } from '../../domain/recovery/wanted.ts';
import { checkWriter } from './check-writer.ts';
import { pinOperation } from '../kubernetes/plan-workload.ts';
import { getOrNothing } from './live-objects.ts';
import { Owners, type OwnerReference } from './owners.ts';
import { Pool } from './pool.ts';
import type { RestoreRequest } from './restore-group.ts';
import { readPlan } from './run-files.ts';
import { entriesOf, type Source } from './source.ts';

const writesAtOnce = 16;
const mostTries = 5;
const mostFirst = 10;

/**
 * Names the owners of objects that came before them, by the uids that they have now. An owner that is not there is not
 * named: the garbage collector deletes what has only such owners. Idempotent: what names its owners already is left as it
 * is; a write is bound to the version that was read, and adds owners only.
 * @throws LockLost, BackupRefused, StorageUnavailable, Unavailable
 */
export async function tieOwners(
  gateway: KubernetesGateway,
  source: Source,
  request: Pick<RestoreRequest, 'target' | 'holder' | 'stored' | 'options'>,
  signal: AbortSignal,
): Promise<GroupOutcome> {
  await checkWriter(gateway, request, signal);
  const plan = await readPlan(source.store, request.stored, signal);
  const tied = new Map(
    plan.filter(({ tie }) => tie === true).map((one) => [`${one.part}/${one.path}`, one] as const),
  );
  const owners = new Owners(gateway, request.options.into, signal);
  const outcome: GroupOutcome = { written: 0, same: 0, troubles: 0, first: [] };
  const pool = new Pool(writesAtOnce);
  for (const entry of entriesOf(source)) {
    const planned = tied.get(`${entry.part}/${entry.path}`);
    if (planned === undefined) continue;
    await pool.add(async () => {
      const result = await tie(gateway, planned, entry, owners, signal);
      if (result !== 'trouble') {
        outcome[result] += 1;
        return;
      }
      outcome.troubles += 1;
      if (outcome.first.length < mostFirst)
        outcome.first.push(`${nameOf(planned.verdict)}: its owners could not be named`);
    });
  }
  await pool.drain();
  return outcome;
}

async function tie(
  gateway: KubernetesGateway,
  { verdict }: PlannedObject,
  entry: IndexEntry,
  owners: Owners,
  signal: AbortSignal,
): Promise<'written' | 'same' | 'trouble'> {
  const wanted = await owners.resolve(ownersOf(entry));
  const { apiVersion, kind, namespace = '', name } = verdict;
  const ref = { apiVersion, kind, namespace, name };
  for (let attempt = 1; ; attempt++) {
    const live = await getOrNothing(gateway, ref, signal);
    // One that could not be restored has been told of already.
    if (live === undefined) return 'same';
    const there = live.metadata.ownerReferences ?? [];
    const missing = wanted.filter((owner) => !there.some((one) => sameOwner(one, owner)));
    if (missing.length === 0) return 'same';
    try {
      signal.throwIfAborted();
      const value = [...there.filter((one) => !missing.some((owner) => sameName(one, owner))), ...missing];
      const operations = [
        pinOperation(live.metadata.resourceVersion ?? ''),
        { op: 'add' as const, path: '/metadata/ownerReferences', value: value as unknown as Json },
      ];
      await gateway.jsonPatch(ref, operations, { fieldManager, signal });
      return 'written';
    } catch (error) {
      if (!(error instanceof KubernetesError) || error.status === undefined) throw error;
      if (error.status !== 409 && error.retryable) throw error;
      if (error.status !== 409 || attempt >= mostTries) return 'trouble';
    }
  }
}

function sameName(left: OwnerReference, right: OwnerReference): boolean {
  return kindKey(left) === kindKey(right) && left.name === right.name;
}

function sameOwner(left: OwnerReference, right: OwnerReference): boolean {
  return sameName(left, right) && left.uid === right.uid;
}
