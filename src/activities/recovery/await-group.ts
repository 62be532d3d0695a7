import { KubernetesError } from '../../clients/kubernetes/errors.ts';
import type { KubernetesGateway } from '../../clients/kubernetes/gateway.ts';
import type { KubernetesObject } from '../../contracts/kubernetes.ts';
import type { PlannedObject, RestoreOptions, StoredDetails } from '../../contracts/recovery.ts';
import { isJsonObject, valueOf } from '../../domain/recovery/edit.ts';
import type { Wait } from '../../domain/recovery/order.ts';
import { getOrNothing } from './live-objects.ts';
import { readPlan } from './run-files.ts';
import type { Source } from './source.ts';
import { untilNothingMissing, type Waiting } from './until.ts';

/** How long each wait may take. A definition is established within seconds; a volume is made by a machine far away. */
const deadlines: Record<Wait, number> = { established: 60, active: 60, bound: 300, backendsReady: 300 };

/** What is waited for, and after which group. */
export interface AwaitRequest {
  wait: Wait;
  position: number;
  stored: StoredDetails;
  options: RestoreOptions;
}

/** What is not as it should be although the time is over: names of objects with what is missing. */
export interface Awaited {
  sentence: string;
  missing: { name: string; why: string }[];
}

/**
 * Waits for what a group needs, by watching. Reads only, so it may run any number of times; a second attempt has the
 * whole time again. That something is missing in the end is no failure of the wait: the run says so and goes on.
 * @throws BackupRefused, StorageUnavailable, Unavailable
 */
export async function awaitGroup(
  gateway: KubernetesGateway,
  source: Source,
  { wait, position, stored, options }: AwaitRequest,
  signal: AbortSignal,
  say: (sentence: string) => void,
): Promise<Awaited> {
  const plan = await readPlan(source.store, stored, signal);
  const mine = plan.filter((one) => one.position === position && one.verdict.write !== undefined);
  const within = { seconds: deadlines[wait], signal, say };
  const missing = await missingAfter(gateway, wait, mine, options, within);
  return {
    sentence:
      missing.length === 0
        ? `${mine.length} as they should be`
        : `not within ${deadlines[wait]} s: ${missing
            .slice(0, 5)
            .map(({ name, why }) => `${name} (${why})`)
            .join(', ')}${missing.length > 5 ? ` and ${missing.length - 5} more` : ''}`,
    missing,
  };
}

async function missingAfter(
  gateway: KubernetesGateway,
  wait: Wait,
  objects: readonly PlannedObject[],
  { into }: RestoreOptions,
  within: Waiting,
): Promise<Awaited['missing']> {
  const names = objects.map(({ verdict }) => verdict.name);
  switch (wait) {
    case 'established': {
      const query = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' };
      const isThere = (definition: KubernetesObject): boolean => hasCondition(definition, 'Established');
      return await untilAll(gateway, query, names, isThere, 'is not established', within);
    }
    case 'active': {
      const query = { apiVersion: 'v1', kind: 'Namespace', fieldSelector: `metadata.name=${into}` };
      const isActive = (namespace: KubernetesObject): boolean =>
        valueOf(namespace, 'status', 'phase') === 'Active';
      return await untilAll(gateway, query, names, isActive, 'is not active', within);
    }
    case 'bound':
      return await untilBound(gateway, into, names, within);
    case 'backendsReady':
      return await withoutBackends(gateway, objects, within);
  }
}

/** Until each of the names is there and as it should be. */
async function untilAll(
  gateway: KubernetesGateway,
  query: Parameters<typeof untilNothingMissing>[1][number],
  names: readonly string[],
  isGood: (object: KubernetesObject) => boolean,
  why: string,
  within: Waiting,
): Promise<Awaited['missing']> {
  const missing = await untilNothingMissing(
    gateway,
    [query],
    ([found = []]) => {
      const good = new Set(found.filter(isGood).map(({ metadata }) => metadata.name));
      return names.filter((name) => !good.has(name));
    },
    within,
  );
  return missing.map((name) => ({ name, why }));
}

/** A claim of a class that waits for a pod is bound together with it: it is not waited for here. */
async function untilBound(
  gateway: KubernetesGateway,
  namespace: string,
  names: readonly string[],
  within: Waiting,
): Promise<Awaited['missing']> {
  const classes = new Map<string, Promise<boolean>>();
  const waitsForPod = (claim: KubernetesObject): Promise<boolean> => {
    const name = valueOf(claim, 'spec', 'storageClassName');
    // Without a class, and without a volume of its own, nobody makes one.
    if (typeof name !== 'string' || name === '')
      return Promise.resolve(valueOf(claim, 'spec', 'volumeName') === undefined);
    const known = classes.get(name) ?? bindsWithPod(gateway, name, within.signal);
    classes.set(name, known);
    return known;
  };
  const query = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace };
  const missing = await untilNothingMissing(
    gateway,
    [query],
    async ([found = []]) => {
      const byName = new Map(found.map((claim) => [claim.metadata.name, claim]));
      const open: string[] = [];
      for (const name of names) {
        const claim = byName.get(name);
        if (claim === undefined || valueOf(claim, 'status', 'phase') === 'Bound') continue;
        if (!(await waitsForPod(claim))) open.push(name);
      }
      return open;
    },
    within,
  );
  return missing.map((name) => ({ name, why: 'is not bound' }));
}

/** A class that is missing or may not be read is taken for one that waits: the pods will tell. */
async function bindsWithPod(gateway: KubernetesGateway, name: string, signal: AbortSignal): Promise<boolean> {
  try {
    const ref = { apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', namespace: '', name };
    const found = await getOrNothing(gateway, ref, signal);
    return found === undefined || found['volumeBindingMode'] === 'WaitForFirstConsumer';
  } catch (error) {
    if (error instanceof KubernetesError && error.status === 403) return true;
    throw error;
  }
}

async function withoutBackends(
  gateway: KubernetesGateway,
  objects: readonly PlannedObject[],
  within: Waiting,
): Promise<Awaited['missing']> {
  const namespaces = [
    ...new Set(objects.flatMap(({ backends = [] }) => backends.map(({ namespace }) => namespace))),
  ];
  if (namespaces.length === 0) return [];
  const queries = namespaces.map((namespace) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    namespace,
  }));
  const missing = await untilNothingMissing(
    gateway,
    queries,
    (slices) => {
      const ready = new Set(slices.flat().filter(hasReadyEndpoint).map(serviceOf));
      return objects
        .filter(({ backends = [] }) =>
          backends.some(({ namespace, name }) => !ready.has(`${namespace}/${name}`)),
        )
        .map(({ verdict }) => verdict.name);
    },
    within,
  );
  return missing.map((name) => ({ name, why: 'its Service has no ready endpoint' }));
}

function serviceOf({ metadata }: KubernetesObject): string {
  return `${metadata.namespace ?? ''}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
}

function hasReadyEndpoint(slice: KubernetesObject): boolean {
  const endpoints = valueOf(slice, 'endpoints');
  return (Array.isArray(endpoints) ? endpoints : []).some((endpoint) => {
    const conditions = isJsonObject(endpoint) ? endpoint['conditions'] : undefined;
    return !isJsonObject(conditions) || conditions['ready'] !== false;
  });
}

function hasCondition(object: KubernetesObject, wanted: string): boolean {
  const conditions = valueOf(object, 'status', 'conditions');
  return (Array.isArray(conditions) ? conditions : [])
    .filter(isJsonObject)
    .some(({ type, status }) => type === wanted && status === 'True');
}
