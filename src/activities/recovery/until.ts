import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import { Bell } from '../bell.ts';

/** One list that is watched. */
export type Watched = Parameters<KubernetesGateway['watch']>[0];

/** How a wait ends, and who is told of it meanwhile. */
export interface Waiting {
  seconds: number;
  signal: AbortSignal;
  say: (sentence: string) => void;
}

/** Names in a sentence about what is waited for. */
const mostNamed = 3;

/**
 * Watches some kinds until `missing` says that nothing is missing any more, or the time is over. Returns what is still
 * missing. Never judges before every kind was listed once.
 */
export async function untilNothingMissing(
  gateway: KubernetesGateway,
  queries: readonly Watched[],
  missing: (objects: readonly KubernetesObject[][]) => string[] | Promise<string[]>,
  { seconds, signal, say }: Waiting,
): Promise<string[]> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const bell = new Bell();
  const stores = queries.map(() => new Map<string, KubernetesObject>());
  const synced = new Set<number>();
  const follow = async (query: Watched, index: number): Promise<void> => {
    const store = stores[index] ?? new Map<string, KubernetesObject>();
    for await (const event of gateway.watch(query, { signal: either })) {
      if (event.type === 'SYNC') {
        store.clear();
        for (const item of event.items) store.set(item.metadata.uid ?? '', item);
        synced.add(index);
      } else if (event.type === 'DELETED') store.delete(event.object.metadata.uid ?? '');
      else store.set(event.object.metadata.uid ?? '', event.object);
      bell.ring();
    }
  };
  for (const [index, query] of queries.entries())
    follow(query, index).catch((error: unknown) => {
      bell.fail(error);
    });
  const giveUpAt = Date.now() + seconds * 1000;
  try {
    for (;;) {
      bell.ringAt(giveUpAt);
      await bell.wait();
      const over = Date.now() >= giveUpAt;
      if (synced.size < queries.length && !over) continue;
      const left =
        synced.size < queries.length
          ? ['the API server did not answer']
          : await missing(stores.map((store) => [...store.values()]));
      if (left.length === 0 || over) return left;
      const more = left.length > mostNamed ? ` and ${left.length - mostNamed} more` : '';
      say(
        `waits until ${new Date(giveUpAt).toISOString()} for: ${left.slice(0, mostNamed).join('; ')}${more}`,
      );
    }
  } finally {
    stop.abort(new Error('nothing is waited for any more'));
  }
}
