import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { Written } from '../../contracts/plan.ts';
import type { Target } from '../../contracts/target.ts';
import { selectorText, type Deployment } from '../../domain/deployment.ts';
import { judgeRollout, type RolloutView } from '../../domain/rollout-health.ts';
import { Bell } from '../bell.ts';
import { failure } from '../failures.ts';

/**
 * Watches a rollout through Deployment, ReplicaSets, pods and events until it is complete. Reads only, so it
 * may run any number of times; a second attempt starts from the state it finds.
 * @throws RolloutFailed with the reason as soon as the rollout is hopeless.
 */
export async function followRollout(
  gateway: KubernetesGateway,
  target: Target,
  written: Written,
  images: Record<string, string>,
  signal: AbortSignal,
): Promise<{ sentence: string }> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const { uid, generation } = written;
  const goal = { uid, generation, images, ...target.profile.rollout, watchedSince: Date.now() };
  try {
    for await (const view of watchView(gateway, written, either)) {
      const verdict = judgeRollout(view, goal, Date.now());
      if (verdict.state === 'complete') return { sentence: verdict.sentence };
      if (verdict.state === 'hopeless')
        throw failure('RolloutFailed', `${verdict.reason}: ${verdict.sentence}`);
      view.lookAgainAt(verdict.lookAgainAt);
    }
    throw failure('Unavailable', 'the watch of the rollout ended before the rollout did');
  } finally {
    stop.abort(new Error('the rollout was judged'));
  }
}

interface LiveView extends RolloutView {
  /** Looks again at that time even if nothing happens, in milliseconds since the epoch. */
  lookAgainAt(time: number | undefined): void;
}

/** Yields the whole view after every change of any of the four kinds, and when the asked time has come. */
async function* watchView(
  gateway: KubernetesGateway,
  written: Written,
  signal: AbortSignal,
): AsyncGenerator<LiveView, void, undefined> {
  const { namespace } = written;
  const live = (await gateway.get(written, { signal })) as Deployment;
  const labelSelector = selectorText(live.spec.selector);
  const stores = {
    deployment: new Map<string, KubernetesObject>(),
    replicaSets: new Map<string, KubernetesObject>(),
    pods: new Map<string, KubernetesObject>(),
    events: new Map<string, KubernetesObject>(),
  };
  const bell = new Bell();
  let synced = 0;
  const follow = async (
    store: Map<string, KubernetesObject>,
    query: Parameters<KubernetesGateway['watch']>[0],
  ): Promise<void> => {
    let first = true;
    for await (const event of gateway.watch(query, { signal })) {
      if (event.type === 'SYNC') {
        store.clear();
        for (const item of event.items) store.set(item.metadata.uid ?? '', item);
        if (first) synced += 1;
        first = false;
      } else if (event.type === 'DELETED') store.delete(event.object.metadata.uid ?? '');
      else store.set(event.object.metadata.uid ?? '', event.object);
      bell.ring();
    }
  };
  const watches = [
    follow(stores.deployment, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      namespace,
      fieldSelector: `metadata.name=${written.name}`,
    }),
    follow(stores.replicaSets, { apiVersion: 'apps/v1', kind: 'ReplicaSet', namespace, labelSelector }),
    follow(stores.pods, { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }),
    // Events only add to a reason; a worker that may not read them judges without.
    follow(stores.events, {
      apiVersion: 'v1',
      kind: 'Event',
      namespace,
      fieldSelector: 'type=Warning,involvedObject.kind=Pod',
    }).catch((error: unknown) => {
      if (!(error instanceof KubernetesError) || error.status !== 403) throw error;
      synced += 1;
      bell.ring();
    }),
  ];
  for (const watch of watches)
    watch.catch((error: unknown) => {
      bell.fail(error);
    });
  for (;;) {
    await bell.wait();
    // Judging before every kind was listed once would take what is missing for absent.
    if (synced < watches.length) continue;
    yield {
      deployment: [...stores.deployment.values()][0] as RolloutView['deployment'],
      replicaSets: [...stores.replicaSets.values()],
      pods: [...stores.pods.values()] as RolloutView['pods'],
      events: [...stores.events.values()] as RolloutView['events'],
      lookAgainAt: (time) => {
        bell.ringAt(time);
      },
    };
  }
}
