/** The parts of a pod spec that name other objects. Kubernetes calls the same name differently from place to place. */
interface Selector {
  name?: string;
  key?: string;
  optional?: boolean;
  items?: { key: string }[];
}

interface ReferringContainer {
  env?: { valueFrom?: { configMapKeyRef?: Selector; secretKeyRef?: Selector } }[];
  envFrom?: { configMapRef?: Selector; secretRef?: Selector }[];
}

/** A pod spec as far as it refers to other objects of its namespace. */
export interface ReferringPodSpec {
  serviceAccountName?: string;
  imagePullSecrets?: { name?: string }[];
  containers: ReferringContainer[];
  initContainers?: ReferringContainer[];
  volumes?: {
    configMap?: Selector;
    secret?: Selector & { secretName?: string };
    projected?: { sources?: { configMap?: Selector; secret?: Selector }[] };
    persistentVolumeClaim?: { claimName: string };
  }[];
}

/** An object that pods cannot start without, and the keys that it must have. */
export interface Reference {
  kind: 'ConfigMap' | 'Secret' | 'ServiceAccount' | 'PersistentVolumeClaim';
  name: string;
  keys: string[];
  /** Only images are pulled with it; nodes may hold them, or other credentials, already. */
  pullsImages?: true;
}

/** Every object that a template refers to and does not call optional; each once, with all its keys. */
export function referencesOf(spec: ReferringPodSpec): Reference[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const all = [
    ...containers.flatMap(referencesOfContainer),
    ...(spec.volumes ?? []).flatMap(referencesOfVolume),
    // Every namespace has its default account: Kubernetes makes it anew.
    ...refer('ServiceAccount', {
      name: spec.serviceAccountName ?? '',
      optional: spec.serviceAccountName === 'default',
    }),
  ];
  const needed = merge(all);
  const pulling = (spec.imagePullSecrets ?? [])
    .flatMap((secret) => refer('Secret', secret))
    .filter(({ name }) => !needed.some((one) => one.kind === 'Secret' && one.name === name));
  return [...needed, ...merge(pulling).map((reference) => ({ ...reference, pullsImages: true as const }))];
}

function referencesOfContainer({ env = [], envFrom = [] }: ReferringContainer): Reference[] {
  return [
    ...env.flatMap(({ valueFrom }) => [
      ...refer('ConfigMap', valueFrom?.configMapKeyRef),
      ...refer('Secret', valueFrom?.secretKeyRef),
    ]),
    ...envFrom.flatMap((source) => [
      ...refer('ConfigMap', source.configMapRef),
      ...refer('Secret', source.secretRef),
    ]),
  ];
}

function referencesOfVolume(volume: NonNullable<ReferringPodSpec['volumes']>[number]): Reference[] {
  const { configMap, secret, projected, persistentVolumeClaim: claim } = volume;
  return [
    ...refer('ConfigMap', configMap),
    ...(secret === undefined ? [] : refer('Secret', { ...secret, name: secret.secretName ?? '' })),
    ...(projected?.sources ?? []).flatMap((source) => [
      ...refer('ConfigMap', source.configMap),
      ...refer('Secret', source.secret),
    ]),
    ...(claim === undefined ? [] : refer('PersistentVolumeClaim', { name: claim.claimName })),
  ];
}

function refer(kind: Reference['kind'], selector: Selector | undefined): Reference[] {
  const { name = '', key, items = [], optional = false } = selector ?? {};
  if (name === '' || optional) return [];
  return [{ kind, name, keys: [...(key === undefined ? [] : [key]), ...items.map((item) => item.key)] }];
}

function merge(references: Reference[]): Reference[] {
  const merged = new Map<string, Reference>();
  for (const { kind, name, keys } of references) {
    const earlier = merged.get(`${kind} ${name}`)?.keys ?? [];
    merged.set(`${kind} ${name}`, { kind, name, keys: [...new Set([...earlier, ...keys])].sort() });
  }
  return [...merged.entries()].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, one]) => one);
}
