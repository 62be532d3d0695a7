import type { Change } from '../../contracts/plan.ts';
import type { ObjectVerdict } from '../../contracts/recovery.ts';
import { kindKey } from './kinds.ts';

/** Plans travel through histories, audit entries and reports: past this they name kinds and not objects. */
const mostBytes = 32 * 1024;

const mostTiesShown = 100;

/** What the writes of a recovery change, object by object; of many, kind by kind with their number. */
export function changesOf(verdicts: readonly ObjectVerdict[], into: string): Change[] {
  const writes = verdicts.filter(({ write }) => write !== undefined);
  const each = writes.length > 500 ? undefined : writes.flatMap((one) => objectChanges(one));
  if (each !== undefined && JSON.stringify(each).length <= mostBytes) return each;
  return bunches(writes, into);
}

/** Objects that are as in the backup but for their owners, which an earlier recovery did not come to name. */
export function tieChanges(untied: readonly ObjectVerdict[], into: string): Change[] {
  const change = { path: '/metadata/ownerReferences', after: 'the owners that it had' };
  if (untied.length > mostTiesShown) return bunches(untied, into).map((bunch) => ({ ...bunch, ...change }));
  return untied.map(({ apiVersion, kind, namespace = '', name, uid }) => ({
    ...{ apiVersion, kind, namespace, name, uid },
    ...change,
  }));
}

function objectChanges({
  apiVersion,
  kind,
  namespace = '',
  name,
  uid,
  write,
  changes,
}: ObjectVerdict): Change[] {
  const object = { apiVersion, kind, namespace, name, uid };
  if (write !== 'update')
    return [
      {
        ...object,
        path: '',
        after: write === 'replace' ? 'deleted and made anew from the backup' : 'made from the backup',
      },
    ];
  return (changes ?? []).map(({ path, before, after, hidden }) => ({
    ...object,
    path,
    ...(hidden === true
      ? { before: '(not shown)', after: '(not shown, from the backup)' }
      : { ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }),
  }));
}

function bunches(writes: readonly ObjectVerdict[], into: string): Change[] {
  const counts = new Map<string, { change: Change; count: number }>();
  for (const { apiVersion, kind, write } of writes) {
    const key = `${kindKey({ apiVersion, kind })} ${write ?? ''}`;
    const known = counts.get(key) ?? {
      change: { apiVersion, kind, namespace: into, name: '', uid: null, path: '', after: write ?? '' },
      count: 0,
    };
    known.count += 1;
    counts.set(key, known);
  }
  return [...counts.values()].map(({ change, count }) => ({
    ...change,
    name: `${count} object${count === 1 ? '' : 's'}`,
  }));
}
